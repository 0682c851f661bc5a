import numpy as np
import pytest

from seqtrain.batch import UNK
from seqtrain.errors import DataError
from seqtrain.spec import Align, Symbols, TaskSpec
from seqtrain.tasks import SST2, Split


@pytest.fixture
def small(tmp_path, stand_in):
    folder = tmp_path / "sst2"
    folder.mkdir()
    (folder / "train.tsv").write_text("a Moving film\t1\nit 's dull -- and long\t0\na film\t1")
    (folder / "dev.tsv").write_text("dull , dull\t0")
    (folder / "test.tsv").write_text("moving\t1\nlong\t0")
    stand_in("sst2", tmp_path)
    return tmp_path


def test_sentences_are_split_at_blanks_and_labels_follow_a_tab(small):
    task = SST2()
    task.prepare(small, 0)
    assert [len(task.examples(split)) for split in Split] == [3, 1, 2]
    assert task.codes.classes == ("negative", "positive")
    assert {"'s", "--", "Moving"} <= set(task.codes.vocabulary.words)


def test_options_are_honoured(small):
    task = SST2(lowercase=True, min_count=2, max_vocab_size=5, max_length=2, word_dropout=1.0)
    task.prepare(small, 0)
    assert task.codes.vocabulary.words == ("a",)
    assert task.examples(Split.TRAIN).lengths.tolist() == [2, 2, 2]
    assert (task.examples(Split.TRAIN).batch(np.arange(3), 0).inputs == UNK).all()
    task = SST2(lowercase=True)
    task.prepare(small, 0)
    assert "moving" in task.codes.vocabulary.words


def test_missing_files_are_named_with_the_folder_to_put_them_in(small):
    (small / "sst2" / "dev.tsv").unlink()
    (small / "sst2" / "test.tsv").unlink()
    with pytest.raises(DataError) as caught:
        SST2().prepare(small, 0)
    said = str(caught.value)
    assert said.startswith(f"no such file: {small / 'sst2' / 'dev.tsv'} (from https://")
    assert f"{small / 'sst2' / 'test.tsv'} (from https://" in said
    assert "train.tsv" not in said
    assert said.endswith("or say with data_dir=... or $SEQTRAIN_DATA where sst2/ lies")


def test_the_test_file_is_not_read_before_it_is_asked_for(small, stand_in):
    (small / "sst2" / "test.tsv").write_text("no label\n")
    stand_in("sst2", small)
    task = SST2()
    task.prepare(small, 0)
    with pytest.raises(DataError, match=r"test\.tsv, line 1: no column 1"):
        task.examples(Split.TEST)


@pytest.mark.real
def test_the_real_sentences_are_those_of_the_literature(data_dir):
    task = SST2()
    task.prepare(data_dir, 0)
    assert [len(task.examples(split)) for split in Split] == [6920, 872, 1821]
    assert task.spec == TaskSpec(Symbols(13_838 + 4), Symbols(2), Align.WHOLE)
    assert [int(task.examples(split).labels.sum()) for split in Split] == [3610, 444, 909]
    assert max(task.examples(split).lengths.max() for split in Split) <= 56
    assert task.baseline()["accuracy"] == pytest.approx(444 / 872)
