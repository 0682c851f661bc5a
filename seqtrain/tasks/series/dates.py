"""Dates of a time series: evenly spaced in time or in the calendar, and what they tell of a day, a week, a year."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from jaxtyping import Float, Int, Shaped

from seqtrain.errors import DataError

Dates = Shaped[np.ndarray, "*N"]
"""Of the type datetime64[us]."""

MICROSECONDS = 1_000_000
PERIODS = {"day": 86_400 * MICROSECONDS, "week": 7 * 86_400 * MICROSECONDS, "year": 31_556_952 * MICROSECONDS}
"""Lengths in microseconds; the year is the Gregorian calendar's mean."""
MONDAY = np.datetime64("1970-01-05", "us")
"""A Monday at midnight, from which days and weeks are counted."""

_DATE = re.compile(r"\d{4}(-\d\d(-\d\d([ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?)?)?Z?")


@final
@dataclass(frozen=True)
class Spacing:
    """When each row was taken: the first date, and from row to row so many microseconds or so many months.

    Attributes:
        first: Date of row 0.
        step: Microseconds from a row to the next; 0 where they are months apart.
        months: Calendar months from a row to the next; 0 where they are a fixed time apart.
    """

    first: np.datetime64
    step: int
    months: int = 0

    def periods(self) -> tuple[str, ...]:
        """Of day, week and year those that hold at least two rows."""
        apart = self.step or self.months * PERIODS["year"] // 12
        return tuple(name for name, length in PERIODS.items() if length >= 2 * apart)

    def phases(self, rows: Int[np.ndarray, "*N"]) -> Float[np.ndarray, "*N K"]:
        """Sine and cosine of the place of each row in each of `periods`, K / 2 of them."""
        dates = self._dates(rows)
        features = []
        for name in self.periods():
            begin = dates.astype("datetime64[Y]").astype("datetime64[us]") if name == "year" else MONDAY
            angles = (dates - begin).astype(np.int64) % PERIODS[name] * (2 * np.pi / PERIODS[name])
            features += [np.sin(angles), np.cos(angles)]
        return np.stack(features, -1).astype(np.float32)

    def even_with(self, other: "Spacing") -> bool:
        """Whether the rows of another are as far apart."""
        return (self.step, self.months) == (other.step, other.months)

    def beginning(self, row: int) -> "Spacing":
        """The same from another row on, which becomes row 0."""
        (first,) = self._dates(np.array([row]))
        return Spacing(first, self.step, self.months)

    def shown(self, row: int) -> str:
        """The date of a row, to read."""
        (date,) = self._dates(np.array([row]))
        shown = _shown(date)
        of_days = self.step <= 1 or self.step % PERIODS["day"] == 0  # 1: of a single row nothing is known
        return shown if of_days or " " in shown else f"{shown} 00:00:00"  # as its neighbours of other hours

    def _dates(self, rows: Int[np.ndarray, "*N"]) -> Dates:
        unit, step = ("M", self.months) if self.months else ("us", self.step)
        dates: Dates = np.asarray(self.first, f"datetime64[{unit}]") + (step * rows).astype(f"timedelta64[{unit}]")
        return dates.astype("datetime64[us]")

    def to_json(self) -> dict[str, Any]:
        """Plain content that `from_json` takes back."""
        return {"first": str(self.first), "step": self.step, "months": self.months}

    @staticmethod
    def from_json(content: dict[str, Any]) -> "Spacing":
        """What `to_json` gave."""
        return Spacing(np.datetime64(content["first"], "us"), content["step"], content["months"])


class EvenDates:
    """Checks, a part of the rows at a time, that dates lie in order and evenly spaced.

    Months and years aren't equally long, so that dates may be evenly spaced in the calendar instead.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._first: np.datetime64 | None = None
        self._last: np.datetime64 | None = None
        self._steps: dict[str, int | None] = {"us": None, "M": None}  # of time, and of the calendar
        self._broken: dict[str, tuple[int, str]] = {}  # on which line a kind of step first fails, and a message

    def add(self, texts: Sequence[str], lines: Sequence[int]) -> None:
        """Takes the next rows' dates, which stand on these lines.

        Raises:
            DataError: If one is no date, is not after the one before it, or not as long after it as the others are.
        """
        dates = self._read(texts, lines)
        if self._last is None:
            self._first = dates[0]
        else:
            dates = np.concatenate([[self._last], dates])
        offset = len(dates) - len(texts)
        self._last = dates[-1]
        (back,) = np.nonzero(np.diff(dates).astype(np.int64) <= 0)
        if len(back):
            row = back[0]
            raise DataError(
                f"{self._path}, line {lines[row + 1 - offset]}: {_shown(dates[row + 1])} is not after "
                f"{_shown(dates[row])}, the date before it; sort the file by date, with one row for each"
            )
        for unit in [unit for unit in self._steps if unit not in self._broken]:
            steps = np.diff(dates.astype(f"datetime64[{unit}]")).astype(np.int64)
            if len(steps) and self._steps[unit] is None:
                self._steps[unit] = int(steps[0])
            (odd,) = np.nonzero((steps != self._steps[unit]) | (steps == 0))
            if len(odd):
                row = odd[0]
                line = lines[row + 1 - offset]
                self._broken[unit] = (
                    line,
                    (
                        f"{self._path}, line {line}: {_shown(dates[row + 1])} comes "
                        f"{_span(dates[row + 1] - dates[row])} after the date before it, where the first two are "
                        f"{_span(np.timedelta64(self._steps['us'] or 0, 'us'))} apart; fill the gap, or say "
                        f"task.date_column=null to take the rows as evenly spaced"
                    ),
                )
        if len(self._broken) == len(self._steps):
            # The kind of step that held for longer is the one that was meant.
            raise DataError(max(self._broken.values())[1])

    def spacing(self) -> Spacing:
        """What all the dates have in common; at least one has been added."""
        assert self._first is not None
        if "M" not in self._broken and self._steps["M"]:
            return Spacing(self._first, step=0, months=self._steps["M"])
        return Spacing(self._first, step=self._steps["us"] or 1)

    def _read(self, texts: Sequence[str], lines: Sequence[int]) -> Dates:
        for line, text in zip(lines, texts, strict=True):
            if not is_date(text):
                raise DataError(f"{self._path}, line {line}: {_not_a_date(text)}")
        stripped = [text.removesuffix("Z") for text in texts]
        try:
            return np.array(stripped, dtype="datetime64[us]")
        except ValueError:
            for line, text in zip(lines, stripped, strict=True):
                try:
                    np.datetime64(text, "us")
                except ValueError:
                    raise DataError(f"{self._path}, line {line}: {_not_a_date(text)}") from None
            raise


def is_date(text: str) -> bool:
    """Whether a text is written as a date; it may still name a day that isn't there."""
    return _DATE.fullmatch(text) is not None


def _not_a_date(text: str) -> str:
    return (
        f"{text!r} is no date like 2016-07-01, 2016-07 or 2016-07-01 13:00:00; write the dates so, or say "
        f"task.date_column=null to pass them over"
    )


def _shown(date: np.datetime64) -> str:
    return str(date.astype("datetime64[us]").item()).removesuffix(" 00:00:00")


def _span(span: np.timedelta64) -> str:
    """A span as "1:00:00" or "3 days, 0:30:00"."""
    return str(span.astype("timedelta64[us]").item()).removesuffix(", 0:00:00")
