import pytest

from seqtrain.errors import DataError
from seqtrain.tasks.language import passages
from seqtrain.tasks.language.passages import Written, cut, whole


@pytest.fixture(params=[1, 2, 3, 7, 1 << 20])
def block(request, monkeypatch):
    """Blocks so small that every border between bytes is one between blocks."""
    monkeypatch.setattr(passages, "BLOCK", request.param)


@pytest.fixture
def file(tmp_path):
    def write(content):
        path = tmp_path / "a.txt"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def text(passage):
    pieces = list(passage.blocks())
    assert all(pieces)
    return "".join(pieces)


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize("content", ["a", "naïve\n日本語 \U0001f600!\n", "\n\n", "a" * 50])
def test_a_file_is_read_as_it_is(file, content):
    path = file(content)
    assert text(whole(path)) == content
    assert str(whole(path)) == str(path)
    assert text(Written(content)) == content


@pytest.mark.usefixtures("block")
def test_a_byte_order_mark_is_left_out_and_line_ends_become_line_feeds(file):
    assert text(whole(file(b"\xef\xbb\xbfa\r\n\r\nb\rc\n\r"))) == "a\n\nb\nc\n\n"


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize("at_blank", [False, True])
@pytest.mark.parametrize("content", [b"\xef\xbb\xbfab cd\r\nef gh\r\n\r\nij kl", "日本 語の\nテキスト ÄÖÜ\n".encode()])
def test_two_parts_hold_what_the_whole_holds(file, content, at_blank):
    file_of = whole(file(content))
    for percent in range(101):
        first, second = cut(file_of, percent / 100, at_blank=at_blank)
        assert text(first) + text(second) == text(file_of)
        assert first.stop == second.start >= file_of.start + int(percent / 100 * (file_of.stop - file_of.start))
        if at_blank and text(first) and text(second):
            assert text(first)[-1].isspace()


def test_a_cut_is_made_at_the_share_of_the_bytes(file):
    first, second = cut(whole(file("abcdefghij")), 0.3, at_blank=False)
    assert (text(first), text(second)) == ("abc", "defghij")


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize(
    ("wrong", "value"), [(b"\xff", "0xff"), (b"\xc3(", "0xc3"), (b"\xed\xa0\x80", "0xed"), (b"\xe6\x97", "0xe6")]
)
def test_the_first_byte_that_is_not_utf8_is_told_with_its_line(file, bom, wrong, value):
    path = file(bom + "ä\r\nö\r\n\nüü".encode() + wrong)
    with pytest.raises(DataError) as caught:
        text(whole(path))
    position = len(bom) + 13
    assert str(caught.value) == (
        f"{path}, line 4: not UTF-8: byte {value} at position {position}; save the file as UTF-8"
    )


def test_a_line_is_counted_from_the_beginning_of_the_file(file):
    path = file(b"a\nb\nc\nd\nef\xff")
    _, second = cut(whole(path), 0.5, at_blank=False)
    with pytest.raises(DataError, match=r"line 5: not UTF-8: byte 0xff at position 10;"):
        text(second)


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(file, content):
    path = file(content)
    with pytest.raises(DataError) as caught:
        whole(path)
    assert str(caught.value) == f"{path}: is empty"


def test_what_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"b\.txt: no such file$"):
        whole(tmp_path / "b.txt")
    with pytest.raises(DataError, match=r"Is a directory$"):
        whole(tmp_path)


def test_a_file_that_shrinks_meanwhile_is_refused(file):
    stretch = whole(file("abc"))
    file("")
    with pytest.raises(DataError, match=r"a\.txt: has become shorter while it was read$"):
        text(stretch)
