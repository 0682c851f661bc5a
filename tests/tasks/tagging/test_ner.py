import itertools
from pathlib import Path

import pytest

from seqtrain.errors import ConfigError, DataError
from seqtrain.tasks import NER, Split
from seqtrain.tasks.tagging.conll import Format
from seqtrain.tasks.tagging.sources import GeneratedSentences

FILE_OPTIONS = {
    "val_path": Path("b"),
    "test_path": Path("c"),
    "val_fraction": 0.2,
    "test_fraction": 0.2,
    "word_column": 0,
    "tag_column": 1,
    "scheme": "bio",
}
SENTENCE_OPTIONS = {"train_size": 10_000, "val_size": 5, "test_size": 5, "ambiguity": 0.5, "asides": 2}


@pytest.fixture
def rows(tmp_path):
    """Writes a file of numbered sentences: t0, t1, ..., each with a place."""

    def write(name, count, start=0):
        path = tmp_path / name
        path.write_text("".join(f"t{start + i} O\nBath B-place\n\n" for i in range(count)))
        return path

    return write


def numbers(task, data_dir, seed=0):
    source = task.source()
    return {split: [int(words[0][1:]) for words in source.read(split, data_dir, seed).words] for split in Split}


def test_without_path_sentences_are_generated(tmp_path):
    task = NER(train_size=60, val_size=20, test_size=30, ambiguity=0.1, asides=1)
    task.prepare(tmp_path, 7)
    assert [len(task.examples(split)) for split in Split] == [60, 20, 30]
    assert task.codes.types == ("firm", "person", "place")
    assert task.source() == GeneratedSentences(60, 20, 30, 0.1, 1)
    assert task.baseline()["f1"] < 0.4


def test_what_is_not_given_has_the_default_of_its_kind():
    assert NER().source() == GeneratedSentences(10_000, 2_000, 2_000, 0.5, 3)
    assert NER(path=Path("a")).source().layout == Format(0, -1, "auto")


@pytest.mark.parametrize(("name", "value"), FILE_OPTIONS.items())
def test_an_option_for_files_needs_a_path(name, value):
    with pytest.raises(ConfigError) as caught:
        NER(**{name: value})
    assert str(caught.value) == f"task.{name}={value}: is about files, and needs task.path"


@pytest.mark.parametrize(("name", "value"), SENTENCE_OPTIONS.items())
def test_an_option_for_generated_sentences_does_not_go_with_a_path(name, value):
    with pytest.raises(ConfigError) as caught:
        NER(path=Path("a"), **{name: value})
    assert str(caught.value) == f"task.{name}={value}: is about generated sentences, but task.path=a is a file"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train_size": 1}, "task.train_size=1: must be at least 2"),
        ({"val_size": 0}, "task.val_size=0: must be at least 2"),
        ({"test_size": 0}, "task.test_size=0: must be at least 2"),
        ({"ambiguity": 1.1}, "task.ambiguity=1.1: must be between 0 and 1"),
        ({"asides": -1}, "task.asides=-1: must be at least 0"),
        ({"min_count": 0}, "task.min_count=0: must be at least 1"),
        ({"max_vocab_size": 4}, "task.max_vocab_size=4: must be at least 5"),
        ({"max_length": 0}, "task.max_length=0: must be at least 1"),
        ({"word_dropout": -0.1}, "task.word_dropout=-0.1: must be between 0 and 1"),
        ({"path": Path("a"), "val_fraction": 0.0}, "task.val_fraction=0.0: must be above 0 and below 1"),
        (
            {"path": Path("a"), "test_path": Path("b"), "test_fraction": 0.2},
            "task.test_fraction=0.2: task.test_path=b is there already",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_read(options, message):
    with pytest.raises(ConfigError) as caught:
        NER(**options)
    assert str(caught.value) == message


def test_one_file_is_split_in_three_by_sentences(rows, tmp_path):
    split = numbers(NER(path=rows("a", 200)), tmp_path)
    assert {name: len(part) for name, part in split.items()} == {"train": 160, "val": 20, "test": 20}
    assert sorted(itertools.chain(*split.values())) == list(range(200))
    assert numbers(NER(path=rows("a", 200)), tmp_path, seed=1) == split
    split = numbers(NER(path=rows("a", 200), val_fraction=0.25, test_fraction=0.5), tmp_path)
    assert {name: len(part) for name, part in split.items()} == {"train": 50, "val": 50, "test": 100}


def test_a_split_with_a_file_of_its_own_takes_nothing_from_path(rows, tmp_path):
    path, val, test = rows("a", 20), rows("b", 4, 100), rows("c", 3, 200)
    assert numbers(NER(path=path, val_path=val, test_path=test), tmp_path) == {
        "train": list(range(20)),
        "val": [100, 101, 102, 103],
        "test": [200, 201, 202],
    }


def test_too_few_sentences_to_split_are_refused(rows, tmp_path):
    with pytest.raises(DataError, match=r"a: 2 examples are too few to split 1 off to validate and 1 to test$"):
        NER(path=rows("a", 2)).prepare(tmp_path, 0)


def test_columns_and_scheme_reach_the_files(tmp_path):
    path = tmp_path / "a"
    path.write_text("I-x NN w 1\nB-x NN v 2\n\n" * 10)
    task = NER(path=path, word_column=2, tag_column=0, scheme="iob1")
    task.prepare(tmp_path, 0)
    assert set(task.codes.vocabulary.words) == {"w", "v"}
    with pytest.raises(DataError, match="line 1: tag 'I-x' goes on with no entity"):
        NER(path=path, word_column=2, tag_column=0, scheme="bio").prepare(tmp_path, 0)


def test_missing_files_are_all_named_before_any_is_read(rows, tmp_path):
    task = NER(path=rows("a", 0), val_path=tmp_path / "b", test_path=tmp_path / "c")
    with pytest.raises(DataError) as caught:
        task.prepare(tmp_path, 0)
    assert str(caught.value) == f"no such file: {tmp_path / 'b'}, {tmp_path / 'c'}"
