"""Which batches a run reads: of training from any position, of an evaluation whole, or a few where it is limited."""

import math
from collections.abc import Iterable

from seqtrain.batch import Batch, Examples
from seqtrain.loader import eval_loader, train_loader
from seqtrain.tasks.task import Split, Task
from seqtrain.trainer_config import TrainerConfig


class Feed:
    """The batches of one run."""

    def __init__(self, config: TrainerConfig, task: Task, seed: int, *, pin_memory: bool) -> None:
        """Plans nothing yet.

        Args:
            config: Says how large batches are, and how many are read.
            task: Prepared.
            seed: Decides the order of the training data.
            pin_memory: Whether batches of training are copied to page-locked memory, for CUDA.
        """
        self.config = config
        self.task = task
        self.seed = seed
        self.pin_memory = pin_memory
        self.train_examples = task.examples(Split.TRAIN)
        self.limit = config.limit_batches or config.overfit_batches
        batches = math.ceil(len(self.train_examples) / config.batch_size)
        self.batches_per_epoch = min(batches, self.limit or batches)
        self.steps_per_epoch = math.ceil(self.batches_per_epoch / config.accumulate)

    def training(self, epoch: int, skip: int) -> Iterable[Batch]:
        """A pass over the training data, from its batch `skip` on."""
        config = self.config
        return train_loader(
            self.train_examples,
            config.batch_size,
            self.seed,
            0 if config.overfit_batches else epoch,
            skip=skip,
            limit=self.limit,
            num_workers=config.num_workers,
            pin_memory=self.pin_memory,
        )

    def examples(self, split: Split) -> Examples:
        """What is read when a split is evaluated: the few batches of training instead, if those are overfitted."""
        return self.train_examples if self.config.overfit_batches else self.task.examples(split)

    def evaluation(self, split: Split) -> Iterable[Batch]:
        """One pass over what is read when a split is evaluated."""
        if self.config.overfit_batches:
            return self.training(epoch=0, skip=0)
        size, workers = self.config.batch_size, self.config.num_workers
        return eval_loader(self.task.examples(split), size, limit=self.limit, num_workers=workers)
