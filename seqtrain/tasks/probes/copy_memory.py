"""The copying problem: a row of symbols is to be recalled after a long wait."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from seqtrain import limits
from seqtrain.batch import Batch, Examples
from seqtrain.errors import DataError
from seqtrain.picture import Picture
from seqtrain.seeding import stream, uniform
from seqtrain.shown import Shown, Words
from seqtrain.spec import Align, Symbols, TaskSpec
from seqtrain.tasks.given import Given, Source
from seqtrain.tasks.probes import drawing
from seqtrain.tasks.sequences import Sequences, array_of, read_arrays
from seqtrain.tasks.task import Sample, Split, Task

if TYPE_CHECKING:
    from torchmetrics import MetricCollection

BLANK = 0
"""Where nothing is said; the symbols are 1, 2, ..., and the sign to recall comes after the last of them."""

SHOWN = 12
"""Sequences in a picture."""


@dataclass(eq=False)
class CopyMemory(Task):
    """A row of random symbols, blanks, a sign, and as many blanks as there were symbols: there they are to be said.

    Arjovsky 2016, arXiv 1511.06464, section 5.1 (after Hochreiter & Schmidhuber 1997). The sign stands where the
    last of `delay` blanks would, so that a sequence has delay + 2 length steps. Every step is scored, as in the
    paper: who remembers nothing says blanks until the sign and guesses then, for a cross-entropy of
    length ln(symbols) / (delay + 2 length) nats. Training examples are new in every epoch.

    Attributes:
        delay: Steps from the last symbol to the first that is recalled.
        symbols: Different symbols, at least 2.
        length: How many are to be remembered.
        train_size: Sequences in an epoch.
        val_size: Sequences to validate on.
        test_size: Sequences to test on.
    """

    metric: ClassVar[str] = "accuracy"
    higher_is_better: ClassVar[bool] = True

    delay: int = 20
    symbols: int = 8
    length: int = 5
    train_size: int = 20_000
    val_size: int = 1_000
    test_size: int = 1_000

    _seed: int | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        limits.at_least("task", 2, symbols=self.symbols)
        limits.at_least("task", 1, delay=self.delay, length=self.length)
        limits.at_least("task", 1, train_size=self.train_size, val_size=self.val_size, test_size=self.test_size)

    @property
    def outline(self) -> TaskSpec:
        """The whole spec: here the options alone tell every size."""
        return TaskSpec(Symbols(self.symbols + 2), Symbols(self.symbols + 1), Align.EACH, causal=True)

    @property
    def spec(self) -> TaskSpec:
        """The same as the outline."""
        return self.outline

    def prepare(self, data_dir: Path, seed: int) -> None:
        """Remembers the seed: examples are made as they are asked for."""
        self._seed = seed

    def examples(self, split: Split) -> "Rows":
        """The sequences of one split."""
        assert self._seed is not None, "prepare comes first"
        size = {Split.TRAIN: self.train_size, Split.VAL: self.val_size, Split.TEST: self.test_size}[split]
        seed = int(stream(self._seed, f"copy_memory/{split}").integers(2**63))
        return Rows(size, self.delay, self.symbols, self.length, seed)

    def loss(self, outputs: Float[Tensor, "B T V"], batch: Batch, smoothing: float = 0.0) -> Float[Tensor, ""]:
        """The cross-entropy in nats, summed over every step."""
        return F.cross_entropy(
            outputs.float().flatten(0, 1), batch.targets.flatten(), reduction="sum", label_smoothing=smoothing
        )

    def count(self, batch: Batch) -> int:
        """The number of steps in the batch."""
        return batch.targets.numel()

    def metrics(self) -> "MetricCollection":
        """The share of symbols recalled, and of sequences of which each is."""
        # Imported where it is used: torchmetrics takes a second to load.
        from torchmetrics import MeanMetric, MetricCollection

        return MetricCollection({"accuracy": MeanMetric(), "whole": MeanMetric()}, compute_groups=False)

    def score(
        self,
        metrics: "MetricCollection",
        outputs: Float[Tensor, "B T V"],
        batch: Batch,
        generated: Tensor | None = None,
    ) -> None:
        """Adds what was recalled of one batch; the steps before don't count."""
        right = (outputs[:, -self.length :].argmax(-1) == batch.targets[:, -self.length :]).float()
        metrics["accuracy"].update(right)
        metrics["whole"].update(right.amin(1))

    def baseline(self) -> dict[str, float]:
        """Of the validation sequences: one symbol, the best, for all; and the cross-entropy of remembering nothing."""
        examples = self.examples(Split.VAL)
        batch = examples.batch(np.arange(len(examples)), epoch=0)
        best = batch.targets[:, -self.length :].flatten().bincount().argmax()
        metrics = self.metrics()
        answers = F.one_hot(best.expand_as(batch.targets), self.symbols + 1)
        self.score(metrics, answers.float(), batch)
        loss = self.length * math.log(self.symbols) / (self.delay + 2 * self.length)
        return {name: float(value) for name, value in metrics.compute().items()} | {"loss": loss}

    def pictures(self, samples: Iterable[Sample]) -> Iterator[Picture]:
        """A few rows of symbols beside what was recalled of them."""
        sample = next(iter(samples))
        truth, answers = (
            part[:SHOWN, -self.length :].numpy() for part in (sample.batch.targets, sample.outputs.argmax(-1))
        )
        yield Picture("recall", drawing.recall(truth, answers, self.symbols))

    def new_inputs(self, source: Source) -> Iterator[Given]:
        """Each line as JSON: [symbol, ...], blanks being 0 and the sign to recall the number after the last symbol."""
        return read_arrays(source)

    def new_examples(self, given: Sequence[Given]) -> Sequences:
        """Sequences of any length, (T,) each."""
        rows = [array_of(each, np.int64, "[symbol, ...]", (None,)) for each in given]
        for each, row in zip(given, rows, strict=True):
            if row.min() < 0 or row.max() > self.symbols + 1:
                raise DataError(f"{each.place}: a symbol is outside 0 to {self.symbols + 1}")
        return Sequences(rows, torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long))

    def answer(self, given: Sequence[Given], sample: Sample) -> Iterator[dict[str, Any]]:
        """What is said at the last steps of each, as many as there are symbols to recall."""
        answers = sample.outputs.argmax(-1)
        for row, length in zip(answers, sample.batch.lengths.tolist(), strict=True):
            yield {"recalled": row[max(0, length - self.length) : length].tolist()}

    def shown(self, sample: Sample, row: int, given: Given | None = None) -> Shown:
        """The symbols, and below them what is said at each step and what should be."""
        length = int(sample.batch.lengths[row])
        signs = {BLANK: "·", self.symbols + 1: "!"}
        read, said, truth = (
            [signs.get(symbol, str(symbol)) for symbol in ids[:length].tolist()]
            for ids in (sample.batch.inputs[row], sample.outputs[row].argmax(-1), sample.batch.targets[row])
        )
        parts = [Words("read", read, caption="· is a blank, ! asks for the symbols"), Words("said", said)]
        if given is not None:
            return Shown(parts, read)
        wrong = [float(a != b) for a, b in zip(said, truth, strict=True)]
        parts[1] = Words("said", said, shades=wrong, caption="shaded where it is wrong")
        return Shown([*parts, Words("truth", truth)], read, (), not any(wrong))


class Rows(Examples):
    """Sequences to be copied, made as they are asked for, each from (seed, epoch, index) alone."""

    def __init__(self, size: int, delay: int, symbols: int, length: int, seed: int) -> None:
        self._size = size
        self._delay = delay
        self._symbols = symbols
        self._length = length
        self._seed = seed

    def __len__(self) -> int:
        return self._size

    def batch(self, indices: NDArray[np.int64], epoch: int) -> Batch:
        """The sequences of these indices, (B, delay + 2 length), with what is to be said at each step."""
        drawn = uniform(self._seed, epoch, indices, self._length)
        rows = 1 + (drawn * self._symbols).astype(np.int64)
        inputs = np.full((len(indices), self._delay + 2 * self._length), BLANK)
        targets = inputs.copy()
        inputs[:, : self._length] = targets[:, -self._length :] = rows
        inputs[:, self._length + self._delay - 1] = self._symbols + 1
        lengths = torch.full((len(indices),), inputs.shape[1])
        return Batch(torch.from_numpy(inputs), lengths, torch.from_numpy(targets), torch.from_numpy(indices))
