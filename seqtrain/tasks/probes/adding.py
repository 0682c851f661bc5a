"""The adding problem: two numbers far apart are to be remembered and added."""

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
from seqtrain.picture import Picture
from seqtrain.seeding import stream, uniform
from seqtrain.shown import Facts, Shown, Words
from seqtrain.spec import Align, TaskSpec, Values
from seqtrain.tasks.class_scores import DIGITS
from seqtrain.tasks.given import Given, Source
from seqtrain.tasks.probes import drawing
from seqtrain.tasks.sequences import Sequences, array_of, read_arrays
from seqtrain.tasks.task import Sample, Split, Task

if TYPE_CHECKING:
    from torchmetrics import MetricCollection

SHOWN = 1_000
"""Sums in a picture."""


@dataclass(eq=False)
class Adding(Task):
    """Numbers in [0, 1), of which one in each half of the sequence is marked; the answer is the sum of the two.

    Hochreiter & Schmidhuber 1997, section 5.4, in the form that became common (Le 2015, arXiv 1504.00941, section
    4.1): a fixed number of steps. Who remembers nothing answers 1, with a mean squared error of 1/6.
    Training examples are new in every epoch.

    Attributes:
        steps: Length of a sequence; at least 2.
        train_size: Sequences in an epoch.
        val_size: Sequences to validate on.
        test_size: Sequences to test on.
    """

    metric: ClassVar[str] = "mse"
    higher_is_better: ClassVar[bool] = False
    unit: ClassVar[str] = "numbers"

    steps: int = 50
    train_size: int = 20_000
    val_size: int = 1_000
    test_size: int = 1_000

    _seed: int | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        limits.at_least("task", 2, steps=self.steps)
        limits.at_least("task", 1, train_size=self.train_size, val_size=self.val_size, test_size=self.test_size)

    @property
    def outline(self) -> TaskSpec:
        """The whole spec: here the options alone tell every size."""
        return TaskSpec(Values((2,)), Values((1,)), Align.WHOLE)

    @property
    def spec(self) -> TaskSpec:
        """The same as the outline."""
        return self.outline

    def prepare(self, data_dir: Path, seed: int) -> None:
        """Remembers the seed: examples are made as they are asked for."""
        self._seed = seed

    def examples(self, split: Split) -> "Sums":
        """The sequences of one split."""
        assert self._seed is not None, "prepare comes first"
        size = {Split.TRAIN: self.train_size, Split.VAL: self.val_size, Split.TEST: self.test_size}[split]
        return Sums(size, self.steps, int(stream(self._seed, f"adding/{split}").integers(2**63)))

    def loss(self, outputs: Float[Tensor, "B 1"], batch: Batch, smoothing: float = 0.0) -> Float[Tensor, ""]:
        """The squared error, summed over the sequences."""
        return F.mse_loss(outputs.float(), batch.targets, reduction="sum")

    def count(self, batch: Batch) -> int:
        """The number of sequences in the batch."""
        return len(batch)

    def metrics(self) -> "MetricCollection":
        """Mean squared error and mean absolute error."""
        # Imported where it is used: torchmetrics takes a second to load.
        from torchmetrics import MeanAbsoluteError, MeanSquaredError, MetricCollection

        return MetricCollection({"mse": MeanSquaredError(), "mae": MeanAbsoluteError()})

    def score(
        self,
        metrics: "MetricCollection",
        outputs: Float[Tensor, "B 1"],
        batch: Batch,
        generated: Tensor | None = None,
    ) -> None:
        """Adds the sums of one batch."""
        metrics.update(outputs.float().flatten(), batch.targets.flatten())

    def baseline(self) -> dict[str, float]:
        """The errors on the validation sequences of the mean sum, which is 1, as the answer to all."""
        examples = self.examples(Split.VAL)
        batch = examples.batch(np.arange(len(examples)), epoch=0)
        metrics = self.metrics()
        self.score(metrics, torch.ones_like(batch.targets), batch)
        return {name: float(value) for name, value in metrics.compute().items()}

    def pictures(self, samples: Iterable[Sample]) -> Iterator[Picture]:
        """Answers against true sums, and how the error hangs on how long the first number is to be remembered."""
        taken: list[tuple[Tensor, Tensor, Tensor]] = []
        for sample in samples:
            waited = sample.batch.inputs.shape[1] - sample.batch.inputs[..., 1].argmax(1)
            taken.append((sample.batch.targets[:, 0], sample.outputs[:, 0], waited))
            if sum(len(waited) for *_, waited in taken) >= SHOWN:
                break
        truth, answers, waits = (torch.cat(part).numpy() for part in zip(*taken, strict=True))
        yield Picture("sums", drawing.sums(truth, answers, waits))

    def new_inputs(self, source: Source) -> Iterator[Given]:
        """Each line as JSON: [[number, mark], ...]."""
        return read_arrays(source)

    def new_examples(self, given: Sequence[Given]) -> Sequences:
        """Sequences of any length, (T, 2) each."""
        rows = [array_of(each, np.float32, "[[number, mark], ...]", (None, 2)) for each in given]
        return Sequences(rows, torch.zeros(len(rows), 1))

    def answer(self, given: Sequence[Given], sample: Sample) -> Iterator[dict[str, Any]]:
        """The sum of the two marked numbers of each."""
        for answer in sample.outputs[:, 0].tolist():
            yield {"sum": round(answer, DIGITS)}

    def shown(self, sample: Sample, row: int, given: Given | None = None) -> Shown:
        """The numbers, those to be added marked, and the answer beside their sum."""
        steps = sample.batch.inputs[row, : int(sample.batch.lengths[row])]
        marked = steps[:, 1].tolist()
        names = [f"{number:.2f}" for number in steps[:, 0].tolist()]
        numbers = Words("numbers", names, ["+" if mark else "" for mark in marked], marked, caption="marked: add me")
        facts = {"answer": f"{float(sample.outputs[row]):.3f}"}
        if given is None:
            facts["true sum"] = f"{float(sample.batch.targets[row]):.3f}"
        return Shown(
            [numbers, Facts(facts)], [f"{name}+" if mark else name for name, mark in zip(names, marked, strict=True)]
        )


class Sums(Examples):
    """Sequences of (number, mark), made as they are asked for, each from (seed, epoch, index) alone."""

    def __init__(self, size: int, steps: int, seed: int) -> None:
        self._size = size
        self._steps = steps
        self._seed = seed

    def __len__(self) -> int:
        return self._size

    def batch(self, indices: NDArray[np.int64], epoch: int) -> Batch:
        """The sequences of these indices, with their sums (B, 1)."""
        drawn = uniform(self._seed, epoch, indices, self._steps + 2)
        half, rows = self._steps // 2, np.arange(len(indices))
        first = (drawn[:, -2] * half).astype(np.int64)
        second = half + (drawn[:, -1] * (self._steps - half)).astype(np.int64)
        inputs = np.zeros((len(indices), self._steps, 2), np.float32)
        inputs[..., 0] = drawn[:, :-2]
        inputs[rows, first, 1] = inputs[rows, second, 1] = 1
        sums = inputs[rows, first, 0] + inputs[rows, second, 0]
        lengths = torch.full((len(indices),), self._steps)
        targets = torch.from_numpy(sums).unsqueeze(1)
        return Batch(torch.from_numpy(inputs), lengths, targets, torch.from_numpy(indices))
