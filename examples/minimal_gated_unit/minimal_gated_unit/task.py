"""A small task: of each bit of a row, whether the ones so far are odd. One bit of memory is all that it takes."""

from collections.abc import Iterator, Sequence
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
from seqtrain.seeding import stream, uniform
from seqtrain.spec import Align, Symbols, TaskSpec
from seqtrain.tasks import Split, Task
from seqtrain.tasks.given import Given, Source
from seqtrain.tasks.sequences import Sequences, array_of, read_arrays
from seqtrain.tasks.task import Sample

if TYPE_CHECKING:
    from torchmetrics import MetricCollection


@dataclass(eq=False)
class Parity(Task):
    """Random bits; the answer at each is 1 if the ones so far, itself among them, are odd.

    Who remembers nothing is right half of the time. Training examples are new in every epoch.

    Attributes:
        steps: Bits of a row: the longer, the harder.
        train_size: Rows in an epoch.
        val_size: Rows to validate on.
        test_size: Rows to test on.
    """

    metric: ClassVar[str] = "accuracy"
    higher_is_better: ClassVar[bool] = True

    steps: int = 8
    train_size: int = 10_000
    val_size: int = 500
    test_size: int = 500

    _seed: int | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        limits.at_least(
            "task", 1, steps=self.steps, train_size=self.train_size, val_size=self.val_size, test_size=self.test_size
        )

    @property
    def outline(self) -> TaskSpec:
        """All that a model may know: bits in, bits out, one for each step, none of which sees later ones."""
        return TaskSpec(Symbols(2), Symbols(2), Align.EACH, causal=True)

    @property
    def spec(self) -> TaskSpec:
        """The same as the outline; of other tasks, the data tells sizes."""
        return self.outline

    def prepare(self, data_dir: Path, seed: int) -> None:
        """Remembers the seed: examples are made as they are asked for."""
        self._seed = seed

    def examples(self, split: Split) -> "Bits":
        """The rows of one split."""
        assert self._seed is not None, "prepare comes first"
        size = {Split.TRAIN: self.train_size, Split.VAL: self.val_size, Split.TEST: self.test_size}[split]
        return Bits(size, self.steps, int(stream(self._seed, f"parity/{split}").integers(2**63)))

    def loss(self, outputs: Float[Tensor, "B T V"], batch: Batch, smoothing: float = 0.0) -> Float[Tensor, ""]:
        """The cross-entropy in nats, summed over every step."""
        answers = outputs.float().flatten(0, 1)
        return F.cross_entropy(answers, batch.targets.flatten(), reduction="sum", label_smoothing=smoothing)

    def count(self, batch: Batch) -> int:
        """The number of steps in the batch."""
        return batch.targets.numel()

    def metrics(self) -> "MetricCollection":
        """The share of right answers."""
        from torchmetrics import MeanMetric, MetricCollection  # where it is used: it takes a second to load

        return MetricCollection({"accuracy": MeanMetric()})

    def score(
        self, metrics: "MetricCollection", outputs: Tensor, batch: Batch, generated: Tensor | None = None
    ) -> None:
        """Adds the answers of one batch."""
        metrics["accuracy"].update((outputs.argmax(-1) == batch.targets).float())

    def baseline(self) -> dict[str, float]:
        """One answer to all, the better one, on the validation rows."""
        examples = self.examples(Split.VAL)
        odd = examples.batch(np.arange(len(examples)), epoch=0).targets.float().mean().item()
        return {"accuracy": max(odd, 1 - odd)}

    # What `seqtrain predict` asks of a task.

    def new_inputs(self, source: Source) -> Iterator[Given]:
        """Each line as JSON: [bit, ...]."""
        return read_arrays(source)

    def new_examples(self, given: Sequence[Given]) -> Sequences:
        """Rows of any length."""
        rows = [array_of(each, np.int64, "[bit, ...]", (None,)) for each in given]
        for each, row in zip(given, rows, strict=True):
            if row.min() < 0 or row.max() > 1:
                raise DataError(f"{each.place}: a bit is neither 0 nor 1")
        return Sequences(rows, torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long))

    def answer(self, given: Sequence[Given], sample: Sample) -> Iterator[dict[str, Any]]:
        """Whether the ones of each row are odd, all of them counted."""
        for row, length in zip(sample.outputs, sample.batch.lengths.tolist(), strict=True):
            yield {"odd": bool(row[length - 1].argmax())}


class Bits(Examples):
    """Rows of bits, made as they are asked for, each from (seed, epoch, index) alone."""

    def __init__(self, size: int, steps: int, seed: int) -> None:
        self._size = size
        self._steps = steps
        self._seed = seed

    def __len__(self) -> int:
        return self._size

    def batch(self, indices: NDArray[np.int64], epoch: int) -> Batch:
        """The rows of these indices, (B, T), with what is right at each step, (B, T)."""
        bits = (uniform(self._seed, epoch, indices, self._steps) < 0.5).astype(np.int64)
        lengths = torch.full((len(indices),), self._steps)
        odd = torch.from_numpy(bits.cumsum(1) % 2)
        return Batch(torch.from_numpy(bits), lengths, odd, torch.from_numpy(indices))
