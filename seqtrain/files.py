"""Files that are whole or not there, whatever stops the process that writes them. Imports nothing of ours."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write that takes the place of `path` when the block ends.

    A reader, or a machine that stops, sees the old content or the new one whole. If the block raises, nothing is
    left of the new one: on a full disk its bytes are needed.
    """
    temporary = path.with_name(path.name + ".tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_atomically(path: Path, content: bytes) -> None:
    """Replaces a file so that a reader, or a machine that stops, sees the old or the new one whole."""
    with replacing(path) as file:
        file.write(content)


class Appender:
    """A text file that grows by whole lines: what can't be written whole is taken back."""

    encoding = "utf-8"

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)

    def write(self, text: str) -> int:
        """Appends some text.

        Raises:
            OSError: If it can't be written; the file is then as it was before.
        """
        rest = memoryview(text.encode(self.encoding))
        before = self._file.seek(0, os.SEEK_END)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError:
            self._file.truncate(before)
            raise
        return len(text)

    def flush(self) -> None:
        """Does nothing: each text is written at once."""

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def duplicate(source: Path, target: Path) -> None:
    """Makes target another name of the same bytes; they are never written in place, so both stay true."""
    temporary = target.with_name(target.name + ".tmp")
    temporary.unlink(missing_ok=True)
    try:
        temporary.hardlink_to(source)
    except OSError:  # a file system without hard links
        shutil.copyfile(source, temporary)
    temporary.replace(target)


def sync_folder(folder: Path) -> None:
    """Flushes a folder's names to disk, so that a rename outlives a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
