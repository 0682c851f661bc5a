import gzip
import zlib

import pytest

from seqtrain.data import gzipped


def test_what_was_packed_comes_back():
    content = bytes(range(256)) * 10_000
    assert gzipped.decompress(gzip.compress(content)) == content
    assert gzipped.decompress(gzip.compress(b"a") + gzip.compress(b"b")) == b"ab"


def test_what_would_fill_the_memory_is_refused_before_it_does(monkeypatch):
    monkeypatch.setattr(gzipped, "MOST_BYTES", 3 << 20)
    packed = gzip.compress(bytes(1 << 23), compresslevel=1)
    with pytest.raises(gzip.BadGzipFile, match=r"^it holds more than 3,145,728 bytes; unpack it by hand if it should$"):
        gzipped.decompress(packed)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"plain", gzip.BadGzipFile),
        (gzip.compress(b"abc")[:-3], EOFError),
        (gzip.compress(b"abc")[:10] + b"\xff" * 9, zlib.error),
    ],
)
def test_damage_is_told_as_gzip_tells_it(content, error):
    with pytest.raises(error):
        gzipped.decompress(content)
