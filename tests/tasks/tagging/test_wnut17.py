import numpy as np
import pytest

from seqtrain.batch import UNK
from seqtrain.errors import DataError
from seqtrain.spec import Spelt, Symbols
from seqtrain.tasks import WNUT17, Split

FILES = {
    "wnut17train.conll": "From\tO\nGreen\tB-location\nNewsfeed\tI-location\n\t\nIT\tO\n12\tO\n",
    "emerging.dev.conll": "Green\tB-location\n",
    "emerging.test.annotated": "a\tO\n\nb\tO\n",
}


@pytest.fixture
def small(tmp_path, stand_in):
    (tmp_path / "wnut17").mkdir()
    for name, content in FILES.items():
        (tmp_path / "wnut17" / name).write_text(content)
    stand_in("wnut17", tmp_path)
    return tmp_path


def test_the_three_files_are_read(small):
    task = WNUT17()
    task.prepare(small, 0)
    assert [len(task.examples(split)) for split in Split] == [2, 1, 2]
    assert task.codes.types == ("location",)
    assert {"from", "green", "00"} <= set(task.codes.vocabulary.words)


def test_options_are_honoured(small):
    task = WNUT17(
        lowercase=False, digits_to_zero=False, min_count=1, max_vocab_size=6, max_length=1, word_dropout=1.0,
        characters=False, crf=True, constrained=False,
    )  # fmt: skip
    task.prepare(small, 0)
    assert task.codes.vocabulary.words == ("12", "From")
    assert task.examples(Split.TRAIN).lengths.tolist() == [1, 1]
    assert (task.examples(Split.TRAIN).batch(np.arange(2), 0).inputs == UNK).all()
    assert task.spec.output == Symbols(3, chained=True)
    assert task._options.constrained is False
    task = WNUT17(min_count=2)
    task.prepare(small, 0)
    assert task.codes.vocabulary.words == ()


def test_missing_files_are_named_with_the_folder_to_put_them_in(small):
    (small / "wnut17" / "emerging.dev.conll").unlink()
    with pytest.raises(DataError) as caught:
        WNUT17().prepare(small, 0)
    said = str(caught.value)
    assert said.startswith(f"no such file: {small / 'wnut17' / 'emerging.dev.conll'} (from https://")
    assert said.endswith("or say with data_dir=... or $SEQTRAIN_DATA where wnut17/ lies")


def test_the_test_file_is_not_read_before_it_is_asked_for(small, stand_in):
    (small / "wnut17" / "emerging.test.annotated").write_text("no_tag\n")
    stand_in("wnut17", small)
    task = WNUT17()
    task.prepare(small, 0)
    with pytest.raises(DataError, match=r"emerging\.test\.annotated, line 1: has one column"):
        task.examples(Split.TEST)


@pytest.mark.real
def test_the_real_sentences_are_those_of_the_literature(data_dir):
    task = WNUT17()
    task.prepare(data_dir, 0)
    splits = [task.examples(split) for split in Split]
    assert [len(each) for each in splits] == [3_394, 1_009, 1_287]
    assert [int(each.lengths.sum()) for each in splits] == [62_730, 15_733, 23_394]
    assert [int((each.tags.flat % 2).sum()) for each in splits] == [1_975, 836, 1_079]
    assert task.codes.types == ("corporation", "creative-work", "group", "location", "person", "product")
    assert task.spec.output == Symbols(13)
    assert isinstance(task.spec.input, Spelt)
    assert task.baseline()["f1"] == pytest.approx(0.1042, abs=1e-4)
