"""Unpacking of gzip files that may have been made to fill the memory."""

import gzip
import io
import zlib

MOST_BYTES = 1 << 30
"""Of an unpacked file. A thousandth of that is enough to pack it, so that a small file is no promise."""

WHAT_BAD_GZIPS_RAISE = (gzip.BadGzipFile, zlib.error)
"""Damaged, or too large; one that ends too early raises EOFError."""

_PART = 1 << 20


def decompress(content: bytes) -> bytes:
    """What a gzip file holds.

    Raises:
        BadGzipFile: If it is none, is damaged, or holds more than MOST_BYTES.
        zlib.error: If it is damaged.
        EOFError: If it ends too early.
    """
    parts, size = [], 0
    with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
        while part := file.read(_PART):
            parts.append(part)
            size += len(part)
            if size > MOST_BYTES:
                raise gzip.BadGzipFile(f"it holds more than {MOST_BYTES:,} bytes; unpack it by hand if it should")
    return b"".join(parts)
