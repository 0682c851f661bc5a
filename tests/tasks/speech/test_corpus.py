from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from seqtrain.data.cache import CacheError
from seqtrain.errors import DataError
from seqtrain.tasks.speech import corpus as speech_corpus
from seqtrain.tasks.speech.audio import joined
from seqtrain.tasks.speech.corpus import corpus
from seqtrain.tasks.speech.features import FeatureOptions
from seqtrain.tasks.speech.sources import SoundSource, SynthesisedWords
from seqtrain.tasks.task import Split

KIND = FeatureOptions(mels=5)


@dataclass(frozen=True)
class Given(SoundSource):
    """Sounds at hand, and a note of how often they were asked for."""

    mark: object
    asked: list = field(default_factory=list)

    def check(self, data_dir): ...

    def waves(self, split, data_dir, seed, sample_rate_hz, indices): ...

    def fingerprint(self, split, data_dir):
        return self.mark

    def read(self, split, data_dir, seed, sample_rate_hz):
        self.asked.append(split)
        return joined([np.full(500, 0.5, np.float32)] * 2, ["ä", "b"], ["me", "you"], ["x", "y"])


@pytest.fixture
def read(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQTRAIN_CACHE", str(tmp_path))

    def reading(source, kind=KIND, split=Split.TRAIN, seed=0):
        return corpus(source, kind, split, Path("nowhere"), seed)

    return reading


def same(one, other):
    assert np.array_equal(one.spectra, other.spectra)
    assert np.array_equal(one.frames, other.frames)
    assert (one.labels, one.speakers, one.names) == (other.labels, other.speakers, other.names)


def test_what_was_read_once_is_not_decoded_again(read):
    source = Given("a")
    first, second = read(source), read(source)
    same(first, second)
    assert first.labels == ["ä", "b"]
    assert len(first) == 2
    assert source.asked == [Split.TRAIN]


def test_other_files_options_and_splits_are_read_anew(read):
    source = Given("a")
    read(source)
    read(replace(source, mark="b"))
    read(source, split=Split.VAL)
    for change in ({"hop_ms": 5.0}, {"range_db": None}, {"mels": 6}):
        read(source, replace(KIND, **change))
    assert len(source.asked) == 6
    for change in ({"features": "mfcc", "mfccs": 3}, {"normalize": "utterance"}, {"stack_frames": 3}):
        read(source, replace(KIND, **change))
    assert len(source.asked) == 6


def test_what_has_no_fingerprint_is_not_kept(read, tmp_path):
    source = Given(None)
    same(read(source), read(source))
    assert len(source.asked) == 2
    read(SynthesisedWords(4, 4, 4))
    assert list(tmp_path.iterdir()) == []


def test_without_a_place_to_keep_things_it_works(read, monkeypatch):
    def full(*_):
        raise CacheError("no space")

    monkeypatch.setattr(speech_corpus, "cached", full)
    assert read(Given("a")).labels == ["ä", "b"]


def test_errors_of_data_are_told_and_nothing_is_kept(read):
    @dataclass(frozen=True)
    class Broken(Given):
        def read(self, *_):
            raise DataError("x.wav: is empty")

    with pytest.raises(DataError, match=r"^x\.wav: is empty$"):
        read(Broken("a"))
    assert read(Given("a")).labels == ["ä", "b"]
