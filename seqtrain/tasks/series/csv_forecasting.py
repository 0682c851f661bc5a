"""Forecasting the channels of one long series: splits in time, standardised by the training rows."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from seqtrain import limits
from seqtrain.batch import Batch, Examples
from seqtrain.errors import ConfigError, DataError
from seqtrain.picture import Picture
from seqtrain.spec import UNREAD, TaskSpec
from seqtrain.tasks import given as new
from seqtrain.tasks.series import drawing
from seqtrain.tasks.series.ahead import (
    Ahead,
    drawn_ahead,
    ending,
    followed,
    forecast_of,
    read_new_series,
    rows_after,
    series_of,
)  # fmt: skip
from seqtrain.tasks.series.csv_files import Series, read_series
from seqtrain.tasks.series.forecasting import Forecasting
from seqtrain.tasks.series.windows import SCALER, Scaler, SeriesWindows, Shown, moments, naive_forecasts
from seqtrain.tasks.task import Sample, Split

if TYPE_CHECKING:
    from torchmetrics import MetricCollection

Units = Literal["standard", "file"]

SHOWN = 6
"""Windows in a picture."""
SEEN = 3
"""The horizons of rows before a forecast that a picture shows."""


@dataclass(eq=False, kw_only=True)
class CsvForecasting(Forecasting):
    """Every window of a series' train, validation and test rows.

    A validation or test window may look back into the rows before its split; what it forecasts is in the split.

    Attributes:
        channel_independent: Whether each channel of a window is an example of its own, of which a model sees
            nothing else, so that one small model serves them all.
        calendar: Whether a model is told, beside the channels of each row seen, where the row stands in the day,
            the week and the year: a sine and a cosine of each that rows are close enough to tell.
        target: The channel or channels to forecast; None is all that are read.
        season: Rows after which the series repeats itself. A forecast that repeats the last season then stands
            beside the trivial one that repeats the last row; the better is the one to beat.
        units: What rmse, mae and the pictures are told in: standard, as the model sees the values, or those of
            the file. mse is always of standardised values.
    """

    channel_independent: bool = False
    calendar: bool = False
    target: str | list[str] | None = None
    season: int | None = None
    units: Units = "standard"

    _series: Series | None = field(default=None, init=False, repr=False)
    _scaler: Scaler | None = field(default=None, init=False, repr=False)
    _examples: dict[Split, SeriesWindows] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        limits.at_least("task", 1, season=self.season)
        if self.season is not None and self.season > self.lookback:
            raise ConfigError(
                f"task.season={self.season}: task.lookback={self.lookback} rows hold no whole season to repeat"
            )

    # ---------------------------------------------------------------- what each such task says

    @abstractmethod
    def read(self, data_dir: Path) -> Series:
        """Reads the whole series.

        Raises:
            ConfigError: If options are missing.
            DataError: If a file is missing or malformed.
        """

    @abstractmethod
    def splits(self, series: Series) -> dict[Split, range]:
        """Which rows each split forecasts; training begins with the first.

        Raises:
            DataError: If there are too few.
        """

    @property
    @abstractmethod
    def dates(self) -> str | None:
        """The column of dates; None where rows have none."""

    def stride(self, split: Split) -> int:
        """Rows from the beginning of a window to that of the next."""
        return 1

    # ---------------------------------------------------------------- the task

    @property
    def outline(self) -> TaskSpec:
        """Forecasts of values; how many at a step, the data will tell unless options do."""
        alone = self.channel_independent and not self.calendar
        continues = not self.calendar and (self.channel_independent or self.target is None)
        return self.steps(1 if alone else UNREAD, 1 if alone else UNREAD, continues=continues)

    @property
    def spec(self) -> TaskSpec:
        """Forecasts of values; only after `prepare` or `restore`."""
        scaler = self.scaler
        beside = 0 if scaler.spacing is None else 2 * len(scaler.spacing.periods())
        if self.channel_independent:
            return self.steps(1 + beside, 1, continues=not beside)
        same = scaler.told == tuple(range(len(scaler.columns)))
        return self.steps(len(scaler.columns) + beside, len(scaler.told), continues=same and not beside)

    @property
    def scaler(self) -> Scaler:
        """What the training rows settle; only after `prepare` or `restore`."""
        assert self._scaler is not None, "prepare or restore comes first"
        return self._scaler

    def prepare(self, data_dir: Path, seed: int) -> None:
        """Reads the series, and standardises it by its training rows."""
        series = self.read(data_dir)
        if self.calendar and series.spacing is None:
            raise ConfigError("task.calendar=true: needs the dates of the rows; name their column by task.date_column")
        splits = self.splits(series)
        for split, part in splits.items():
            rows = len(part) if split is Split.TRAIN else len(part) + min(part.start, self.lookback)
            if rows < self.lookback + self.horizon:
                raise DataError(
                    f"{series.path}: of {len(series.values)} rows {len(part)} are to {_PURPOSE[split]}, too few for "
                    f"a window of task.lookback={self.lookback} and task.horizon={self.horizon}; make these smaller"
                )
        train = series.values[: splits[Split.TRAIN].stop]
        mean, std = moments(train)
        for name, spread in zip(series.columns, std.tolist(), strict=True):
            if spread == 0:
                raise DataError(
                    f"{series.path}: column {name!r} is the same number in all {len(train)} rows to train on; "
                    f"leave it out by task.columns"
                )
        self._series = series
        self._scaler = Scaler(series.columns, self._told(series), mean, std, series.spacing if self.calendar else None)
        self._examples = {}

    def examples(self, split: Split) -> Examples:
        """The windows of one split."""
        return self._windows(split)

    def metrics(self) -> "MetricCollection":
        """Errors over every window, row and channel."""
        # Imported where it is used: torchmetrics takes a second to load.
        from torchmetrics import MeanAbsoluteError, MeanSquaredError, Metric, MetricCollection

        metrics: dict[str, Metric | MetricCollection] = {
            "mse": MeanSquaredError(),
            "mae": MeanAbsoluteError(),
            "rmse": MeanSquaredError(squared=False),
        }
        # Grouped, they would share sums that may be of different units.
        return MetricCollection(metrics, compute_groups=False)

    def score(
        self,
        metrics: "MetricCollection",
        outputs: Float[Tensor, "B U E"],
        batch: Batch,
        generated: Tensor | None = None,
    ) -> None:
        """Adds the forecasts of one batch."""
        answers, truth = self.rows(outputs.float()), self.rows(batch.targets)
        self._add(metrics, answers, truth, self._scale(batch.indices).to(answers.device))

    def baseline(self) -> dict[str, float]:
        """The errors on all validation windows of a forecast that repeats the last row, or the last season."""
        values = self._windows(Split.VAL).standardised()
        scale = self._scale_of_told()
        found = []
        for season in {1, self.season or 1}:
            metrics = self.metrics()
            for answers, truth in naive_forecasts(values, self.lookback, self.horizon, season):
                self._add(metrics, answers, truth, scale)
            found.append({name: float(value) for name, value in metrics.compute().items()})
        return min(found, key=lambda errors: errors[self.metric])

    def channels(self, example: int) -> list[tuple[str, int]]:
        """Those of `target`; or the one that an example is of."""
        names = [(self.scaler.columns[place], place) for place in self.scaler.told]
        return [(names[example % len(names)][0], 0)] if self.channel_independent else names

    def pictures(self, samples: Iterable[Sample]) -> Iterator[Picture]:
        """Forecasts from all over the split with what came, and how errors grow with the distance."""
        windows = self._windows(Split.VAL)
        shown = {each.example: each for each in windows.spread(SHOWN)}
        drawn: list[drawing.Forecast] = []
        squares, count = torch.zeros(self.horizon, dtype=torch.float64), 0
        for sample in samples:
            answers = self.rows(sample.outputs)
            errors = (answers - self.rows(sample.batch.targets)) * self._scale(sample.batch.indices)
            squares += errors.double().square().sum((0, 2))
            count += errors.shape[0] * errors.shape[2]
            for place, index in enumerate(sample.batch.indices.tolist()):
                if index in shown:
                    drawn.append(self._drawn(windows, shown[index], answers[place]))
        yield Picture("forecasts", drawing.forecasts(drawn))
        curves = {"model": (squares / count).sqrt().numpy(), **self._naive_curves(windows)}
        yield Picture("error_by_step", drawing.errors_by_step(curves, _UNITS[self.units]))

    def assets(self) -> dict[str, Any]:
        """Channels and how they are standardised."""
        return {SCALER: self.scaler.to_json()}

    def restore(self, assets: dict[str, Any]) -> None:
        """Takes channels and scale back."""
        self._scaler = Scaler.from_json(assets.get(SCALER))

    # ---------------------------------------------------------------- new series

    def new_inputs(self, source: new.Source) -> Iterator[new.Given]:
        """A CSV file with the columns that were trained on."""
        return read_new_series(source, self.scaler.columns, self.dates)

    def new_examples(self, given: Sequence[new.Given]) -> Ahead:
        """The last rows of series, or of arrays (N, C); what comes after them is to be told."""
        windows = []
        for each in given:
            series = ending(each, series_of(each, self.scaler.columns), self.lookback, self.horizon)
            windows.append(self._cut(series, range(self.lookback, len(series.values)), each.place))
        return Ahead(windows)

    def records(self, given: Sequence[new.Given], samples: Iterable[Sample]) -> Iterator[dict[str, Any]]:
        """The rows that are forecast to follow each series, in its own units."""
        ahead = self.new_examples(given)

        def said(sample: Sample) -> Tensor:
            indices = sample.batch.indices
            rows = self.rows(sample.outputs) + ahead.last(indices.numpy())
            return rows * self._moment(self.scaler.std, indices) + self._moment(self.scaler.mean, indices)

        names = [self.scaler.columns[place] for place in self.scaler.told]
        for each, values in zip(given, forecast_of(samples, said, len(given)), strict=True):
            yield {**each.told, "forecast": rows_after(series_of(each, self.scaler.columns), names, values)}

    def own_inputs(self, data_dir: Path, seed: int) -> Iterator[new.Given]:
        """The series itself, to its end."""
        series = self.read(data_dir)
        yield new.Given(series, str(series.path))

    def drawn(self, given: new.Given, record: dict[str, Any]) -> Picture:
        """The end of each channel and its forecast."""
        return drawn_ahead(series_of(given, self.scaler.columns), record["forecast"])

    def continued(self, given: new.Given, record: dict[str, Any]) -> new.Given:
        """The series and its forecast, where every channel was forecast."""
        if set(self.scaler.told) != set(range(len(self.scaler.columns))):
            raise DataError(
                f"{given.place}: can be forecast for task.horizon={self.horizon} rows and no more, as not all channels "
                "that are read are forecast"
            )
        return followed(given, series_of(given, self.scaler.columns), record["forecast"])

    def file_examples(self, paths: Sequence[Path]) -> SeriesWindows:
        """Every window of a CSV file."""
        path = new.single(paths)
        series = read_series(path, self.scaler.columns, self.dates)
        if len(series.values) < self.lookback + self.horizon:
            raise DataError(
                f"{path}: {len(series.values)} rows, where a window has task.lookback={self.lookback} and "
                f"task.horizon={self.horizon}"
            )
        return self._cut(series, range(self.lookback, len(series.values)), str(path))

    # ---------------------------------------------------------------- small things

    def _cut(self, series: Series, part: range, place: str) -> SeriesWindows:
        """The windows of a series that wasn't trained on, standardised as that was; its dates are its own."""
        spacing = self.scaler.spacing
        if spacing is not None:
            if series.spacing is None:
                raise DataError(f"{place}: has no dates, which task.calendar=true reads")
            if not spacing.even_with(series.spacing):
                raise DataError(f"{place}: rows are not as far apart as in training, which task.calendar=true needs")
        scaler = replace(self.scaler, spacing=None if spacing is None else series.spacing)
        return SeriesWindows(self, series, scaler, part, independent=self.channel_independent, stride=1)

    def _moment(self, moment: Float[np.ndarray, " C"], indices: Tensor) -> Float[Tensor, "B 1 O"]:
        """Mean or standard deviation of what is forecast in these examples of any split."""
        told = torch.from_numpy(moment)[list(self.scaler.told)]
        if self.channel_independent:
            return told[indices % len(told)][:, None, None]
        return told.expand(len(indices), 1, -1)

    def _windows(self, split: Split) -> SeriesWindows:
        assert self._series is not None, "prepare comes first"
        if split not in self._examples:
            part = self.splits(self._series)[split]
            self._examples[split] = SeriesWindows(
                self,
                self._series,
                self.scaler,
                part,
                independent=self.channel_independent,
                stride=self.stride(split),
            )
        return self._examples[split]

    def _told(self, series: Series) -> tuple[int, ...]:
        """The places of the channels to forecast among those read."""
        if self.target is None:
            return tuple(range(len(series.columns)))
        targets = [self.target] if isinstance(self.target, str) else self.target
        if not targets:
            raise ConfigError("task.target=[]: names no channel; null forecasts all")
        for name in targets:
            if name not in series.columns or targets.count(name) > 1:
                problem = "is named twice" if name in series.columns else "is no channel"
                raise ConfigError(
                    f"task.target={name}: {problem}; {series.path} gives {', '.join(map(repr, series.columns))}"
                )
        return tuple(series.columns.index(name) for name in targets)

    def _scale(self, indices: Tensor) -> Float[Tensor, "B 1 O"]:
        """What brings the errors of these examples of any split into `units`."""
        if self.units == "standard":
            return torch.ones(1, 1, 1).expand(len(indices), 1, 1)
        return self._moment(self.scaler.std, indices)

    def _scale_of_told(self) -> Float[Tensor, " O"]:
        """What brings the errors of each channel into `units`."""
        std = torch.from_numpy(self.scaler.std)[list(self.scaler.told)]
        return std if self.units == "file" else torch.ones_like(std)

    @staticmethod
    def _add(metrics: "MetricCollection", answers: Tensor, truth: Tensor, scale: Tensor) -> None:
        metrics["mse"].update(answers.flatten(), truth.flatten())
        for name in ("mae", "rmse"):
            metrics[name].update((answers * scale).flatten(), (truth * scale).flatten())

    def _drawn(self, windows: SeriesWindows, shown: Shown, answer: Float[Tensor, "U O"]) -> drawing.Forecast:
        """One channel of one window, with what a model said of it."""
        assert self._series is not None
        example, place, channel = shown
        index = np.array([example])
        rows = torch.from_numpy(windows.told(windows.window(index)))  # (1, S, O)
        said = answer + windows.last(index)  # (1, U, O)
        if self.units == "file":
            rows, said = (part * windows.scale(index) + windows.level(index) for part in (rows, said))
        values, forecast = rows[0, :, place].numpy(), said[0, :, place].numpy()
        first = int(windows.first_row(index)[0]) + self.lookback
        when = f"row {first + 1}" if self._series.spacing is None else self._series.spacing.shown(first)
        title = f"{self.scaler.columns[channel]}, from {when}"
        seen, truth = values[: self.lookback], values[self.lookback :]
        return drawing.Forecast(title, seen[-SEEN * self.horizon :], truth, forecast)

    def _naive_curves(self, windows: SeriesWindows) -> dict[str, Float[np.ndarray, " U"]]:
        """The errors by step of repeating the last row, and the last season if there is one."""
        curves = {}
        for name, season in {"the last row again": 1, "the last season again": self.season}.items():
            if season is not None:
                pairs = naive_forecasts(windows.standardised(), self.lookback, self.horizon, season)
                errors = [((said - truth) * self._scale_of_told()).square().mean().sqrt() for said, truth in pairs]
                curves[name] = torch.stack(errors).numpy()
        return curves


_UNITS: dict[Units, str] = {"standard": "standardised values", "file": "units of the file"}
_PURPOSE = {Split.TRAIN: "train on", Split.VAL: "validate on", Split.TEST: "test on"}
