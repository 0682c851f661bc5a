"""Windows of one long series as views of it: nothing is copied but the rows of a batch."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from torch import Tensor

from seqtrain.errors import CheckpointError
from seqtrain.tasks.series.csv_files import Series
from seqtrain.tasks.series.dates import Spacing
from seqtrain.tasks.series.forecasting import Forecasting, Windows

SCALER = "scaler.json"

PART = 1 << 16
"""Rows that are summed up at a time."""


@dataclass(frozen=True, eq=False)
class Scaler:
    """What the training rows settle: which channels there are, and how each is standardised.

    Attributes:
        columns: Channels that are read.
        told: Which of them are forecast.
        mean: Of each channel over the training rows.
        std: Likewise, above 0: the root of the mean squared distance from the mean.
        spacing: When rows were taken, where the calendar is read.
    """

    columns: tuple[str, ...]
    told: tuple[int, ...]
    mean: Float32[np.ndarray, " C"]
    std: Float32[np.ndarray, " C"]
    spacing: Spacing | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain content that `from_json` takes back."""
        return {
            "columns": list(self.columns),
            "told": list(self.told),
            "mean": self.mean.tolist(),
            "std": self.std.tolist(),
            "spacing": None if self.spacing is None else self.spacing.to_json(),
        }

    @staticmethod
    def from_json(content: Any) -> "Scaler":
        """What `to_json` gave.

        Raises:
            CheckpointError: If it is something else.
        """
        try:
            columns, told = tuple(map(str, content["columns"])), tuple(map(int, content["told"]))
            mean, std = (np.array(content[name], np.float32) for name in ("mean", "std"))
            spacing = None if content["spacing"] is None else Spacing.from_json(content["spacing"])
        except (KeyError, TypeError, ValueError):
            raise CheckpointError(f"{SCALER}: should hold columns, told, mean, std and spacing") from None
        if mean.shape != (len(columns),) or std.shape != mean.shape or not set(told) <= set(range(len(columns))):
            raise CheckpointError(f"{SCALER}: should hold one mean and one std for each column")
        return Scaler(columns, told, mean, std, spacing)


def moments(values: Float32[np.ndarray, "N C"]) -> tuple[Float32[np.ndarray, " C"], Float32[np.ndarray, " C"]]:
    """Mean and standard deviation of each column, in a little memory; the deviation is divided by N, not N - 1."""
    parts = [values[start : start + PART] for start in range(0, len(values), PART)]  # views
    mean = sum(part.sum(0, dtype=np.float64) for part in parts) / len(values)
    squares = sum(np.square(part - mean).sum(0) for part in parts)
    # A constant differs from its own mean by what rounding took.
    varies = np.any([(part != values[0]).any(0) for part in parts], axis=0)
    std = np.where(varies, np.sqrt(squares / len(values)), 0)
    return mean.astype(np.float32), std.astype(np.float32)


class Shown(NamedTuple):
    """One channel of one window: the example that it is part of, its place there and among all channels."""

    example: int
    place: int
    channel: int


class SeriesWindows(Windows):
    """Every window of a part of a series, standardised.

    If channels are independent, example i is channel i % O of window i // O, for O channels that are forecast.

    Args:
        task: How windows are cut.
        series: The whole of it.
        scaler: Of its training rows.
        part: Rows that are forecast; the first windows look back before them where there are rows.
        independent: Whether each channel is an example of its own.
        stride: Rows from the beginning of a window to that of the next.
    """

    def __init__(
        self, task: Forecasting, series: Series, scaler: Scaler, part: range, *, independent: bool, stride: int
    ) -> None:
        super().__init__(task)
        self._start = max(0, part.start - task.lookback)
        self._values = series.values[self._start : part.stop]  # (N, C)
        self._windows = sliding_window_view(self._values, task.lookback + task.horizon, axis=0)[::stride]  # (W, C, S)
        self._stride = stride
        self._independent = independent
        self._told = np.array(scaler.told)
        self._all_told = scaler.told == tuple(range(len(scaler.columns)))
        self._mean, self._std = scaler.mean, scaler.std
        self._spacing = scaler.spacing

    def __len__(self) -> int:
        return len(self._windows) * (len(self._told) if self._independent else 1)

    def window(self, indices: NDArray[np.int64]) -> Float32[np.ndarray, "B S C"]:
        """The rows of these windows, or one channel of each."""
        if not self._independent:
            rows = np.ascontiguousarray(self._windows[indices].transpose(0, 2, 1))
            rows -= self._mean
            rows /= self._std
            return rows
        windows, channels = self._places(indices)
        row = self._windows[windows, channels]  # (B, S)
        row -= self._mean.take(channels)[:, None]
        row /= self._std.take(channels)[:, None]
        return row[:, :, None]

    def told(self, rows: Float32[np.ndarray, "B S C"]) -> Float32[np.ndarray, "B S O"]:
        """Of some rows, the channels that are to be forecast."""
        return rows if self._independent or self._all_told else rows[..., self._told]

    def beside(self, indices: NDArray[np.int64]) -> Float32[np.ndarray, "B T K"] | None:
        """Where in the day, the week and the year each row seen stands, if the calendar is read."""
        if self._spacing is None:
            return None
        return self._spacing.phases(self.first_row(indices)[:, None] + np.arange(self._lookback))

    def first_row(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """The rows of the series at which these windows begin."""
        return self._start + self._stride * (indices // len(self._told) if self._independent else indices)

    def scale(self, indices: NDArray[np.int64]) -> Float[Tensor, "B 1 O"]:
        """The standard deviation of what is forecast."""
        return self._of_told(self._std, indices)

    def level(self, indices: NDArray[np.int64]) -> Float[Tensor, "B 1 O"]:
        """The mean of what is forecast."""
        return self._of_told(self._mean, indices)

    def standardised(self) -> Float[Tensor, "N O"]:
        """All rows of the channels that are forecast."""
        return torch.from_numpy((self._values[:, self._told] - self._mean[self._told]) / self._std[self._told])

    def spread(self, count: int) -> list[Shown]:
        """So many windows from all over, each with another channel as far as there are."""
        channels = len(self._told)
        shown = []
        for turn, window in enumerate(np.unique(np.linspace(0, len(self._windows) - 1, count).astype(int)).tolist()):
            place = turn % channels
            example, inside = (window * channels + place, 0) if self._independent else (window, place)
            shown.append(Shown(example, inside, int(self._told[place])))
        return shown

    def _places(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        windows, places = np.divmod(indices, len(self._told))
        return windows, places if self._all_told else self._told[places]

    def _of_told(self, moment: Float32[np.ndarray, " C"], indices: NDArray[np.int64]) -> Float[Tensor, "B 1 O"]:
        if self._independent:
            return torch.from_numpy(moment[self._places(indices)[1]][:, None, None])
        return torch.from_numpy(moment[self._told]).expand(len(indices), 1, -1)


def naive_forecasts(
    values: Float[Tensor, "N O"], lookback: int, horizon: int, season: int
) -> Iterator[tuple[Float[Tensor, "W O"], Float[Tensor, "W O"]]]:
    """For each step ahead, what repeating the last season seen says of all windows, and the truth.

    Args:
        values: Rows, of which all windows of lookback + horizon are taken.
        lookback: Rows seen.
        horizon: Steps ahead.
        season: Rows that are repeated; 1 repeats the last row.
    """
    count = len(values) - lookback - horizon + 1
    for step in range(horizon):
        seen, ahead = lookback - season + step % season, lookback + step
        yield values[seen : seen + count], values[ahead : ahead + count]
