from pathlib import Path

import pytest
import torch

from seqtrain.errors import ConfigError, DataError
from seqtrain.tasks import Split, Text
from seqtrain.tasks.language.nested import sentences
from seqtrain.tasks.language.sources import GeneratedText, OwnText

FILE_OPTIONS = {"val_path": Path("b.txt"), "test_path": Path("c.txt"), "val_fraction": 0.2, "test_fraction": 0.2}
GENERATED_OPTIONS = {"train_size": 9, "val_size": 5, "test_size": 5, "depth": 2, "nesting": 0.5, "lexicon": 30}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("".join(f"{number:03} " for number in range(250)))  # 1,000 characters
    return path


def texts(task, data_dir):
    """The text of each split."""
    passages = {split: task.source().passage(split, data_dir, 0, at_blank=task.level == "words") for split in Split}
    return {str(split): "".join(passage.blocks()) for split, passage in passages.items()}


def test_without_path_text_is_generated(tmp_path):
    task = Text(train_size=60, val_size=20, test_size=30, depth=2, nesting=0.2, lexicon=30)
    task.prepare(tmp_path, 7)
    for split, size in zip(Split, (60, 20, 30), strict=True):
        expected = "".join(sentences(size, 7, split, depth=2, nesting=0.2, lexicon=30))
        assert task.text_of(torch.from_numpy(task.examples(split).ids).long()) == expected


def test_what_is_not_given_has_the_default_of_its_kind():
    assert Text().source() == GeneratedText(10_000, 1_000, 1_000, 3, 0.5, 20)


@pytest.mark.parametrize(("name", "value"), FILE_OPTIONS.items())
def test_an_option_for_files_needs_a_path(name, value):
    with pytest.raises(ConfigError) as caught:
        Text(**{name: value})
    assert str(caught.value) == f"task.{name}={value}: is about files, and needs task.path"


@pytest.mark.parametrize(("name", "value"), GENERATED_OPTIONS.items())
def test_an_option_for_generated_text_does_not_go_with_a_path(name, value):
    with pytest.raises(ConfigError) as caught:
        Text(path=Path("a.txt"), **{name: value})
    assert str(caught.value) == f"task.{name}={value}: is about generated text, but task.path=a.txt is a file"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train_size": 0}, "task.train_size=0: must be at least 1"),
        ({"val_size": 0}, "task.val_size=0: must be at least 1"),
        ({"test_size": 0}, "task.test_size=0: must be at least 1"),
        ({"depth": -1}, "task.depth=-1: must be at least 0"),
        ({"nesting": 1.5}, "task.nesting=1.5: must be between 0 and 1"),
        ({"lexicon": 3}, "task.lexicon=3: must be at least 4"),
        ({"path": Path("a"), "val_fraction": 0.0}, "task.val_fraction=0.0: must be above 0 and below 1"),
        ({"path": Path("a"), "test_fraction": 1.0}, "task.test_fraction=1.0: must be above 0 and below 1"),
        (
            {"path": Path("a"), "val_path": Path("b"), "val_fraction": 0.2},
            "task.val_fraction=0.2: task.val_path=b is there already",
        ),
        (
            {"path": Path("a"), "test_path": Path("b"), "test_fraction": 0.2},
            "task.test_fraction=0.2: task.test_path=b is there already",
        ),
        (
            {"path": Path("a"), "val_fraction": 0.9},
            "task.val_fraction=0.9 and task.test_fraction=0.1: nothing is left to train on",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_read(options, message):
    with pytest.raises(ConfigError) as caught:
        Text(**options)
    assert str(caught.value) == message


def test_the_beginning_trains_what_follows_validates_and_the_end_tests(file, tmp_path):
    content = file.read_text()
    assert texts(Text(path=file), tmp_path) == {
        "train": content[:800],
        "val": content[800:900],
        "test": content[900:],
    }
    split = texts(Text(path=file, val_fraction=0.25, test_fraction=0.5), tmp_path)
    assert split == {"train": content[:250], "val": content[250:500], "test": content[500:]}
    words = texts(Text(path=file, val_fraction=0.25, test_fraction=0.5, level="words"), tmp_path)
    assert words == {"train": content[:252], "val": content[252:500], "test": content[500:]}


def test_a_split_with_a_file_of_its_own_takes_nothing_from_path(file, tmp_path):
    content = file.read_text()
    val, test = tmp_path / "b.txt", tmp_path / "c.txt"
    val.write_text("val")
    test.write_text("test")
    split = texts(Text(path=file, val_path=val, test_path=test), tmp_path)
    assert split == {"train": content, "val": "val", "test": "test"}
    split = texts(Text(path=file, val_path=val), tmp_path)
    assert split == {"train": content[:900], "val": "val", "test": content[900:]}
    split = texts(Text(path=file, test_path=test), tmp_path)
    assert split == {"train": content[:900], "val": content[900:], "test": "test"}


def test_every_file_is_looked_for_at_once(file, tmp_path):
    with pytest.raises(DataError, match=r"c\.txt: no such file$"):
        Text(path=file, test_path=tmp_path / "c.txt").prepare(tmp_path, 0)
    assert OwnText(file).path == file


@pytest.mark.parametrize("content", ["a", "ab"])
def test_a_file_too_short_to_be_cut_is_refused(tmp_path, content):
    path = tmp_path / "a.txt"
    path.write_text(content)
    with pytest.raises(DataError, match=r"a\.txt: its train part has \d characters, where 101 are needed"):
        Text(path=path).prepare(tmp_path, 0)
