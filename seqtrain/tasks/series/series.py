"""Forecasts of a time series of the user's own, from a CSV file."""

from dataclasses import dataclass
from pathlib import Path

from seqtrain import limits
from seqtrain.errors import ConfigError
from seqtrain.tasks.series.csv_files import Series, read_series
from seqtrain.tasks.series.csv_forecasting import CsvForecasting
from seqtrain.tasks.task import Split


@dataclass(eq=False)
class OwnSeries(CsvForecasting):
    """The rows of a file of one's own, split one after another in time.

    Attributes:
        path: The file; required.
        date_column: Column whose dates are checked to be in order and evenly spaced; None reads no dates.
        columns: Channels to read; None is every column that begins with a number.
        val_fraction: Share of the rows to validate on, after those to train on.
        test_fraction: Share of the rows to test on, the last.
        train_stride: Rows from the beginning of a training window to that of the next: on a long series, fewer
            windows that overlap less. Validation and test take every window.
        lookback: See `Forecasting`, as for the next four.
        horizon: Likewise.
        segment: Likewise.
        subtract_last: Likewise.
        criterion: Likewise.
        channel_independent: See `CsvForecasting`, as for the rest.
        calendar: Likewise.
        target: Likewise.
        season: Likewise.
        units: Likewise.
    """

    path: Path | None = None
    date_column: str | None = None
    columns: list[str] | None = None
    val_fraction: float = 0.1
    test_fraction: float = 0.1
    train_stride: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        limits.at_least("task", 1, train_stride=self.train_stride)
        limits.fraction("task", val_fraction=self.val_fraction, test_fraction=self.test_fraction)
        if self.val_fraction + self.test_fraction >= 1:
            raise ConfigError(
                f"task.val_fraction={self.val_fraction}: with task.test_fraction={self.test_fraction} "
                f"nothing is left to train on"
            )
        if self.columns is not None and (not self.columns or len(set(self.columns)) < len(self.columns)):
            raise ConfigError(f"task.columns={self.columns}: should name each channel once; null reads all")
        if self.channel_independent and self.columns is not None and self.target is not None:
            raise ConfigError(
                "task.columns: is all that task.target says with task.channel_independent, where a channel is "
                "forecast from itself alone; set one of them"
            )

    @property
    def dates(self) -> str | None:
        """As the option says."""
        return self.date_column

    def read(self, data_dir: Path) -> Series:
        """Reads the file, relative to the current folder."""
        if self.path is None:
            raise ConfigError("task.path=null: is required; say task.path=FILE.csv")
        return read_series(self.path, self.columns, self.dates)

    def splits(self, series: Series) -> dict[Split, range]:
        """One after another in time."""
        return chronological(len(series.values), self.val_fraction, self.test_fraction)

    def stride(self, split: Split) -> int:
        """As the option says, in training."""
        return self.train_stride if split is Split.TRAIN else 1


def chronological(rows: int, val: float, test: float) -> dict[Split, range]:
    """So many rows cut in three, in order; validation and test take these shares, rounded."""
    first, second = rows - round(rows * test) - round(rows * val), rows - round(rows * test)
    return {Split.TRAIN: range(first), Split.VAL: range(first, second), Split.TEST: range(second, rows)}
