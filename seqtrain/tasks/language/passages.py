"""Running text, read in blocks: a stretch of a UTF-8 file, or text that was written on the spot.

A file may be much larger than memory. No function here holds more of it than a few blocks.
"""

import codecs
import io
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from seqtrain.errors import DataError

BLOCK = 1 << 20
"""Bytes of a file, or characters of a text, that are read at a time."""

_CHARACTER = re.compile(rb"(?:[^\r]|\r(?!\n))(?=[^\x80-\xbf])", re.DOTALL)
"""A byte after which a text may be cut: neither in a character of several bytes nor in a line end of two."""
_BLANK = re.compile(rb"(?:[ \t\n]|\r(?!\n))(?=[^\x80-\xbf])", re.DOTALL)
"""Likewise, and in no word."""


class Passage(ABC):
    """A piece of running text; as a string, what a message calls it."""

    @abstractmethod
    def blocks(self) -> Iterator[str]:
        """The text in pieces that are not empty, line ends as line feeds.

        Raises:
            DataError: If a file is missing, can't be read, or isn't UTF-8; names file, line and byte.
        """


@dataclass(frozen=True)
class Written(Passage):
    """Text that is in memory."""

    text: str

    def __str__(self) -> str:
        return "the generated text"

    def blocks(self) -> Iterator[str]:
        """The text, cut anywhere."""
        for start in range(0, len(self.text), BLOCK):
            yield self.text[start : start + BLOCK]


@dataclass(frozen=True)
class Stretch(Passage):
    """Consecutive bytes of a file, which begin and end between two characters.

    Attributes:
        path: The file.
        start: Its first byte that belongs to the stretch.
        stop: The first that no longer does.
    """

    path: Path
    start: int
    stop: int

    def __str__(self) -> str:
        return str(self.path)

    def blocks(self) -> Iterator[str]:
        """The stretch without a byte order mark; line ends of every system become line feeds."""
        utf8 = codecs.getincrementaldecoder("utf-8")()
        lines = io.IncrementalNewlineDecoder(None, translate=True)
        position = self.start
        while position < self.stop:
            content = read(self.path, position, min(BLOCK, self.stop - position))
            if not content:
                raise DataError(f"{self.path}: has become shorter while it was read")
            begun = len(utf8.getstate()[0])
            position += len(content)
            last = position >= self.stop
            try:
                text = utf8.decode(content, final=last)
            except UnicodeDecodeError as error:
                wrong = position - len(content) - begun + error.start
                raise DataError(_not_utf8(self.path, wrong, error.object[error.start])) from None
            if text := lines.decode(text, final=last):
                yield text


def whole(path: Path) -> Stretch:
    """All of a file, but for a byte order mark at its beginning.

    Raises:
        DataError: If the file is missing, can't be read, or holds nothing.
    """
    start = len(codecs.BOM_UTF8) if read(path, 0, len(codecs.BOM_UTF8)) == codecs.BOM_UTF8 else 0
    size = path.stat().st_size
    if size == start:
        raise DataError(f"{path}: is empty")
    return Stretch(path, start, size)


def cut(stretch: Stretch, share: float, *, at_blank: bool) -> tuple[Stretch, Stretch]:
    """Cuts a stretch in two, after this share of its bytes or as soon after it as can be.

    Args:
        stretch: What to cut.
        share: In [0, 1].
        at_blank: Whether a cut must follow a blank or a line end, so that it divides no word; else it only
            divides no character and no line end.
    """
    position = stretch.start + int(share * (stretch.stop - stretch.start))
    while stretch.start < position < stretch.stop:
        content = read(stretch.path, position - 1, BLOCK)
        found = (_BLANK if at_blank else _CHARACTER).search(content)
        if found:
            position += found.end() - 1
            break
        position += max(1, len(content) - 1)
    position = min(position, stretch.stop)
    return Stretch(stretch.path, stretch.start, position), Stretch(stretch.path, position, stretch.stop)


def read(path: Path, start: int, size: int) -> bytes:
    """At most so many bytes of a file.

    Raises:
        DataError: If the file is missing or can't be read.
    """
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.read(size)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None


def _not_utf8(path: Path, position: int, value: int) -> str:
    line = 1
    for start in range(0, position, BLOCK):
        line += read(path, start, min(BLOCK, position - start)).count(b"\n")
    return f"{path}, line {line}: not UTF-8: byte 0x{value:02x} at position {position}; save the file as UTF-8"
