"""New series: the window that ends with a series' last row, of which nothing is known that comes after it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32
from numpy.typing import NDArray
from torch import Tensor

from seqtrain.batch import Batch, Examples
from seqtrain.errors import DataError
from seqtrain.picture import Picture
from seqtrain.tasks.given import Given, Source
from seqtrain.tasks.series import drawing
from seqtrain.tasks.series.csv_files import Series, read_series
from seqtrain.tasks.series.forecasting import Windows
from seqtrain.tasks.task import Sample

SHOWN = 8
"""Channels in a picture."""
SEEN = 3
"""How many times as many rows as are forecast a picture shows before them."""

Rows = list[dict[str, Any]]
"""Forecast rows: their date or number, and the value of each channel."""


def read_new_series(source: Source, columns: Sequence[str] | None, date_column: str | None) -> Iterator[Given]:
    """The one series of a CSV file.

    Raises:
        DataError: As `read_series`.
    """
    with source.file() as path:
        yield Given(read_series(path, columns, date_column), str(source))


def series_of(given: Given, columns: Sequence[str]) -> Series:
    """What was given, a series or rows of numbers, as a series of these channels.

    Raises:
        DataError: If it is neither, or has other channels.
    """
    series = given.value
    if not isinstance(series, Series):
        try:
            values = np.asarray(series, np.float32)
        except (TypeError, ValueError):
            values = np.empty(0, np.float32)
        values = values[:, None] if values.ndim == 1 else values
        if values.ndim != 2 or not values.size or not np.isfinite(values).all():
            raise DataError(f"{given.place}: rows of numbers are expected, one number for each channel")
        series = Series(values, tuple(columns) if values.shape[1] == len(columns) else (), None, Path(given.place))
    if len(series.columns) != len(columns):
        raise DataError(
            f"{given.place}: {series.values.shape[1]} channels, where the model reads {', '.join(map(repr, columns))}"
        )
    return series


def ending(given: Given, series: Series, lookback: int, horizon: int) -> Series:
    """The last rows of a series, with rows behind them that mean nothing.

    Raises:
        DataError: If there are fewer rows than a model sees.
    """
    count = len(series.values)
    if count < lookback:
        raise DataError(f"{given.place}: {count} rows, where the model sees task.lookback={lookback}")
    seen = np.asarray(series.values[count - lookback :])
    values = np.concatenate([seen, seen[-1:].repeat(horizon, 0)])
    spacing = None if series.spacing is None else series.spacing.beginning(count - lookback)
    return replace(series, values=values, spacing=spacing)


def forecast_of(samples: Iterable[Sample], said: Callable[[Sample], Tensor], series: int) -> Iterator[NDArray[Any]]:
    """The forecasts (U, O) of some series, whose windows were answered in any order.

    Args:
        samples: Of `Ahead`.
        said: What a sample's outputs mean, (B, U, O), in the series' own units.
        series: How many there are.
    """
    forecasts: dict[int, NDArray[Any]] = {}
    for sample in samples:
        forecasts |= zip(sample.batch.indices.tolist(), said(sample).numpy(), strict=True)
    each = len(forecasts) // series
    for first in range(0, len(forecasts), each):
        yield np.concatenate([forecasts[first + place] for place in range(each)], 1)


def rows_after(series: Series, names: Sequence[str], values: Float32[np.ndarray, "U O"]) -> Rows:
    """Forecasts as records: each with the date, or the number from 1, of the row that it is of."""
    rows = []
    for number, row in enumerate(values, len(series.values)):
        when = {"row": number + 1} if series.spacing is None else {"date": series.spacing.shown(number)}
        # As short as tells it from its neighbours in 32 bits.
        rows.append({**when, **{name: float(str(value)) for name, value in zip(names, row, strict=True)}})
    return rows


def drawn_ahead(series: Series, forecast: Rows) -> Picture:
    """The end of a series' channels, each with its forecast behind it."""
    names = [name for name in forecast[0] if name in series.columns][:SHOWN]
    seen = min(len(series.values), SEEN * len(forecast))
    told = np.array([[row[name] for name in names] for row in forecast], np.float32)
    values = series.values[-seen:, [series.columns.index(name) for name in names]]
    return Picture("forecast", drawing.ahead(names, values.T, told.T))


def followed(given: Given, series: Series, forecast: Rows) -> Given:
    """A series and its forecast as one series, of the same channels."""
    told = np.array([[row[name] for name in series.columns] for row in forecast], np.float32)
    return replace(given, value=replace(series, values=np.concatenate([series.values, told])))


class Ahead(Examples):
    """The last windows of some series, side by side.

    Args:
        windows: Of each series, equally many.
    """

    def __init__(self, windows: Sequence[Windows]) -> None:
        self._windows = windows
        self._each = len(windows[0])

    def __len__(self) -> int:
        return len(self._windows) * self._each

    def batch(self, indices: NDArray[np.int64], epoch: int) -> Batch:
        """The windows of these indices; their targets mean nothing."""
        parts = [windows.batch(index, epoch) for windows, index in self._places(indices)]
        return Batch(
            torch.cat([part.inputs for part in parts]),
            torch.cat([part.lengths for part in parts]),
            torch.cat([part.targets for part in parts]),
            torch.from_numpy(indices),
        )

    def last(self, indices: NDArray[np.int64]) -> Float[Tensor, "B 1 O"]:
        """As of `Windows`."""
        return torch.cat([windows.last(index) for windows, index in self._places(indices)])

    def _places(self, indices: NDArray[np.int64]) -> list[tuple[Windows, NDArray[np.int64]]]:
        return [(self._windows[i // self._each], np.array([i % self._each])) for i in indices.tolist()]
