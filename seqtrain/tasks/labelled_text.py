"""Files of labelled texts: TSV (no quoting), CSV (quoted as in RFC 4180) and JSON lines, in UTF-8."""

import csv
import difflib
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from seqtrain.data import WHAT_BAD_GZIPS_RAISE, decompress
from seqtrain.errors import ConfigError, DataError
from seqtrain.tasks.given import Given, Source

Row = tuple[int, list[str]]
"""The fields of one row, with the number of the line on which it begins, from 1."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Columns:
    """Which fields of a row hold the text and its label.

    Attributes:
        text: A name, or a number from 0 in a file without header. None is "text", or 0.
        label: Likewise. None is "label", or 1.
        header: Whether the first row of a TSV or CSV file names its columns. None is true.
        names: What a label is called that the file spells otherwise.
    """

    text: str | int | None = None
    label: str | int | None = None
    header: bool | None = None
    names: Mapping[str, str] = field(default_factory=dict)

    def of(self, path: Path) -> "tuple[str, str] | tuple[int, int]":
        """The two columns of this file, as names or as numbers.

        Raises:
            ConfigError: If a column is told by name where there are no names, or a header where there is none.
        """
        if suffix(path) == "jsonl" and self.header is not None:
            raise ConfigError(f"task.header={self.header}: {path} is a JSON lines file, which names every field itself")
        if self.header is not False:
            text = "text" if self.text is None else str(self.text)
            return text, "label" if self.label is None else str(self.label)
        numbers = (0 if self.text is None else self.text, 1 if self.label is None else self.label)
        for name, number in zip(("text_column", "label_column"), numbers, strict=True):
            if not isinstance(number, int) or number < 0:
                raise ConfigError(f"task.{name}={number}: without a header, a column is told by its number from 0")
        return int(numbers[0]), int(numbers[1])


@dataclass(frozen=True)
class LabelledTexts:
    """Texts with their labels, and where each was read.

    Attributes:
        texts: At least one; none is blank.
        labels: One for each text.
        path: The file; None if the texts were generated.
        lines: The line of each text, if there is a file.
    """

    texts: Sequence[str]
    labels: Sequence[str]
    path: Path | None = None
    lines: Sequence[int] = ()

    def __len__(self) -> int:
        return len(self.texts)

    def place(self, index: int) -> str:
        """Where to look for a text."""
        return f"{self.path}, line {self.lines[index]}" if self.path else f"generated text {index}"

    def take(self, indices: Sequence[int]) -> "LabelledTexts":
        """A part of them."""
        return LabelledTexts(
            [self.texts[i] for i in indices],
            [self.labels[i] for i in indices],
            self.path,
            [self.lines[i] for i in indices] if self.lines else (),
        )


def suffix(path: Path) -> str:
    """The format of a file, by its name: tsv, csv or jsonl.

    Raises:
        ConfigError: If the name tells no format.
    """
    formats = {".tsv": "tsv", ".tab": "tsv", ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
    if path.suffix.lower() not in formats:
        raise ConfigError(f"{path}: the name doesn't tell the format; it should end in {', '.join(formats)}")
    return formats[path.suffix.lower()]


def read_labelled(path: Path, columns: Columns) -> LabelledTexts:
    """Reads every row of a file; blank lines are passed over.

    Raises:
        ConfigError: If the columns can't be those of such a file.
        DataError: If the file is missing, empty or malformed; names the file and the line.
    """
    text_column, label_column = columns.of(path)
    content = read_utf8(path)
    kind = suffix(path)
    if kind == "jsonl":
        rows = _json_rows(path, _lines(content), str(text_column), str(label_column))
    else:
        every = _tsv_rows(_lines(content)) if kind == "tsv" else _csv_rows(path, io.StringIO(content, newline=""))
        rows = _chosen(path, every, text_column, label_column)
    texts, labels, lines = [], [], []
    for line, (text, label) in rows:
        for column, cell in ((text_column, text), (label_column, label)):
            if not cell.strip():
                raise DataError(f"{path}, line {line}: nothing in column {column!r}")
        texts.append(text)
        labels.append(columns.names.get(label.strip(), label.strip()))
        lines.append(line)
    if not texts:
        raise DataError(f"{path}: holds no examples")
    return LabelledTexts(texts, labels, path, lines)


def read_texts(source: Source, columns: Columns) -> Iterator[Given]:
    """Reads texts one by one, whether they have labels or not; blank lines are passed over.

    Args:
        source: Plain lines, or rows whose text stands where `columns` says.
        columns: Of a training file; one of JSON lines always has names.

    Raises:
        DataError: If the source can't be read or a row holds no text; names the line.
    """
    if source.format not in ("tsv", "csv", "jsonl"):
        yield from source.texts()
        return
    column: str | int = 0
    if source.format == "jsonl" or columns.header is not False:
        column = columns.text if isinstance(columns.text, str) else "text"
    elif columns.text is not None:
        column = columns.text
    if source.format == "jsonl":
        rows = _json_rows(source.path, source.lines(), str(column))
    else:
        raw = (text for _, text in source.raw_lines())
        every = _tsv_rows(source.lines()) if source.format == "tsv" else _csv_rows(source.path, raw)
        rows = _chosen(source.path, every, column)
    for line, (text,) in rows:
        if not text.strip():
            raise DataError(f"{source}, line {line}: nothing in column {column!r}")
        yield source.given(text, line)


def read_utf8(path: Path) -> str:
    """The content of a text file, gzipped if its name ends in .gz, without the byte order mark some editors write.

    Raises:
        DataError: If the file is missing, can't be read or unpacked, or isn't UTF-8.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None
    if path.suffix == ".gz":
        content = _unpacked(path, content)
    try:
        return content.removeprefix(BYTE_ORDER_MARK).decode()
    except UnicodeDecodeError as error:
        position = error.start + (len(BYTE_ORDER_MARK) if content.startswith(BYTE_ORDER_MARK) else 0)
        line = content.count(b"\n", 0, position) + 1
        value = content[position]
        raise DataError(
            f"{path}, line {line}: not UTF-8: byte 0x{value:02x} at position {position}; save the file as UTF-8"
        ) from None


def _unpacked(path: Path, content: bytes) -> bytes:
    try:
        return decompress(content)
    except EOFError:
        raise DataError(f"{path}: ends too early; fetch or pack the file again") from None
    except WHAT_BAD_GZIPS_RAISE as error:
        raise DataError(f"{path}: can't be unpacked ({error}); is it a gzip file?") from None


def _tsv_rows(lines: Iterable[tuple[int, str]]) -> Iterator[Row]:
    for line, row in lines:
        yield line, row.split("\t")


def _csv_rows(path: Path, lines: Iterable[str]) -> Iterator[Row]:
    reader = csv.reader(lines, strict=True)
    begins = 1
    try:
        for fields in reader:
            if fields:
                yield begins, fields
            begins = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}, line {begins}: {error}") from None


def _json_rows(path: Path, lines: Iterable[tuple[int, str]], *columns: str) -> Iterator[Row]:
    for line, row in lines:
        try:
            record = json.loads(row)
        except json.JSONDecodeError as error:
            raise DataError(f"{path}, line {line}: not JSON: {error.msg} at column {error.colno}") from None
        except (RecursionError, ValueError):
            raise DataError(f"{path}, line {line}: nested too deep, or with a number too long, to be read") from None
        if not isinstance(record, dict):
            raise DataError(f"{path}, line {line}: a JSON object is expected, like {{...}}")
        yield line, [_json_field(f"{path}, line {line}", record, column) for column in columns]


def _json_field(place: str, record: dict[str, object], column: str) -> str:
    if column not in record:
        raise DataError(f"{place}: {_unknown(column, list(record))}")
    field = record[column]
    if isinstance(field, str):
        if not field.isascii() and any("\ud800" <= sign <= "\udfff" for sign in field):
            raise DataError(f"{place}: half of a character in column {column!r}, as \\ud83d is of an emoji")
        return field
    if isinstance(field, int | float):
        return json.dumps(field)
    raise DataError(f"{place}: column {column!r} should hold a text or a number")


def _chosen(path: Path, rows: Iterator[Row], *columns: str | int) -> Iterator[Row]:
    """The wanted fields of each row below the header, after a check that all rows are equally long."""
    line, fields = next(rows, (1, []))
    if not fields:
        raise DataError(f"{path}: is empty")
    width = len(fields)
    wanted = [_position(path, line, fields, column) for column in columns]
    if isinstance(columns[0], int):
        yield line, [fields[position] for position in wanted]
    first = line
    for line, fields in rows:
        if len(fields) != width:
            raise DataError(f"{path}, line {line}: has {len(fields)} fields, where line {first} has {width}")
        yield line, [fields[position] for position in wanted]


def _position(path: Path, line: int, fields: list[str], column: str | int) -> int:
    if isinstance(column, int):
        if column >= len(fields):
            raise DataError(f"{path}, line {line}: no column {column}; they are numbered 0 to {len(fields) - 1}")
        return column
    names = [name.strip() for name in fields]
    if column not in names:
        raise DataError(f"{path}, line {line}: {_unknown(column, names)}")
    return names.index(column)


def _unknown(column: str, names: list[str]) -> str:
    guess = difflib.get_close_matches(column, names, 1)
    suggestion = f"; did you mean {guess[0]!r}?" if guess else "; name it by its option, task.*_column"
    return f"no column {column!r} among {', '.join(map(repr, names)) or 'none'}{suggestion}"


def _lines(content: str) -> Iterator[tuple[int, str]]:
    """The lines that are not blank. Only a line feed ends one: a text may hold other separators of Unicode."""
    for line, row in enumerate(content.split("\n"), 1):
        row = row.removesuffix("\r")
        if row:
            yield line, row
