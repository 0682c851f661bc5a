import numpy as np
import pytest

from seqtrain.errors import DataError
from seqtrain.tasks.series import csv_files as series_csv
from seqtrain.tasks.series.csv_files import read_series


@pytest.fixture
def file(tmp_path):
    def written(content):
        path = tmp_path / "f.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return written


def refused(path, *options):
    with pytest.raises(DataError) as caught:
        read_series(path, *options)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    return message.removeprefix(str(path))


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("begin", ["", "\ufeff"])
def test_separators_line_ends_and_byte_order_marks_are_recognised(file, separator, end, begin):
    lines = ["date,a,b", "2020-01-01,1,-2.5", "2020-01-02,3e1, 4", ""]
    series = read_series(file(begin + end.join(lines).replace(",", separator)))
    assert series.columns == ("a", "b")
    assert series.values.tolist() == [[1, -2.5], [30, 4]]
    assert series.values.dtype == np.float32
    assert series.spacing is None


def test_quotes_blank_lines_and_a_missing_last_line_end_are_taken(file):
    series = read_series(file('\n"Month","Sun, spots"\r\n\r\n"1749-01",58.0\r\n"1749-02","62.6"'), None, "Month")
    assert series.columns == ("Sun, spots",)
    np.testing.assert_allclose(series.values, [[58.0], [62.6]], rtol=1e-6)
    assert series.spacing.months == 1


def test_columns_are_read_in_the_order_asked_for(file):
    path = file("a,b,c\n1,2,3\n4,5,6\n")
    assert read_series(path, ["c", "a"]).values.tolist() == [[3, 1], [6, 4]]


def test_one_column_needs_no_separator(file):
    assert read_series(file("a\n1\n2\n")).values.tolist() == [[1], [2]]


def test_text_columns_are_left_alone_unless_asked_for(file):
    path = file("place,a\nhere,1\nthere,2\n")
    assert read_series(path).columns == ("a",)
    assert refused(path, ["place"]) == (
        ", line 2, column 'place': 'here' is no number; task.columns says which columns to read"
    )


def test_many_parts_are_as_good_as_one(file, monkeypatch):
    path = file("t,a\n" + "".join(f"2020-01-01 00:{i:02},{i}\n" for i in range(50)))
    whole = read_series(path, None, "t")
    monkeypatch.setattr(series_csv, "PART", 7)
    parts = read_series(path, None, "t")
    assert np.array_equal(whole.values, parts.values)
    assert whole.spacing == parts.spacing


def test_values_may_be_written_to_as_torch_wants(file):
    values = read_series(file("a\n1\n2\n")).values
    assert values.flags.writeable
    assert isinstance(values, np.memmap)


def test_names_may_be_numbers_as_long_as_one_is_none(file):
    assert read_series(file("date,0,1\n2020-01-01,5,6\n")).columns == ("0", "1")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", ": is empty"),
        ("\n\n", ": is empty"),
        ("a,b\n", ": holds a line of names and no values"),
        ("1,2\n3,4\n", ", line 1: holds numbers where a line of column names is expected; add one"),
        ("2016-07-01,2\n2016-07-02,4\n", ", line 1: holds numbers where a line of column names is expected; add one"),
        ("a,a\n1,2\n", ", line 1: two columns are named 'a'; give each a name of its own"),
        ("a,b\nx,y\n", ", line 2: no column holds a number"),
        ("a,b\n1,2\n3\n", ", line 3: has 1 fields, where the header has 2"),
        ("a,b\n1\n", ", line 2: has 1 fields, where the header has 2"),
        ("a,b\n1,2\n3,\n", ", line 3, column 'b': nothing where a number is expected; fill gaps before training"),
        ("a,b\n1,\n3,4\n", ", line 2, column 'b': nothing where a number is expected; fill gaps before training"),
        ("a\n1\nNaN\n", ", line 3, column 'a': 'NaN' where a number is expected; fill gaps before training"),
        ("a\n1\n\n-inf\n", ", line 4, column 'a': -inf is not finite in 32 bits"),
        ("a\n1\n1e39\n", ", line 3, column 'a': 1e39 is not finite in 32 bits"),
        (
            "a;b\n1;2\n1,5;2\n",
            ", line 3, column 'a': '1,5' is no number; write 1.5, not 1,5; task.columns says which columns to read",
        ),
        ('a,b\n1,"2\n', ", line 2: unexpected end of data"),
        ("a\rb,c\n1,2\n", ", line 1: new-line character seen in unquoted field"),
        ("x" * 200_000 + ",b\n1,2\n", ", line 1: field larger than field limit (131072)"),
        (b"a\n1\n\xff\n", ", line 3: not UTF-8: byte 0xff at position 4; save the file as UTF-8"),
        (b"\xef\xbb\xbf\xe9\n", ", line 1: not UTF-8: byte 0xe9 at position 3; save the file as UTF-8"),
    ],
)
def test_a_bad_file_is_refused_by_line_and_column(file, content, message):
    assert refused(file(content)) == message


def test_a_column_that_is_not_there_is_refused_with_those_that_are(file):
    path = file("day,a,b\n2020-01-01,1,2\n")
    assert refused(path, ["a", "B"]) == ", line 1: no column 'B' among 'day', 'a', 'b'"
    assert refused(path, None, "date") == ", line 1: no column 'date' among 'day', 'a', 'b'"


def test_a_file_that_is_not_there_is_named(tmp_path):
    assert refused(tmp_path / "none.csv") == ": no such file"
    assert refused(tmp_path) == ": Is a directory"


def test_a_gap_in_the_dates_is_named(file):
    path = file("day,a\n2020-01-01,1\n2020-01-02,2\n2020-01-05,3\n")
    assert ", line 4: 2020-01-05 comes 3 days after" in refused(path, None, "day")
    assert len(read_series(path).values) == 3


def test_a_large_file_is_parsed_once(file, tmp_path, monkeypatch):
    path = file("day,a,b\n2020-01-01,1,2\n2020-01-02,3,4\n")
    plain = read_series(path, None, "day")
    monkeypatch.setenv("SEQTRAIN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(series_csv, "CACHED_FROM_BYTES", 1)
    first = read_series(path, None, "day")
    assert read_series(path, ["b"]).values.tolist() == [[2], [4]]  # another key
    monkeypatch.setattr(series_csv, "_parse", None)
    again = read_series(path, None, "day")
    for series in (first, again):
        assert np.array_equal(series.values, plain.values)
        assert (series.columns, series.spacing) == (plain.columns, plain.spacing)
        series.values[0] = 7  # a private copy
    assert read_series(path, None, "day").values[0].tolist() == [1, 2]
