import gzip

import numpy as np
import pytest

from seqtrain.errors import DataError
from seqtrain.spec import Symbols
from seqtrain.tasks import Multi30k, Split
from seqtrain.training.loader import train_loader


@pytest.fixture
def small(tmp_path, stand_in):
    folder = tmp_path / "multi30k"
    folder.mkdir()
    for name, german, english in (
        ("train", "Ein Hund rennt.\nZwei Hunde\n", "A Dog runs.\nTwo dogs see a dog.\n"),
        ("val", "Ein Hund\n", "A dog\n"),
        ("test_2016_flickr", "Hunde\n", "Dogs\n"),
    ):
        (folder / f"{name}.de.gz").write_bytes(gzip.compress(german.encode()))
        (folder / f"{name}.en.gz").write_bytes(gzip.compress(english.encode()))
    stand_in("multi30k", tmp_path)
    return tmp_path


def prepared(folder, **options):
    task = Multi30k(**options)
    task.prepare(folder, 0)
    return task


def test_captions_are_read_from_german_to_english(small):
    task = prepared(small, min_count=1)
    batch = task.examples(Split.TRAIN).batch(np.arange(2), 0)
    assert task.codes.source.symbols(batch.inputs[0].numpy()) == ["ein", "hund", "rennt", "."]
    assert task.codes.target.text(batch.targets[0].numpy()) == "A dog runs."
    assert batch.references == ("A Dog runs.", "Two dogs see a dog.")
    assert [len(task.examples(split)) for split in Split] == [2, 1, 1]
    assert task.metric == "bleu"


def test_options_are_honoured(small):
    assert prepared(small).spec.output == Symbols(4 + 3)  # a, dog and the full stop occur twice
    back = prepared(small, source="en", target="de", min_count=1, lowercase=False)
    assert "Zwei" in back.codes.target.symbols(np.arange(4, back.spec.output.size))
    assert prepared(small, level="characters").spec.horizon == 20
    assert prepared(small, level="subwords", max_vocab_size=25).spec.output == Symbols(25)
    assert prepared(small, max_vocab_size=5).spec.output == Symbols(5)
    short = prepared(small, max_length=4)
    assert len(short.examples(Split.TRAIN)) == 1
    assert short.notes()[0].endswith(" train pairs of more than task.max_length=4 symbols are left out")


def test_the_test_files_are_not_read_before_they_are_asked_for(small, stand_in):
    (small / "multi30k" / "test_2016_flickr.de.gz").write_bytes(b"no archive")
    stand_in("multi30k", small)
    task = prepared(small)
    with pytest.raises(DataError, match=r"test_2016_flickr\.de\.gz: can't be unpacked"):
        task.examples(Split.TEST)


@pytest.mark.real
def test_the_real_captions_are_those_of_the_literature(data_dir):
    task = prepared(data_dir)
    assert [len(task.examples(split)) for split in Split] == [29_000, 1_014, 1_000]
    assert (task.spec.input, task.spec.output, task.spec.horizon) == (Symbols(7857), Symbols(5977), 41)
    assert task.baseline()["bleu"] < 1
    real, padded = np.zeros(2), np.zeros(2)
    for batch in train_loader(task.examples(Split.TRAIN), 64, seed=0, epoch=0):
        real += int(batch.lengths.sum()), int(batch.target_lengths.sum())
        padded += batch.inputs.numel(), batch.targets.numel()
    assert 1 - real.sum() / padded.sum() < 0.1
