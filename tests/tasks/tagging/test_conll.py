import pytest

from seqtrain.errors import DataError
from seqtrain.tasks.tagging.conll import Format, read_conll


@pytest.fixture
def written(tmp_path):
    def write(content):
        path = tmp_path / "a.conll"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def complaint(path, layout=None):
    with pytest.raises(DataError) as caught:
        read_conll(path, layout or Format())
    message = str(caught.value)
    assert "\n" not in message
    return message.replace(str(path), path.name)


TABS = "New\tB-place\nYork\tI-place\n\nhi\tO\n"


@pytest.mark.parametrize(
    "content",
    [
        TABS,
        TABS.rstrip(),
        "\n\n" + TABS.replace("\n\n", "\n\n \n\t\n") + "\n\n",
        TABS.replace("\t", " "),
        TABS.replace("\t", "   "),
        TABS.replace("\n", "\r\n"),
        "\ufeff" + TABS,
        TABS.replace("\t", "\tNN\tx\t"),
        "-DOCSTART- -X- O O\n\nNew NNP I-NP I-place\nYork NNP I-NP I-place\n-DOCSTART- -X- O O\nhi UH O O\n",
        TABS.replace("\n\n", "\n\t\n"),
        TABS.replace("I-place", "E-place"),
    ],
)
def test_sentences_are_read_however_they_are_laid_out(written, content):
    read = read_conll(written(content), Format())
    assert read.words == [["New", "York"], ["hi"]]
    assert read.tags == [["B-place", "I-place"], ["O"]]


def test_every_word_is_found_again(written):
    path = written("\n" + TABS + "\n\nyou\tO\n")
    read = read_conll(path, Format())
    assert read.lines == [2, 5, 8]
    assert read.place(0, 1) == f"{path}, line 3"
    assert read.take([2, 0]).place(0, 0) == f"{path}, line 8"


def test_columns_are_chosen_by_number_from_either_end(written):
    path = written("1 New O B-place x\n2 York O I-place x\n")
    read = read_conll(path, Format(word_column=1, tag_column=-2))
    assert (read.words, read.tags) == ([["New", "York"]], [["B-place", "I-place"]])
    assert read_conll(path, Format(word_column=-4, tag_column=2)).tags == [["O", "O"]]


def test_the_scheme_is_the_whole_files(written):
    path = written("a I-x\nb I-x\n\nc B-x\nd E-x\n")
    assert complaint(path) == "a.conll, line 1: tag 'I-x' goes on with no entity before it"
    path = written("a I-x\nb I-x\n\nc B-x\nd I-x\n")
    assert read_conll(path, Format()).tags == [["B-x", "I-x"], ["B-x", "I-x"]]
    assert complaint(path, Format(scheme="bio")) == (
        "a.conll, line 1: tag 'I-x' goes on with no entity before it; task.scheme=iob1 begins an entity there"
    )


def test_only_a_line_feed_ends_a_line_and_a_tab_alone_separates_where_there_is_one(written):
    read = read_conll(written("a\u2028b\tO\nc d\x85\tO\n"), Format())
    assert read.words == [["a\u2028b", "c d\x85"]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "a.conll: holds no sentences"),
        ("\n \n\t\n\r\n", "a.conll: holds no sentences"),
        ("-DOCSTART- O\n", "a.conll: holds no sentences"),
        ("\nhi\n", "a.conll, line 2: has one column, 'hi'; a word and its tag are expected"),
        ("hi\tO\nyou\n", "a.conll, line 2: has 1 columns, where line 1 has 2"),
        ("hi\tO\n\nyou\tO\tO\n", "a.conll, line 3: has 3 columns, where line 1 has 2"),
        ("hi\t\n", "a.conll, line 1: nothing in column task.tag_column=-1"),
        ("hi\tO\n\tO\n", "a.conll, line 2: nothing in column task.word_column=0"),
        ("\nhi O\nyou PER\n", "a.conll, line 3: tag 'PER' is neither O nor B- or I- with a type"),
        ("hi O\nyou X-a\n", "a.conll, line 2: tag 'X-a' is neither O nor B- or I- with a type"),
        (b"hi O\ncaf\xe9 O\n", "a.conll, line 2: not UTF-8: byte 0xe9 at position 8; save the file as UTF-8"),
        (b"\xef\xbb\xbfcaf\xe9 O\n", "a.conll, line 1: not UTF-8: byte 0xe9 at position 6; save the file as UTF-8"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(written, content, message):
    assert complaint(written(content)) == message


@pytest.mark.parametrize("name", ["word_column", "tag_column"])
@pytest.mark.parametrize("column", [2, -3])
def test_a_column_that_is_not_there_is_named(written, name, column):
    assert complaint(written("hi O\n"), Format(**{name: column})) == (
        f"a.conll, line 1: no column task.{name}={column}; they are numbered 0 to 1, or -1 to -2 from the last"
    )


def test_a_missing_file_is_named(tmp_path):
    assert complaint(tmp_path / "b.conll") == "b.conll: no such file"
