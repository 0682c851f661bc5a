"""Which batches a run reads: of training from any position, of an evaluation whole, or a few where it is limited."""

import math
from collections.abc import Iterable, Iterator
from itertools import islice

from seqtrain.batch import Batch, Examples
from seqtrain.tasks.task import Split, Task
from seqtrain.training.loader import WHOLE, eval_loader, train_loader
from seqtrain.training.trainer_config import TrainerConfig


class Feed:
    """The batches of one run, or one process's share of them."""

    def __init__(self, config: TrainerConfig, task: Task, seed: int, *, pin_memory: bool, share: slice = WHOLE) -> None:
        """Plans nothing yet.

        Args:
            config: Says how large batches are, and how many are read.
            task: Prepared.
            seed: Decides the order of the training data.
            pin_memory: Whether batches of training are copied to page-locked memory, for CUDA.
            share: Which examples of each batch are read.
        """
        self.config = config
        self.task = task
        self.seed = seed
        self.pin_memory = pin_memory
        self.share = share
        self.train_examples = task.examples(Split.TRAIN)
        self.limit = config.limit_batches or config.overfit_batches
        batches = math.ceil(len(self.train_examples) / config.sequences)
        self.batches_per_epoch = min(batches, self.limit or batches)
        self.steps_per_epoch = math.ceil(self.batches_per_epoch / config.accumulate)

    def steps(self, epoch: int, skip: int) -> Iterator[list[Batch]]:
        """A pass over the share of the training data, from its batch `skip` on, by optimizer steps."""
        batches = iter(self.training(epoch, skip))
        while step := list(islice(batches, self.config.accumulate)):
            yield step

    def training(self, epoch: int, skip: int) -> Iterable[Batch]:
        """A pass over the share of the training data, from its batch `skip` on."""
        return self._training(epoch, skip, self.share)

    def _training(self, epoch: int, skip: int, share: slice) -> Iterable[Batch]:
        config = self.config
        return train_loader(
            self.train_examples,
            config.sequences,
            self.seed,
            0 if config.overfit_batches else epoch,
            skip=skip,
            limit=self.limit,
            num_workers=config.num_workers,
            pin_memory=self.pin_memory,
            share=share,
        )

    def examples(self, split: Split) -> Examples:
        """What is read when a split is evaluated: the few batches of training instead, if those are overfitted."""
        return self.train_examples if self.config.overfit_batches else self.task.examples(split)

    def evaluation(self, split: Split, *, whole: bool = False) -> Iterable[Batch]:
        """One pass over the share, or the whole, of what is read when a split is evaluated."""
        share = WHOLE if whole else self.share
        if self.config.overfit_batches:
            return self._training(0, 0, share)
        size, workers = self.config.sequences, self.config.num_workers
        return eval_loader(self.task.examples(split), size, limit=self.limit, num_workers=workers, share=share)
