"""Reading IDX files, the format of MNIST."""

import math
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from seqtrain.data import WHAT_BAD_GZIPS_RAISE, decompress
from seqtrain.errors import DataError

UNSIGNED_BYTES = 8
"""The format's code of the one type that is read here."""


def read_idx(path: Path, axes: int) -> UInt8[np.ndarray, "..."]:
    """The bytes that a gzipped IDX file holds, in the shape that it tells.

    The header is big-endian: two zero bytes, the type's code, the number of axes, then each axis' size in four bytes.

    Args:
        path: The file.
        axes: How many it should have: 3 of images, 1 of labels.

    Raises:
        DataError: If the file is missing or not gzipped, is no IDX file of so many axes, or is cut off.
    """
    try:
        content = decompress(path.read_bytes())
    except FileNotFoundError:
        raise DataError(f"no such file: {path}") from None
    except WHAT_BAD_GZIPS_RAISE as error:
        raise DataError(f"{path}: not a whole gzip file ({error}); fetch it again") from None
    except EOFError:
        raise DataError(f"{path}: ends in the middle of its gzip stream; fetch it again") from None
    expected = bytes([0, 0, UNSIGNED_BYTES, axes])
    if content[:4] != expected:
        raise DataError(
            f"{path}: not an IDX file of unsigned bytes in {axes} axes (it begins with {content[:4].hex()}, "
            f"not {expected.hex()})"
        )
    body = 4 + 4 * axes
    if len(content) < body:
        raise DataError(f"{path}: ends within its header")
    shape = np.frombuffer(content, ">u4", count=axes, offset=4).tolist()
    if len(content) - body != math.prod(shape):
        raise DataError(
            f"{path}: its header tells of {' x '.join(map(str, shape))} bytes, and {len(content) - body:,} follow"
        )
    return np.frombuffer(content, np.uint8, offset=body).reshape(shape)
