import gzip
import re
import struct

import numpy as np
import pytest

from seqtrain.errors import DataError
from seqtrain.tasks.images.idx import read_idx


def idx(array, kind=8):
    return struct.pack(f">HBB{array.ndim}I", 0, kind, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "images.gz"


def test_a_file_is_read_in_its_shape(path):
    images = np.arange(24).reshape(2, 3, 4)
    path.write_bytes(gzip.compress(idx(images)))
    read = read_idx(path, axes=3)
    assert read.dtype == np.uint8
    assert (read == images).all()


def test_a_missing_file_is_named(path):
    with pytest.raises(DataError, match=rf"^no such file: {re.escape(str(path))}$"):
        read_idx(path, axes=3)


def test_what_is_not_gzipped_is_refused(path):
    path.write_bytes(idx(np.zeros((2, 3, 4))))
    with pytest.raises(DataError, match=r"images\.gz: not a whole gzip file \(Not a gzipped file .*fetch it again$"):
        read_idx(path, axes=3)


@pytest.mark.parametrize("keep", [5, 40, -9, -1])
def test_a_gzip_that_is_cut_off_is_refused(path, keep):
    whole = gzip.compress(idx(np.random.default_rng(0).integers(256, size=(2, 30, 40))))
    path.write_bytes(whole[:keep])
    with pytest.raises(DataError, match=r"images\.gz: ends in the middle of its gzip stream; fetch it again$"):
        read_idx(path, axes=3)


def test_a_gzip_with_a_wrong_byte_is_refused(path):
    whole = bytearray(gzip.compress(idx(np.random.default_rng(0).integers(256, size=(2, 30, 40)))))
    whole[-6] ^= 1  # of the checksum
    path.write_bytes(bytes(whole))
    with pytest.raises(DataError, match=r"images\.gz: not a whole gzip file \(CRC check failed"):
        read_idx(path, axes=3)


@pytest.mark.parametrize(
    ("content", "begins"),
    [
        (idx(np.zeros(5)), "00000801"),
        (idx(np.zeros((2, 3, 4)), kind=9), "00000903"),
        (b"<html>", "3c68746d"),
        (b"", ""),
    ],
)
def test_another_format_is_refused_with_its_first_bytes(path, content, begins):
    path.write_bytes(gzip.compress(content))
    with pytest.raises(DataError) as caught:
        read_idx(path, axes=3)
    assert str(caught.value) == (
        f"{path}: not an IDX file of unsigned bytes in 3 axes (it begins with {begins}, not 00000803)"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (idx(np.zeros((2, 3, 4)))[:9], "ends within its header"),
        (idx(np.zeros((2, 3, 4)))[:-1], "its header tells of 2 x 3 x 4 bytes, and 23 follow"),
        (idx(np.zeros((2, 3, 4))) + b"x", "its header tells of 2 x 3 x 4 bytes, and 25 follow"),
    ],
)
def test_a_body_that_is_not_what_the_header_tells_is_refused(path, content, message):
    path.write_bytes(gzip.compress(content))
    with pytest.raises(DataError, match=rf"^{re.escape(f'{path}: {message}')}$"):
        read_idx(path, axes=3)
