"""Forecasting sums of sine waves under noise."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from seqtrain import limits
from seqtrain.batch import Batch, Examples
from seqtrain.picture import Picture
from seqtrain.seeding import stream
from seqtrain.spec import Align, TaskSpec, Values
from seqtrain.tasks import drawing
from seqtrain.tasks.task import Sample, Split, Task

if TYPE_CHECKING:
    from torchmetrics import MetricCollection

PERIODS = (8.0, 64.0)
"""The shortest and the longest period of a wave, in steps."""
AMPLITUDES = (0.5, 1.0)

SHOWN = 4
"""Series in a picture."""


@dataclass(eq=False)
class Sine(Task):
    """Series of length lookback + horizon, of which the end is to be told from the beginning.

    Each series is a sum of waves whose periods (log-uniform in 8..64 steps), amplitudes (uniform in
    0.5..1) and phases are its own, so that they must be read off the steps that are seen.

    Attributes:
        lookback: Steps that are seen.
        horizon: Steps that are to be forecast.
        components: Waves in a series.
        noise: Standard deviation of the Gaussian noise on every step, seen or forecast. No forecast can
            be expected to have a mean squared error below its square.
        train_size: Series to train on.
        val_size: Series to validate on.
        test_size: Series to test on.
    """

    metric: ClassVar[str] = "mse"
    higher_is_better: ClassVar[bool] = False

    lookback: int = 64
    horizon: int = 16
    components: int = 3
    noise: float = 0.1
    train_size: int = 8000
    val_size: int = 1000
    test_size: int = 1000

    _seed: int | None = field(default=None, init=False, repr=False)
    _examples: "dict[Split, Windows]" = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        limits.at_least("task", 1, lookback=self.lookback, horizon=self.horizon, components=self.components)
        limits.at_least("task", 1, train_size=self.train_size, val_size=self.val_size, test_size=self.test_size)
        limits.at_least("task", 0, noise=self.noise)

    @property
    def outline(self) -> TaskSpec:
        """The whole spec: here the options alone tell every size."""
        return TaskSpec(Values((1,)), Values((1,)), Align.AHEAD, horizon=self.horizon, continues=True)

    @property
    def spec(self) -> TaskSpec:
        """The same as the outline."""
        return self.outline

    def prepare(self, data_dir: Path, seed: int) -> None:  # generated: no folder is read
        """Generates training and validation series from the seed."""
        self._seed = seed
        self._examples = {split: self._generated(split, seed) for split in (Split.TRAIN, Split.VAL)}

    def examples(self, split: Split) -> Examples:
        """The series of one split."""
        assert self._seed is not None, "prepare comes first"
        if split not in self._examples:
            self._examples[split] = self._generated(split, self._seed)
        return self._examples[split]

    def loss(self, outputs: Float[Tensor, "B U 1"], batch: Batch) -> Float[Tensor, ""]:
        """The squared error, summed over every forecast step."""
        return F.mse_loss(outputs.float(), batch.targets, reduction="sum")

    def count(self, batch: Batch) -> int:
        """The number of forecast steps in the batch."""
        return batch.targets.numel()

    def metrics(self) -> "MetricCollection":
        """Mean squared error and mean absolute error over all forecast steps."""
        # Imported where it is used: torchmetrics takes a second to load.
        from torchmetrics import MeanAbsoluteError, MeanSquaredError, MetricCollection

        return MetricCollection({"mse": MeanSquaredError(), "mae": MeanAbsoluteError()})

    def score(
        self,
        metrics: "MetricCollection",
        outputs: Float[Tensor, "B U 1"],
        batch: Batch,
        generated: Tensor | None = None,
    ) -> None:
        """Adds the forecasts of one batch."""
        metrics.update(outputs.float().flatten(), batch.targets.flatten())

    def baseline(self) -> dict[str, float]:
        """The errors on the validation series of a forecast that repeats the last value seen."""
        examples = self.examples(Split.VAL)
        batch = examples.batch(np.arange(len(examples)), epoch=0)
        metrics = self.metrics()
        self.score(metrics, batch.inputs[:, -1:].expand_as(batch.targets), batch)
        return {name: float(value) for name, value in metrics.compute().items()}

    def pictures(self, samples: Iterable[Sample]) -> Iterator[Picture]:
        """A few forecasts with what came."""
        sample = next(iter(samples))
        seen, truth, answers = (
            part[:SHOWN, :, 0].numpy() for part in (sample.batch.inputs, sample.batch.targets, sample.outputs)
        )
        yield Picture("forecasts", drawing.forecasts(seen, truth, answers))

    def _generated(self, split: Split, seed: int) -> "Windows":
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
        return Windows(series, self.lookback)


class Windows(Examples):
    """Series cut in two: the steps that are seen and those that are to be forecast."""

    def __init__(self, series: Float[np.ndarray, "N S"], lookback: int) -> None:
        self._series = torch.from_numpy(series).unsqueeze(-1)  # (N, S, 1)
        self._lookback = lookback

    def __len__(self) -> int:
        return len(self._series)

    def batch(self, indices: NDArray[np.int64], epoch: int) -> Batch:
        """The series of these indices."""
        chosen = torch.from_numpy(indices)
        series = self._series[chosen]
        lengths = torch.full((len(indices),), self._lookback)
        return Batch(series[:, : self._lookback], lengths, series[:, self._lookback :], chosen)


def waves(rng: np.random.Generator, size: int, steps: int, components: int, noise: float) -> Float[np.ndarray, "N S"]:
    """Sums of waves with noise, float32, one series a row."""
    times = np.arange(steps)
    series = noise * rng.standard_normal((size, steps))
    for _ in range(components):
        frequencies = np.exp(-rng.uniform(math.log(PERIODS[0]), math.log(PERIODS[1]), (size, 1)))
        phases = rng.random((size, 1))
        series += rng.uniform(*AMPLITUDES, (size, 1)) * np.sin(2 * np.pi * (frequencies * times + phases))
    return series.astype(np.float32)
