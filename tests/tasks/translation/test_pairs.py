import gzip

import pytest

from seqtrain.errors import DataError
from seqtrain.tasks.translation.pairs import read_pairs


@pytest.fixture
def files(tmp_path):
    def write(source, target, suffix=""):
        paths = tmp_path / f"a.de{suffix}", tmp_path / f"a.en{suffix}"
        for path, content in zip(paths, (source, target), strict=True):
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return paths

    return write


def complaint(source, target):
    with pytest.raises(DataError) as caught:
        read_pairs(source, target)
    message = str(caught.value)
    assert "\n" not in message
    return message.replace(f"{source.parent}/", "")


@pytest.mark.parametrize(
    "source",
    [
        "ein Haus\nzwei H\u00e4user\n",
        "ein Haus\nzwei H\u00e4user",
        "ein Haus\r\nzwei H\u00e4user\r\n",
        "\ufeffein Haus\n zwei H\u00e4user \n",
    ],
)
def test_line_belongs_to_line(files, source):
    pairs = read_pairs(*files(source, "a house\ntwo houses\n"))
    assert list(zip(pairs.sources, pairs.targets, strict=True)) == [
        ("ein Haus", "a house"),
        ("zwei H\u00e4user", "two houses"),
    ]


def test_one_line_is_a_pair(files):
    assert len(read_pairs(*files("ein", "one"))) == 1


def test_only_a_line_feed_ends_a_line(files):
    assert read_pairs(*files("ein\u2028Haus\x0bda\n", "a\u0085house\n")).sources == ["ein\u2028Haus\x0bda"]


def test_gzipped_files_are_unpacked(files):
    pairs = read_pairs(*files(gzip.compress(b"ein\nzwei\n"), gzip.compress(b"one\ntwo\n"), ".gz"))
    assert pairs.sources == ["ein", "zwei"]
    assert pairs.targets == ["one", "two"]


def test_a_line_that_is_blank_in_both_is_passed_over(files):
    pairs = read_pairs(*files("ein\n\nzwei\n \n", "one\n \t\ntwo\n\n"))
    assert (pairs.sources, pairs.targets) == (["ein", "zwei"], ["one", "two"])


def test_a_line_without_partner_is_named(files):
    assert complaint(*files("ein\nzwei\ndrei\n", "one\ntwo\n")) == (
        "a.de has 3 lines and a.en has 2: each needs its partner, which a.de, line 3, doesn't have"
    )
    assert complaint(*files("ein\n", "one\ntwo\nthree")) == (
        "a.de has 1 lines and a.en has 3: each needs its partner, which a.en, line 2, doesn't have"
    )


def test_a_line_that_is_blank_in_one_file_is_named(files):
    assert complaint(*files("ein\n\nzwei\n", "one\nand\ntwo\n")) == (
        "a.de, line 2: is blank, but a.en has a text there; take the line out of both"
    )
    assert complaint(*files("ein\nund\nzwei\n\n", "one\n \n\nfour\n")) == (
        "a.en, line 2: is blank, but a.de has a text there (3 such lines in all); take the line out of both"
    )


@pytest.mark.parametrize("content", ["", "\n", "\r\n \n\n"])
def test_files_that_hold_nothing_are_refused(files, content):
    assert complaint(*files(content, content)) == "a.de: holds no lines"


def test_a_missing_file_is_named(files):
    source, target = files("ein", "one")
    target.unlink()
    assert complaint(source, target) == "a.en: no such file"


def test_the_position_of_a_byte_that_is_not_utf8_is_named(files):
    assert complaint(*files("ein\nzwei", b"one\ntw\xf6")) == (
        "a.en, line 2: not UTF-8: byte 0xf6 at position 6; save the file as UTF-8"
    )


def test_a_broken_archive_is_refused(files):
    whole = gzip.compress(b"one\n" * 100)
    assert complaint(*files(whole[:-12], whole, ".gz")) == "a.de.gz: ends too early; fetch or pack the file again"
    assert complaint(*files(b"ein\n", whole, ".gz")).startswith("a.de.gz: can't be unpacked (Not a gzipped file")
    damaged = whole[:12] + b"\xff\xff" + whole[14:]
    assert complaint(*files(damaged, whole, ".gz")).startswith("a.de.gz: can't be unpacked (")
