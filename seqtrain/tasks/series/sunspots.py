"""Monthly sunspot numbers, 1749 to 1983."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from seqtrain.data import obtain
from seqtrain.tasks.series.csv_files import Series, read_series
from seqtrain.tasks.series.csv_forecasting import CsvForecasting, Units
from seqtrain.tasks.series.series import chronological
from seqtrain.tasks.task import Split


@dataclass(eq=False, kw_only=True)
class Sunspots(CsvForecasting):
    """The mean number of sunspots of each month: the first 80% to train, a tenth to validate, the last to test.

    Attributes:
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

    real_data: ClassVar[str | None] = "sunspots"
    metric: ClassVar[str] = "rmse"

    lookback: int = 132
    segment: int = 12
    subtract_last: bool = True
    units: Units = "file"

    @property
    def dates(self) -> str:
        """As the file has it."""
        return "Month"

    def read(self, data_dir: Path) -> Series:
        """Reads data_dir/sunspots/monthly-sunspots.csv, which is downloaded if it isn't there."""
        return read_series(obtain("sunspots", data_dir) / "monthly-sunspots.csv", ["Sunspots"], self.dates)

    def splits(self, series: Series) -> dict[Split, range]:
        """One after another in time."""
        return chronological(len(series.values), val=0.1, test=0.1)
