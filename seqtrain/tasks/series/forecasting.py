"""Telling the end of a window of a time series from its beginning: what every such task shares."""

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float, Float32
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from seqtrain import limits
from seqtrain.batch import Batch, Examples
from seqtrain.errors import ConfigError
from seqtrain.shown import Curves, Shown
from seqtrain.spec import Align, TaskSpec, Values
from seqtrain.tasks.given import Given
from seqtrain.tasks.task import Sample, Task

if TYPE_CHECKING:
    from torchmetrics import MetricCollection

Criterion = Literal["mse", "mae", "huber"]
_CRITERIA: dict[Criterion, Callable[..., Tensor]] = {"mse": F.mse_loss, "mae": F.l1_loss, "huber": F.huber_loss}

SEEN = 4
"""How many times as many rows as are forecast are shown before them."""
SHOWN = 4
"""Channels of one example that are shown."""


@dataclass(eq=False, kw_only=True)
class Forecasting(Task):
    """Windows of lookback + horizon rows, of which the first are seen and the rest is to be told.

    Attributes:
        lookback: Rows that are seen.
        horizon: Rows that are to be forecast.
        segment: Rows that make one step of a model; a model then reads and tells a segment at a time.
        subtract_last: Whether a model is shown, and tells, how values differ from the last ones seen, so that the
            level of a window is nothing to learn. Errors of forecasts are the same either way.
        criterion: What training makes small: the squared error, the absolute error, or Huber's between them,
            squared up to 1 and absolute beyond.
    """

    metric: ClassVar[str] = "mse"
    higher_is_better: ClassVar[bool] = False
    unit: ClassVar[str] = "rows"
    ahead: ClassVar[str | None] = "forecast"

    lookback: int = 48
    horizon: int = 12
    segment: int = 1
    subtract_last: bool = False
    criterion: Criterion = "mse"

    def __post_init__(self) -> None:
        limits.at_least("task", 1, lookback=self.lookback, horizon=self.horizon, segment=self.segment)
        if self.lookback % self.segment or self.horizon % self.segment:
            common = math.gcd(self.lookback, self.horizon)
            would = ", ".join(str(size) for size in range(1, common + 1) if common % size == 0)
            raise ConfigError(
                f"task.segment={self.segment}: must divide task.lookback={self.lookback} and "
                f"task.horizon={self.horizon}; {would} would"
            )

    def steps(self, read: int, told: int, *, continues: bool) -> TaskSpec:
        """The spec where a model reads so many numbers a row and tells so many."""
        return TaskSpec(
            Values((self.segment * read,)),
            Values((self.segment * told,)),
            Align.AHEAD,
            horizon=self.horizon // self.segment,
            continues=continues,
        )

    def loss(self, outputs: Float[Tensor, "B U E"], batch: Batch, smoothing: float = 0.0) -> Float[Tensor, ""]:
        """The criterion, summed over every forecast value."""
        return _CRITERIA[self.criterion](outputs.float(), batch.targets, reduction="sum")

    def count(self, batch: Batch) -> int:
        """The number of forecast values in the batch."""
        return batch.targets.numel()

    def metrics(self) -> "MetricCollection":
        """Mean squared error and mean absolute error over all forecast values."""
        # Imported where it is used: torchmetrics takes a second to load.
        from torchmetrics import MeanAbsoluteError, MeanSquaredError, MetricCollection

        return MetricCollection({"mse": MeanSquaredError(), "mae": MeanAbsoluteError()})

    def score(
        self,
        metrics: "MetricCollection",
        outputs: Float[Tensor, "B U E"],
        batch: Batch,
        generated: Tensor | None = None,
    ) -> None:
        """Adds the forecasts of one batch."""
        metrics.update(outputs.float().flatten(), batch.targets.flatten())

    @abstractmethod
    def channels(self, example: int) -> list[tuple[str, int]]:
        """The channels that are forecast of an example: the name of each, and its place among those read."""

    def shown(self, sample: Sample, row: int, given: Given | None = None) -> Shown:
        """The end of each channel, what came after it, and what was forecast, as the model sees them."""
        batch, parts = sample.batch, []
        seen, truth, said = (
            self.rows(part[row : row + 1].float())[0].numpy() for part in (batch.inputs, batch.targets, sample.outputs)
        )
        first = max(0, len(seen) - SEEN * len(said))
        for place, (name, read) in enumerate(self.channels(int(batch.indices[row]))[:SHOWN]):
            lines = {"seen": (first - len(seen) + 1.0, seen[first:, read])}
            if given is None:
                lines["what came"] = (1.0, truth[:, place])
            lines["forecast"] = (1.0, said[:, place])
            level = ", from the last value seen" if self.subtract_last else ""
            parts.append(Curves(f"{name}{level}", lines, "rows from the last one seen"))
        return Shown(parts)

    def rows(self, steps: Float[Tensor, "B T E"]) -> Float[Tensor, "B S C"]:
        """Steps of segments as the rows that they are made of."""
        return steps.reshape(len(steps), steps.shape[1] * self.segment, -1)


class Windows(Examples):
    """Windows cut into what is seen and what is to be forecast, as the task's options say."""

    def __init__(self, task: Forecasting) -> None:
        self._lookback = task.lookback
        self._segment = task.segment
        self._subtract_last = task.subtract_last

    @abstractmethod
    def window(self, indices: NDArray[np.int64]) -> Float32[np.ndarray, "B S C"]:
        """The lookback + horizon rows of these examples, of which nobody else holds a copy."""

    def told(self, rows: Float32[np.ndarray, "B S C"]) -> Float32[np.ndarray, "B S O"]:
        """Of some rows, the channels that are to be forecast."""
        return rows

    def beside(self, indices: NDArray[np.int64]) -> Float32[np.ndarray, "B T K"] | None:
        """What is known of the rows seen besides their channels; None is nothing."""
        return None

    def last(self, indices: NDArray[np.int64]) -> Float[Tensor, "B 1 O"]:
        """What was subtracted from forecasts and is to be added back: the last values seen, or zeros."""
        row = torch.from_numpy(self.told(self.window(indices)[:, self._lookback - 1 : self._lookback]))
        return row if self._subtract_last else torch.zeros_like(row)

    def batch(self, indices: NDArray[np.int64], epoch: int) -> Batch:
        """The windows of these indices, in segments."""
        # In NumPy, whose calls on so little data cost half of torch's: a step of a small model is soon over.
        window = self.window(indices)
        if self._subtract_last:
            window = window - window[:, self._lookback - 1 : self._lookback]
        past, future = window[:, : self._lookback], self.told(window[:, self._lookback :])
        beside = self.beside(indices)
        if beside is not None:
            past = np.concatenate([past, beside], -1)
        size, steps = len(indices), self._lookback // self._segment
        return Batch(
            torch.from_numpy(past.reshape(size, steps, -1)),
            torch.from_numpy(np.full(size, steps)),
            torch.from_numpy(future.reshape(size, future.shape[1] // self._segment, -1)),
            torch.from_numpy(indices),
        )
