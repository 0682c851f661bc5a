"""Time series in CSV files: one row for each time, one column for each channel, in UTF-8 under a line of names.

Files are read a few thousand rows at a time into a memory-mapped file of 32-bit numbers, so that one of gigabytes
takes no more memory than a small one; that of a large one is kept in the cache.
"""

import csv
import json
import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from jaxtyping import Float32

from seqtrain.data import cached, fingerprint
from seqtrain.errors import DataError
from seqtrain.tasks.series.dates import EvenDates, Spacing, is_date

Row = tuple[int, list[str]]
"""The fields of one row, with the number of the line on which it begins, from 1."""

SEPARATORS = (",", ";", "\t")
LARGEST = float(np.finfo(np.float32).max)
PART = 8192
"""Rows that are held as text at a time."""
CACHED_FROM_BYTES = 1 << 24
"""A smaller file is read faster than it is looked up in the cache."""
VALUES, OUTLINE = "values.f32", "outline.json"
"""What an entry of the cache holds."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
MISSING = ("", "nan", "na", "n/a", "null", "none", "-", "?")


@dataclass(frozen=True)
class Series:
    """Channels over time.

    Attributes:
        values: At least one row; all finite.
        columns: The name of each channel.
        spacing: When the rows were taken; None if no column of dates was named.
        path: Where they were read.
    """

    values: Float32[np.ndarray, "N C"]
    columns: tuple[str, ...]
    spacing: Spacing | None
    path: Path


def read_series(path: Path, columns: Sequence[str] | None = None, date_column: str | None = None) -> Series:
    """Reads the channels of a file; blank lines are passed over.

    Args:
        path: Its separator is the comma, semicolon or tab, whichever splits the line of names into the most.
        columns: Which to read, in this order; None reads all whose first field isn't a text.
        date_column: Whose dates are checked to be in order and evenly spaced; None reads no dates.

    Raises:
        DataError: If the file is missing, empty or malformed, or a column isn't there or holds anything but
            numbers; names the file, the line and the column.
    """
    if path.is_file() and path.stat().st_size >= CACHED_FROM_BYTES:
        key = {"content": fingerprint(path), "columns": columns and list(columns), "dates": date_column, "format": 1}
        folder = cached("series", key, lambda new: _build(path, columns, date_column, new))
        outline = _Outline(**json.loads((folder / OUTLINE).read_text()))
        with (folder / VALUES).open("rb") as store:
            return outline.series(store, path)
    # The file has no name and is gone with the last array on it, however the process ends.
    with tempfile.TemporaryFile() as store:
        return _parse(path, columns, date_column, store).series(store, path)


@dataclass(frozen=True)
class _Outline:
    """What is known of a series besides its values, in plain content."""

    rows: int
    columns: Sequence[str]
    spacing: dict[str, Any] | None

    def series(self, store: IO[bytes], path: Path) -> Series:
        # Copy on write, since torch wants arrays that may be written.
        values = np.memmap(store, np.float32, mode="c", shape=(self.rows, len(self.columns)))
        spacing = None if self.spacing is None else Spacing.from_json(self.spacing)
        return Series(values, tuple(self.columns), spacing, path)


def _build(path: Path, columns: Sequence[str] | None, date_column: str | None, folder: Path) -> None:
    """Puts what a file holds into an empty folder of the cache."""
    with (folder / VALUES).open("wb") as store:
        outline = _parse(path, columns, date_column, store)
    (folder / OUTLINE).write_text(json.dumps(asdict(outline)))


def _parse(path: Path, columns: Sequence[str] | None, date_column: str | None, store: IO[bytes]) -> _Outline:
    """Writes the values of a file row by row; tells the rest."""
    rows = _rows(path)
    header_line, header = next(rows, (1, []))
    names = [name.strip() for name in header]
    first = next(rows, None)
    _check_header(path, header_line, names, first)
    assert first is not None
    places = _places(path, header_line, names, columns, date_column, first)
    dates = None if date_column is None else EvenDates(path)
    date_place = -1 if date_column is None else names.index(date_column)
    count = 0
    for lines, part in _parts(path, first, rows, len(names)):
        store.write(_numbers(path, lines, part, places, names).tobytes())
        if dates is not None:
            dates.add([fields[date_place].strip() for fields in part], lines)
        count += len(part)
    store.flush()
    spacing = None if dates is None else dates.spacing().to_json()
    return _Outline(count, [names[place] for place in places], spacing)


def _lines(path: Path) -> Iterator[str]:
    """The lines of a file with their ends, without a byte order mark."""
    try:
        with path.open("rb") as file:
            position = 0
            for number, line in enumerate(file, 1):
                text = line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line
                try:
                    yield text.decode()
                except UnicodeDecodeError as error:
                    position += len(line) - len(text) + error.start
                    value = text[error.start]
                    raise DataError(
                        f"{path}, line {number}: not UTF-8: byte 0x{value:02x} at position {position}; "
                        f"save the file as UTF-8"
                    ) from None
                position += len(line)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None


def _rows(path: Path) -> Iterator[Row]:
    head = next((line for line in _lines(path) if line.strip()), "")
    begins = 1
    try:
        separator = max(SEPARATORS, key=lambda sign: len(next(csv.reader([head], delimiter=sign), [])))
        reader = csv.reader(_lines(path), delimiter=separator, strict=True)
        for fields in reader:
            if any(fields):
                yield begins, fields
            begins = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}, line {begins}: {str(error).partition(' - ')[0]}") from None


def _parts(path: Path, first: Row, rows: Iterator[Row], width: int) -> Iterator[tuple[list[int], list[list[str]]]]:
    """The rows a part at a time, after a check that all are as long as the header."""
    lines, part = [first[0]], [first[1]]
    for line, fields in rows:
        if len(fields) != width:
            raise DataError(f"{path}, line {line}: has {len(fields)} fields, where the header has {width}")
        lines.append(line)
        part.append(fields)
        if len(part) == PART:
            yield lines, part
            lines, part = [], []
    if part:
        yield lines, part


def _check_header(path: Path, line: int, names: list[str], first: Row | None) -> None:
    if not names:
        raise DataError(f"{path}: is empty")
    if all(_is_number(name) or is_date(name) for name in names):
        raise DataError(f"{path}, line {line}: holds numbers where a line of column names is expected; add one")
    if first is None:
        raise DataError(f"{path}: holds a line of names and no values")
    if len(first[1]) != len(names):
        raise DataError(f"{path}, line {first[0]}: has {len(first[1])} fields, where the header has {len(names)}")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{path}, line {line}: two columns are named {twice[0]!r}; give each a name of its own")


def _places(
    path: Path, line: int, names: list[str], columns: Sequence[str] | None, date_column: str | None, first: Row
) -> list[int]:
    """Where the wanted columns stand in a row."""
    for name in [*(columns or ()), *([] if date_column is None else [date_column])]:
        if name not in names:
            raise DataError(f"{path}, line {line}: no column {name!r} among {', '.join(map(repr, names))}")
    if columns is not None:
        return [names.index(name) for name in columns]
    fields = dict(zip(names, first[1], strict=True))
    wanted = [
        place
        for place, name in enumerate(names)
        if name != date_column and (_is_number(fields[name]) or fields[name].strip().lower() in MISSING)
    ]
    if not wanted:
        raise DataError(f"{path}, line {first[0]}: no column holds a number")
    return wanted


def _numbers(
    path: Path, lines: list[int], part: list[list[str]], places: list[int], names: list[str]
) -> Float32[np.ndarray, "N C"]:
    """The wanted fields of some rows."""
    try:
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and is told below
            numbers = np.array([[fields[place] for place in places] for fields in part], np.float64).astype(np.float32)
    except ValueError:
        numbers = np.full((1, 1), np.nan, np.float32)
    if np.isfinite(numbers).all():
        return numbers
    for line, fields in zip(lines, part, strict=True):
        for place in places:
            _refuse(f"{path}, line {line}, column {names[place]!r}", fields[place].strip())
    raise AssertionError("no field of a part that numpy refuses is to blame")


def _refuse(place: str, field: str) -> None:
    """Raises DataError if a field holds no finite number that 32 bits can hold, and says what to do about it."""
    if field.lower() in MISSING:
        what = "nothing" if not field else repr(field)
        raise DataError(f"{place}: {what} where a number is expected; fill gaps before training")
    if not _is_number(field):
        comma = "; write 1.5, not 1,5" if _is_number(field.replace(",", ".")) else ""
        raise DataError(f"{place}: {field!r} is no number{comma}; task.columns says which columns to read")
    if not math.isfinite(float(field)) or abs(float(field)) > LARGEST:
        raise DataError(f"{place}: {field} is not finite in 32 bits")


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return field.strip().lower() != "nan"
