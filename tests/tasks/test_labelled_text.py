import json
from pathlib import Path

import pytest

from seqtrain.errors import ConfigError, DataError
from seqtrain.tasks.labelled_text import Columns, read_labelled

NO_HEADER = Columns(header=False)


@pytest.fixture
def written(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def pairs(read):
    return list(zip(read.texts, read.labels, read.lines, strict=True))


def complaint(path, columns=None, kind=DataError):
    with pytest.raises(kind) as caught:
        read_labelled(path, columns or Columns())
    message = str(caught.value)
    assert "\n" not in message
    return message.replace(str(path), path.name)


TWO = [("so good", "pos", 2), ("so bad", "neg", 3)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tsv", "text\tlabel\nso good\tpos\nso bad\tneg\n"),
        ("no_final_newline.tsv", "text\tlabel\nso good\tpos\nso bad\tneg"),
        ("crlf.tsv", "text\tlabel\r\nso good\tpos\r\nso bad\tneg\r\n"),
        ("bom.tsv", "\ufefftext\tlabel\nso good\tpos\nso bad\tneg\n"),
        ("other_order.TAB", "id\tlabel\ttext\n1\tpos\tso good\n2\tneg\tso bad\n"),
        ("a.csv", "text,label\nso good,pos\nso bad,neg\n"),
        ("bom_and_crlf.csv", "\ufefftext,label\r\nso good,pos\r\nso bad,neg\r\n"),
        ("quoted.CSV", '"label","text"\n"pos","so good"\nneg,"so bad"\n'),
        ("spaced_header.csv", "text , label\nso good, pos \nso bad,neg\n"),
    ],
)
def test_a_table_with_header_is_read(written, name, content):
    assert pairs(read_labelled(written(name, content), Columns())) == TWO


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson"])
def test_json_lines_are_read(written, name):
    content = '\n{"text": "so good", "label": "pos", "id": 1}\r\n{"label": "neg", "text": "so bad"}\n\n'
    assert pairs(read_labelled(written(name, content), Columns())) == TWO


def test_without_header_columns_are_numbers(written):
    path = written("a.tsv", "so good\tpos\nso bad\tneg\n")
    assert pairs(read_labelled(path, NO_HEADER)) == [("so good", "pos", 1), ("so bad", "neg", 2)]
    path = written("b.csv", "7,neg,so bad\n")
    assert pairs(read_labelled(path, Columns(text=2, label=1, header=False))) == [("so bad", "neg", 1)]


@pytest.mark.parametrize(("name", "mark"), [("a.tsv", "\t"), ("a.csv", ",")])
def test_blank_lines_and_carriage_returns_are_no_content(written, name, mark):
    content = f"\r\nlabel{mark}text\r\n\r\npos{mark}so good\r\n\r\n\r\nneg{mark}so bad\r\n\r\n"
    assert pairs(read_labelled(written(name, content), Columns())) == [("so good", "pos", 4), ("so bad", "neg", 7)]


def test_columns_are_told_by_name(written):
    path = written("a.tsv", "sentence\t0\nso good\t1\n")
    assert pairs(read_labelled(path, Columns(text="sentence", label=0))) == [("so good", "1", 2)]


def test_quotes_are_signs_like_others_in_tsv_and_enclose_in_csv(written):
    path = written("a.tsv", 'text\tlabel\n"so" good\t1\n"open\t0\n')
    assert read_labelled(path, Columns()).texts == ['"so" good', '"open']
    path = written("a.csv", 'text,label\n"well, ""so""\ngood",1\nbad,0\n')
    assert pairs(read_labelled(path, Columns())) == [('well, "so"\ngood', "1", 2), ("bad", "0", 4)]


def test_only_a_line_feed_ends_a_line(written):
    path = written("a.tsv", "text\tlabel\none\u2028two\x0bthree\x85\t1\n")
    assert read_labelled(path, Columns()).texts == ["one\u2028two\x0bthree\x85"]


def test_labels_of_json_may_be_numbers_and_truths(written):
    rows = [{"text": "a", "label": label} for label in (1, 2.5, True)]
    path = written("a.jsonl", "\n".join(map(json.dumps, rows)))
    assert read_labelled(path, Columns()).labels == ["1", "2.5", "true"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tsv", "", "a.tsv: is empty"),
        ("a.csv", "\n\n", "a.csv: is empty"),
        ("a.jsonl", "\n", "a.jsonl: holds no examples"),
        ("a.tsv", "text\tlabel\n", "a.tsv: holds no examples"),
        ("a.tsv", "text\tlabel\na\t1\nb\n", "a.tsv, line 3: has 1 fields, where line 1 has 2"),
        ("a.tsv", "\ntext\tlabel\na\t1\tb\n", "a.tsv, line 3: has 3 fields, where line 2 has 2"),
        ("a.csv", 'text,label\n"a\nb",1\nwell, well,1\n', "a.csv, line 4: has 3 fields, where line 1 has 2"),
        ("a.csv", 'text,label\na,1\n"b,1\n\nc,1\n', "a.csv, line 3: unexpected end of data"),
        ("a.tsv", "text\tlabel\na\t1\n \t1\n", "a.tsv, line 3: nothing in column 'text'"),
        ("a.tsv", "text\tlabel\n\t\n", "a.tsv, line 2: nothing in column 'text'"),
        ("a.tsv", "text\tlabel\na\t \n", "a.tsv, line 2: nothing in column 'label'"),
        ("a.jsonl", '{"text": "", "label": 1}', "a.jsonl, line 1: nothing in column 'text'"),
        (
            "a.tsv",
            "txt\tlabel\na\t1\n",
            "a.tsv, line 1: no column 'text' among 'txt', 'label'; did you mean 'txt'?",
        ),
        (
            "a.csv",
            "text,sentiment\na,1\n",
            "a.csv, line 1: no column 'label' among 'text', 'sentiment'; name it by its option, task.*_column",
        ),
        (
            "a.jsonl",
            '{"text": "a", "label": 1}\n{"text": "a", "lable": 1}',
            "a.jsonl, line 2: no column 'label' among 'text', 'lable'; did you mean 'lable'?",
        ),
        (
            "a.jsonl",
            "{}",
            "a.jsonl, line 1: no column 'text' among none; name it by its option, task.*_column",
        ),
        ("a.jsonl", '{"text": "a",}', "a.jsonl, line 1: not JSON: "),
        ("a.jsonl", "[" * 3000, "a.jsonl, line 1: nested too deep, or with a number too long, to be read"),
        ("a.jsonl", "9" * 5000, "a.jsonl, line 1: nested too deep, or with a number too long, to be read"),
        (
            "a.jsonl",
            '{"text": "\\ud83d", "label": 1}',
            "a.jsonl, line 1: half of a character in column 'text', as \\ud83d is of an emoji",
        ),
        ("a.jsonl", '\n["a", 1]', "a.jsonl, line 2: a JSON object is expected, like {...}"),
        ("a.jsonl", '{"text": "a", "label": null}', "a.jsonl, line 1: column 'label' should hold a text or a number"),
        ("a.jsonl", '{"text": ["a"], "label": 1}', "a.jsonl, line 1: column 'text' should hold a text or a number"),
        (
            "a.tsv",
            b"text\tlabel\ncaf\xe9\t1\n",
            "a.tsv, line 2: not UTF-8: byte 0xe9 at position 14; save the file as UTF-8",
        ),
        (
            "a.tsv",
            b"\xef\xbb\xbftext\tlabel\ncaf\xe9\t1\n",
            "a.tsv, line 2: not UTF-8: byte 0xe9 at position 17; save the file as UTF-8",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_line(written, name, content, message):
    said = complaint(written(name, content))
    assert said == message or (message.endswith(": ") and said.startswith(message))


def test_a_number_beyond_the_columns_is_refused(written):
    path = written("a.tsv", "a\t1\n")
    message = complaint(path, Columns(label=2, header=False))
    assert message == "a.tsv, line 1: no column 2; they are numbered 0 to 1"


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    assert complaint(tmp_path / "a.tsv") == "a.tsv: no such file"
    (tmp_path / "b.tsv").mkdir()
    assert complaint(tmp_path / "b.tsv") == "b.tsv: Is a directory"


@pytest.mark.parametrize(
    ("name", "columns", "message"),
    [
        ("a.txt", Columns(), "a.txt: the name doesn't tell the format; it should end in "),
        ("a.jsonl", Columns(header=True), "task.header=True: a.jsonl is a JSON lines file"),
        ("a.jsonl", Columns(header=False), "task.header=False: a.jsonl is a JSON lines file"),
        ("a.tsv", Columns(text="text", header=False), "task.text_column=text: without a header"),
        ("a.tsv", Columns(label=-1, header=False), "task.label_column=-1: without a header"),
    ],
)
def test_columns_that_such_a_file_cannot_have_are_refused(name, columns, message):
    assert complaint(Path(name), columns, ConfigError).startswith(message)


def test_a_part_keeps_its_places(written):
    path = written("a.tsv", "text\tlabel\na\t1\nb\t0\n\nc\t1\n")
    part = read_labelled(path, Columns()).take([2, 0])
    assert (part.texts, part.labels, len(part)) == (["c", "a"], ["1", "1"], 2)
    assert part.place(0) == f"{path}, line 5"
