"""New input: what a user asks of a trained model, from a file, a pipe or Python."""

import gzip
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BufferedIOBase
from pathlib import Path
from typing import Any

from seqtrain.errors import DataError

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

FORMATS = {
    ".tsv": "tsv",
    ".tab": "tsv",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".conll": "conll",
    ".bio": "conll",
    ".iob": "conll",
    ".iob2": "conll",
}
"""How a file is laid out, by the end of its name; any other holds plain lines."""


@dataclass(frozen=True)
class Given:
    """One new input.

    Attributes:
        value: What the task reads: a text, words, a sound, a series, a film.
        place: Where to look for it, to name it in a message.
        told: What its answer repeats of where it stood.
    """

    value: Any
    place: str
    told: Mapping[str, Any] = field(default_factory=dict)

    def text(self) -> str:
        """The value, which should be a text that isn't blank.

        Raises:
            DataError: If it is anything else.
        """
        if not isinstance(self.value, str):
            raise DataError(f"{self.place}: a text is expected, not {type(self.value).__name__}")
        if not self.value.strip():
            raise DataError(f"{self.place}: is blank")
        return self.value


@dataclass(frozen=True)
class Source:
    """A file of new input, or a stream that is read as it comes.

    Attributes:
        path: The file, or what to call the stream.
        stream: None opens the file.
        layout: tsv, csv, jsonl, conll or lines; None goes by the file's name.
    """

    path: Path
    stream: BufferedIOBase | None = None
    layout: str | None = None

    def __str__(self) -> str:
        return str(self.path)

    @property
    def format(self) -> str:
        """How it is laid out."""
        path = self.path.with_suffix("") if self.path.suffix == ".gz" else self.path
        return self.layout or FORMATS.get(path.suffix.lower(), "lines")

    def raw_lines(self) -> Iterator[tuple[int, str]]:
        """Each line with its end and its number from 1, read one by one, without a byte order mark.

        Raises:
            DataError: If the file is missing, can't be read or unpacked, or a line isn't UTF-8.
        """
        with self._opened() as stream:
            for number, line in enumerate(stream, 1):
                content = line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line
                try:
                    yield number, content.decode()
                except UnicodeDecodeError as error:
                    value = content[error.start]
                    raise DataError(
                        f"{self}, line {number}: not UTF-8: byte 0x{value:02x}; save the file as UTF-8"
                    ) from None

    def lines(self) -> Iterator[tuple[int, str]]:
        """Each line that isn't blank, without its end. Only a line feed ends one."""
        for number, line in self.raw_lines():
            text = line.removesuffix("\n").removesuffix("\r")
            if text.strip():
                yield number, text

    def texts(self) -> Iterator[Given]:
        """Each line that isn't blank, as an input."""
        for number, line in self.lines():
            yield self.given(line, number)

    def given(self, value: Any, line: int) -> Given:
        """What stands on a line, as an input."""
        return Given(value, f"{self}, line {line}", {"line": line})

    def content(self) -> bytes:
        """All of it.

        Raises:
            DataError: If the file is missing or can't be read.
        """
        with self._opened() as stream:
            return stream.read()

    @contextmanager
    def file(self, suffix: str = "") -> Iterator[Path]:
        """The file; a stream is put into one for the while, whose name ends with the suffix."""
        if self.stream is None:
            yield self.path
            return
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{self}{suffix}"
            path.write_bytes(self.content())
            try:
                yield path
            except DataError as error:
                raise DataError(str(error).replace(str(path), str(self))) from None

    @contextmanager
    def _opened(self) -> Iterator[BufferedIOBase]:
        if self.stream is not None:
            yield self.stream
            return
        try:
            with gzip.GzipFile(self.path) if self.path.suffix == ".gz" else self.path.open("rb") as stream:
                yield stream
        except FileNotFoundError:
            raise DataError(f"{self}: no such file") from None
        except EOFError:
            raise DataError(f"{self}: ends too early; fetch or pack the file again") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise DataError(f"{self}: can't be unpacked ({error}); is it a gzip file?") from None
        except OSError as error:
            raise DataError(f"{self}: {error.strerror}") from None


def single(paths: Sequence[Path]) -> Path:
    """The one file of labelled data, where there should be one.

    Raises:
        DataError: If there are more.
    """
    if len(paths) > 1:
        raise DataError(f"{paths[1]}: one file is scored at a time, and {paths[0]} is the first")
    return paths[0]
