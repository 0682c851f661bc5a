import itertools
from pathlib import Path

import pytest

from seqtrain.errors import ConfigError, DataError
from seqtrain.tasks.task import Split
from seqtrain.tasks.translation.sources import GeneratedPairs, Multi30kFiles, OwnPairs


@pytest.fixture
def written(tmp_path):
    def write(name, *lines):
        (tmp_path / name).write_text("\n".join(lines))
        return tmp_path / name

    return write


@pytest.fixture
def own(written):
    return {
        "path": written("a.de", *(f"Satz {i}" for i in range(20))),
        "target_path": written("a.en", *(f"line {i}" for i in range(20))),
    }


def read(source, split, seed=0):
    return source.read(split, Path("unread"), seed)


@pytest.mark.parametrize("kind", ["dates", "reverse"])
def test_generated_pairs_follow_seed_split_and_sizes(kind):
    source = GeneratedPairs(kind, train_size=30, val_size=20, test_size=10)
    assert [len(read(source, split)) for split in Split] == [30, 20, 10]
    assert read(source, Split.VAL) == read(source, Split.VAL)
    assert read(source, Split.VAL) != read(source, Split.VAL, seed=1)
    assert read(source, Split.VAL).sources[:10] != read(source, Split.TEST).sources


def test_options_of_generated_pairs_are_honoured():
    one = read(GeneratedPairs(length=1), Split.VAL)
    assert {len(target) for target in one.targets} == {10}
    assert max(map(len, read(GeneratedPairs(), Split.VAL).targets)) == 21
    assert max(map(len, read(GeneratedPairs("reverse"), Split.VAL).targets)) == 20
    assert max(map(len, read(GeneratedPairs("reverse", length=5), Split.VAL).targets)) == 5
    shorter = read(GeneratedPairs(filler=0.0), Split.VAL).sources
    assert sum(map(len, shorter)) < sum(map(len, read(GeneratedPairs(), Split.VAL).sources))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train_size": 0}, "task.train_size=0: must be at least 1"),
        ({"length": 0}, "task.length=0: must be at least 1"),
        ({"filler": 1.5}, "task.filler=1.5: must be between 0 and 1"),
        ({"kind": "reverse", "filler": 0.5}, "task.filler=0.5: is about dates, but task.kind=reverse has none"),
    ],
)
def test_options_of_generated_pairs_have_limits(options, message):
    with pytest.raises(ConfigError) as caught:
        GeneratedPairs(**options)
    assert str(caught.value) == message


def test_own_files_are_split_without_loss_and_alike_for_every_seed(own):
    source = OwnPairs(**own)
    source.check(Path("unread"))
    parts = [read(source, split) for split in Split]
    assert [len(part) for part in parts] == [16, 2, 2]
    assert sorted(itertools.chain(*(part.sources for part in parts))) == sorted(f"Satz {i}" for i in range(20))
    for part in parts:
        assert [f"line {text.split()[1]}" for text in part.sources] == part.targets
    assert read(source, Split.VAL, seed=1) == parts[1]
    assert [len(read(OwnPairs(**own, val_fraction=0.25, test_fraction=0.5), split)) for split in Split] == [5, 5, 10]


def test_own_files_of_validation_and_test_are_read(own, written):
    extra = {
        "val_path": written("v.de", "x"),
        "val_target_path": written("v.en", "y"),
        "test_path": written("t.de", "u"),
        "test_target_path": written("t.en", "v"),
    }
    source = OwnPairs(**own, **extra)
    assert [len(read(source, split)) for split in Split] == [20, 1, 1]
    assert (read(source, Split.VAL).targets, read(source, Split.TEST).sources) == (["y"], ["u"])


def test_the_test_files_are_not_read_before_they_are_asked_for(own, written):
    source = OwnPairs(**own, test_path=written("t.de", "u"), test_target_path=written("t.en", "v", "w"))
    source.check(Path("unread"))
    assert len(read(source, Split.TRAIN)) == 18
    with pytest.raises(DataError, match="has 1 lines"):
        read(source, Split.TEST)


def test_options_of_own_files_that_do_not_go_together_are_refused(own, tmp_path):
    here = tmp_path / "v"
    for options, message in (
        ({"val_path": here}, f"task.val_path={here}: needs task.val_target_path as its partner"),
        ({"test_target_path": here}, f"task.test_target_path={here}: needs task.test_path as its partner"),
        ({"val_fraction": 1.0}, "task.val_fraction=1.0: must be above 0 and below 1"),
        (
            {"val_path": here, "val_target_path": here, "val_fraction": 0.1},
            f"task.val_fraction=0.1: task.val_path={here} is there already",
        ),
    ):
        with pytest.raises(ConfigError) as caught:
            OwnPairs(**own, **options)
        assert str(caught.value) == message


def test_missing_files_are_named_at_once(own, tmp_path):
    with pytest.raises(DataError) as caught:
        OwnPairs(**own, test_path=tmp_path / "no.de", test_target_path=tmp_path / "no.en").check(Path("unread"))
    assert str(caught.value) == f"no such file: {tmp_path / 'no.de'}, {tmp_path / 'no.en'}"


def test_too_few_pairs_to_split_are_refused(written):
    source = OwnPairs(written("a", "one", "two"), written("b", "eins", "zwei"))
    with pytest.raises(DataError, match="a: 2 examples are too few to split 1 off to validate and 1 to test"):
        read(source, Split.TRAIN)


def test_multi30k_names_missing_files_and_the_folder(tmp_path):
    with pytest.raises(DataError) as caught:
        Multi30kFiles().check(tmp_path)
    said = str(caught.value)
    assert said.startswith("no such file: ")
    assert f"{tmp_path / 'multi30k' / 'train.de.gz'} (from https://" in said
    assert said.count(".gz (from") == 6
    assert said.endswith("where multi30k/ lies")


def test_multi30k_wants_two_languages():
    with pytest.raises(ConfigError, match=r"^task.target=en: is task.source as well; choose two languages$"):
        Multi30kFiles("en", "en")
