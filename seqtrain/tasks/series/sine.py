"""Forecasting sums of sine waves under noise."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32
from numpy.typing import NDArray
from torch import Tensor

from seqtrain import limits
from seqtrain.batch import Examples
from seqtrain.picture import Picture
from seqtrain.seeding import stream
from seqtrain.spec import TaskSpec
from seqtrain.tasks import drawing
from seqtrain.tasks.given import Given, Source
from seqtrain.tasks.series.ahead import (
    Ahead,
    drawn_ahead,
    ending,
    followed,
    forecast_of,
    read_new_series,
    rows_after,
    series_of,
)
from seqtrain.tasks.series.forecasting import Forecasting, Windows
from seqtrain.tasks.task import Sample, Split, Splits

PERIODS = (8.0, 64.0)
"""The shortest and the longest period of a wave, in steps."""
AMPLITUDES = (0.5, 1.0)

CHANNEL = ("value",)
"""What the one channel is called where a file doesn't name it."""

SHOWN = 4
"""Series in a picture."""


@dataclass(eq=False)
class Sine(Forecasting):
    """Series of length lookback + horizon, of which the end is to be told from the beginning.

    Each series is a sum of waves whose periods (log-uniform in 8..64 steps), amplitudes (uniform in
    0.5..1) and phases are its own, so that they must be read off the steps that are seen.

    Attributes:
        lookback: See `Forecasting`, as for the next four.
        horizon: Likewise.
        segment: Likewise.
        subtract_last: Likewise.
        criterion: Likewise.
        components: Waves in a series.
        noise: Standard deviation of the Gaussian noise on every step, seen or forecast. No forecast can
            be expected to have a mean squared error below its square.
        train_size: Series to train on.
        val_size: Series to validate on.
        test_size: Series to test on.
    """

    lookback: int = 64
    horizon: int = 16
    components: int = 3
    noise: float = 0.1
    train_size: int = 8000
    val_size: int = 1000
    test_size: int = 1000

    _examples: "Splits[Waves]" = field(default_factory=Splits, init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        limits.at_least("task", 1, components=self.components)
        limits.at_least("task", 1, train_size=self.train_size, val_size=self.val_size, test_size=self.test_size)
        limits.at_least("task", 0, noise=self.noise)

    @property
    def outline(self) -> TaskSpec:
        """The whole spec: here the options alone tell every size."""
        return self.steps(1, 1, continues=True)

    @property
    def spec(self) -> TaskSpec:
        """The same as the outline."""
        return self.outline

    def prepare(self, data_dir: Path, seed: int) -> None:  # generated: no folder is read
        """Generates training and validation series from the seed."""
        self._examples = Splits(lambda split: self._generated(split, seed))
        for split in (Split.TRAIN, Split.VAL):
            self._examples[split] = self._generated(split, seed)

    def examples(self, split: Split) -> Examples:
        """The series of one split."""
        return self._examples[split]

    def baseline(self) -> dict[str, float]:
        """The errors on the validation series of a forecast that repeats the last value seen."""
        examples = self._examples[Split.VAL]
        series = examples.window(np.arange(len(examples)))
        errors = series[:, self.lookback :] - series[:, self.lookback - 1 : self.lookback]
        # Without torchmetrics, whose second of loading would come before the first step.
        return {"mse": float(np.square(errors).mean()), "mae": float(np.abs(errors).mean())}

    def channels(self, example: int) -> list[tuple[str, int]]:
        """The one that there is."""
        return [(CHANNEL[0], 0)]

    def pictures(self, samples: Iterable[Sample]) -> Iterator[Picture]:
        """A few forecasts with what came."""
        sample = next(iter(samples))
        indices = sample.batch.indices[:SHOWN].numpy()
        examples = self._examples[Split.VAL]
        series = examples.window(indices)[..., 0]
        answers = (self.rows(sample.outputs[:SHOWN]) + examples.last(indices))[..., 0].numpy()
        yield Picture("forecasts", drawing.forecasts(series[:, : self.lookback], series[:, self.lookback :], answers))

    def new_inputs(self, source: Source) -> Iterator[Given]:
        """A CSV file of one column."""
        return read_new_series(source, None, None)

    def new_examples(self, given: Sequence[Given]) -> Ahead:
        """The ends of series, or of arrays (N,)."""
        ends = [ending(each, series_of(each, CHANNEL), self.lookback, self.horizon).values[:, 0] for each in given]
        return Ahead([Waves(self, end[None]) for end in ends])

    def records(self, given: Sequence[Given], samples: Iterable[Sample]) -> Iterator[dict[str, Any]]:
        """The rows that are forecast to follow each series."""
        ahead = self.new_examples(given)

        def said(sample: Sample) -> Tensor:
            return self.rows(sample.outputs) + ahead.last(sample.batch.indices.numpy())

        for each, values in zip(given, forecast_of(samples, said, len(given)), strict=True):
            series = series_of(each, CHANNEL)
            yield {**each.told, "forecast": rows_after(series, series.columns, values)}

    def own_inputs(self, data_dir: Path, seed: int) -> Iterator[Given]:
        """The first series of the validation split, as far as it is seen."""
        self.prepare(data_dir, seed)
        yield Given(self._examples[Split.VAL].window(np.zeros(1, np.int64))[0, : self.lookback], "validation series 0")

    def drawn(self, given: Given, record: dict[str, Any]) -> Picture:
        """The end of the series and its forecast."""
        return drawn_ahead(series_of(given, CHANNEL), record["forecast"])

    def continued(self, given: Given, record: dict[str, Any]) -> Given:
        """The series and its forecast."""
        return followed(given, series_of(given, CHANNEL), record["forecast"])

    def _generated(self, split: Split, seed: int) -> "Waves":
        size = {
            Split.TRAIN: self.train_size,
            Split.VAL: self.val_size,
            Split.TEST: self.test_size,
        }[split]
        series = waves(
            stream(seed, f"sine/{split}"),
            size,
            self.lookback + self.horizon,
            self.components,
            self.noise,
        )
        return Waves(self, series)


class Waves(Windows):
    """Series, each a window of its own."""

    def __init__(self, task: Sine, series: Float[np.ndarray, "N S"]) -> None:
        super().__init__(task)
        self._series = series[:, :, None]  # (N, S, 1)

    def __len__(self) -> int:
        return len(self._series)

    def window(self, indices: NDArray[np.int64]) -> Float32[np.ndarray, "B S 1"]:
        """The series of these indices."""
        return self._series[indices]


def waves(rng: np.random.Generator, size: int, steps: int, components: int, noise: float) -> Float[np.ndarray, "N S"]:
    """Sums of waves with noise, float32, one series a row."""
    times = np.arange(steps)
    series = noise * rng.standard_normal((size, steps))
    for _ in range(components):
        frequencies = np.exp(-rng.uniform(math.log(PERIODS[0]), math.log(PERIODS[1]), (size, 1)))
        phases = rng.random((size, 1))
        series += rng.uniform(*AMPLITUDES, (size, 1)) * np.sin(2 * np.pi * (frequencies * times + phases))
    return series.astype(np.float32)
