import itertools
from pathlib import Path

import numpy as np
import pytest

from seqtrain.errors import ConfigError, DataError
from seqtrain.tasks import Sentiment, Split
from seqtrain.tasks.classification.reviews import reviews
from seqtrain.tasks.classification.sources import GeneratedReviews

FILE_OPTIONS = {
    "val_path": Path("b.tsv"),
    "test_path": Path("c.tsv"),
    "val_fraction": 0.2,
    "test_fraction": 0.2,
    "text_column": "text",
    "label_column": "label",
    "header": True,
}
REVIEW_OPTIONS = {"train_size": 10_000, "val_size": 5, "test_size": 5, "contrast": 0.5, "negation": 0.5, "irony": 0.5}


@pytest.fixture
def rows(tmp_path):
    """Writes a file of numbered texts: t0, t1, ..., with labels in turn."""

    def write(name, count, start=0, labels=("pos", "neg")):
        path = tmp_path / name
        lines = [f"t{start + i}\t{labels[i % len(labels)]}" for i in range(count)]
        path.write_text("\n".join(["text\tlabel", *lines]))
        return path

    return write


def texts(task, data_dir, seed=0):
    """The numbers of the texts of each split, as they are read."""
    source = task.source()
    return {split: [int(text[1:]) for text in source.read(split, data_dir, seed).texts] for split in Split}


def test_without_path_reviews_are_generated(tmp_path):
    task = Sentiment(train_size=60, val_size=20, test_size=30, contrast=0.1, negation=0.2, irony=0.4)
    task.prepare(tmp_path, 7)
    assert [len(task.examples(split)) for split in Split] == [60, 20, 30]
    assert task.codes.classes == ("negative", "positive")
    expected, labels = reviews(Split.TEST, 30, 7, contrast=0.1, negation=0.2, irony=0.4)
    source = task.source().read(Split.TEST, tmp_path, 7)
    assert source.texts == expected
    assert task.examples(Split.TEST).labels.tolist() == labels.tolist()


def test_what_is_not_given_has_the_default_of_its_kind():
    assert Sentiment().source() == GeneratedReviews(10_000, 2_000, 2_000, 0.5, 0.25, 0.2)


@pytest.mark.parametrize(("name", "value"), FILE_OPTIONS.items())
def test_an_option_for_files_needs_a_path(name, value):
    with pytest.raises(ConfigError) as caught:
        Sentiment(**{name: value})
    assert str(caught.value) == f"task.{name}={value}: is about files, and needs task.path"


@pytest.mark.parametrize(("name", "value"), REVIEW_OPTIONS.items())
def test_an_option_for_reviews_does_not_go_with_a_path(name, value):
    with pytest.raises(ConfigError) as caught:
        Sentiment(path=Path("a.tsv"), **{name: value})
    assert str(caught.value) == f"task.{name}={value}: is about generated reviews, but task.path=a.tsv is a file"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train_size": 1}, "task.train_size=1: must be at least 2"),
        ({"val_size": 0}, "task.val_size=0: must be at least 2"),
        ({"test_size": 0}, "task.test_size=0: must be at least 2"),
        ({"contrast": 1.1}, "task.contrast=1.1: must be between 0 and 1"),
        ({"negation": -0.1}, "task.negation=-0.1: must be between 0 and 1"),
        ({"irony": 1.5}, "task.irony=1.5: must be between 0 and 1"),
        ({"path": Path("a.tsv"), "val_fraction": 0.0}, "task.val_fraction=0.0: must be above 0 and below 1"),
        ({"path": Path("a.tsv"), "test_fraction": 1.0}, "task.test_fraction=1.0: must be above 0 and below 1"),
        (
            {"path": Path("a.tsv"), "val_path": Path("b.tsv"), "val_fraction": 0.2},
            "task.val_fraction=0.2: task.val_path=b.tsv is there already",
        ),
        (
            {"path": Path("a.tsv"), "test_path": Path("b.tsv"), "test_fraction": 0.2},
            "task.test_fraction=0.2: task.test_path=b.tsv is there already",
        ),
        ({"path": Path("a.tsv"), "val_path": Path("b.jsonl"), "header": True}, "task.header=True: b.jsonl is a JSON"),
        ({"path": Path("a.docx")}, "a.docx: the name doesn't tell the format"),
        ({"word_dropout": 2.0}, "task.word_dropout=2.0: must be between 0 and 1"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_read(options, message):
    with pytest.raises(ConfigError) as caught:
        Sentiment(**options)
    assert str(caught.value).startswith(message)


def test_one_file_is_split_in_three(rows, tmp_path):
    split = texts(Sentiment(path=rows("a.tsv", 200)), tmp_path)
    assert {name: len(part) for name, part in split.items()} == {"train": 160, "val": 20, "test": 20}
    assert sorted(itertools.chain(*split.values())) == list(range(200))
    assert all(part == sorted(part) for part in split.values())
    assert split[Split.VAL] != list(range(split[Split.VAL][0], split[Split.VAL][0] + 20))


def test_runs_of_every_seed_are_held_to_the_same_examples(rows, tmp_path):
    task = Sentiment(path=rows("a.tsv", 200))
    assert texts(task, tmp_path, seed=1) == texts(task, tmp_path)


def test_fractions_are_those_asked_for(rows, tmp_path):
    split = texts(Sentiment(path=rows("a.tsv", 200), val_fraction=0.25, test_fraction=0.5), tmp_path)
    assert {name: len(part) for name, part in split.items()} == {"train": 50, "val": 50, "test": 100}


def test_a_split_with_a_file_of_its_own_takes_nothing_from_path(rows, tmp_path):
    path, val, test = rows("a.tsv", 20), rows("b.tsv", 4, 100), rows("c.tsv", 3, 200)
    assert texts(Sentiment(path=path, val_path=val, test_path=test), tmp_path) == {
        "train": list(range(20)),
        "val": [100, 101, 102, 103],
        "test": [200, 201, 202],
    }
    split = texts(Sentiment(path=path, test_path=test), tmp_path)
    assert (len(split[Split.TRAIN]), len(split[Split.VAL]), len(split[Split.TEST])) == (18, 2, 3)


def test_too_few_examples_to_split_are_refused(rows, tmp_path):
    path = rows("a.tsv", 2)
    with pytest.raises(DataError, match=r"a\.tsv: 2 examples are too few to split 1 off to validate and 1 to test$"):
        Sentiment(path=path).prepare(tmp_path, 0)


def test_a_file_of_many_classes_is_prepared(rows, tmp_path):
    task = Sentiment(path=rows("a.tsv", 100, labels=("red", "green", "blue")))
    task.prepare(tmp_path, 0)
    assert task.codes.classes == ("blue", "green", "red")
    assert set(task.baseline()) == {"accuracy", "f1"}


def test_columns_and_text_options_reach_the_file(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("1,So GOOD!\n0,So BAD!\n" * 10)
    options = {"lowercase": False, "tokenizer": "whitespace", "min_count": 2, "max_vocab_size": 6, "max_length": 2}
    task = Sentiment(path=path, header=False, text_column=1, label_column=0, word_dropout=1.0, **options)
    task.prepare(tmp_path, 0)
    assert task.codes.vocabulary.words[0] == "So"
    assert set(task.codes.vocabulary.words) < {"So", "BAD!", "GOOD!"}
    assert task.codes.classes == ("0", "1")
    assert (task.examples(Split.TRAIN).batch(np.arange(4), 0).inputs == 1).all()


def test_missing_files_are_all_named_before_any_is_read(rows, tmp_path):
    task = Sentiment(path=rows("a.tsv", 0), val_path=tmp_path / "b.tsv", test_path=tmp_path / "c.csv")
    with pytest.raises(DataError) as caught:
        task.prepare(tmp_path, 0)
    assert str(caught.value) == f"no such file: {tmp_path / 'b.tsv'}, {tmp_path / 'c.csv'}"


def test_the_test_file_is_not_read_before_it_is_asked_for(rows, tmp_path):
    garbage = tmp_path / "c.tsv"
    garbage.write_bytes(b"\xff\xfe\x00")
    task = Sentiment(path=rows("a.tsv", 20), test_path=garbage)
    task.prepare(tmp_path, 0)
    with pytest.raises(DataError, match=r"c\.tsv, line 1: not UTF-8"):
        task.examples(Split.TEST)


def test_a_label_that_training_lacks_is_told_with_its_line(rows, tmp_path):
    val = rows("b.tsv", 3, labels=("pos", "neg", "maybe"))
    with pytest.raises(DataError) as caught:
        Sentiment(path=rows("a.tsv", 20), val_path=val).prepare(tmp_path, 0)
    assert str(caught.value) == f"{val}, line 4: label 'maybe' is not in the training data, which has neg, pos"
