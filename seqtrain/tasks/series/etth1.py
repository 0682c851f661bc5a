"""ETTh1: the load and the oil temperature of an electricity transformer, hour by hour."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from seqtrain.data import obtain
from seqtrain.errors import DataError
from seqtrain.tasks.series.csv_files import Series, read_series
from seqtrain.tasks.series.csv_forecasting import CsvForecasting
from seqtrain.tasks.task import Split

COLUMNS = ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")
MONTH = 30 * 24
"""Rows of a month of 30 days."""


@dataclass(eq=False, kw_only=True)
class ETTh1(CsvForecasting):
    """ETTh1 as the literature splits it since Zhou et al. 2021: 12, 4 and 4 months of 30 days; the rest is unused.

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

    real_data: ClassVar[str | None] = "etth1"

    lookback: int = 96
    horizon: int = 96
    segment: int = 24
    subtract_last: bool = True
    channel_independent: bool = True
    season: int | None = 24

    @property
    def dates(self) -> str:
        """As the file has it."""
        return "date"

    def read(self, data_dir: Path) -> Series:
        """Reads data_dir/etth1/ETTh1.csv, which is downloaded if it isn't there."""
        return read_series(obtain("etth1", data_dir) / "ETTh1.csv", COLUMNS, self.dates)

    def splits(self, series: Series) -> dict[Split, range]:
        """Rows 0-8639, 8640-11519 and 11520-14399."""
        if len(series.values) < 20 * MONTH:
            raise DataError(f"{series.path}: {len(series.values)} rows, where the splits need {20 * MONTH}")
        return {
            Split.TRAIN: range(12 * MONTH),
            Split.VAL: range(12 * MONTH, 16 * MONTH),
            Split.TEST: range(16 * MONTH, 20 * MONTH),
        }
