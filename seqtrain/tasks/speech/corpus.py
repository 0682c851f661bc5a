"""The spectra of a split's recordings, kept on disk once they are made: decoding many files takes minutes."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int

from seqtrain.data import cached
from seqtrain.data.cache import CacheError
from seqtrain.tasks.speech.audio import Recordings
from seqtrain.tasks.speech.features import FeatureOptions, Spectra
from seqtrain.tasks.speech.sources import SoundSource
from seqtrain.tasks.task import Split

FORMAT = 1
"""Changes whenever other spectra are made from the same sounds and options."""
LATER = ("features", "mfccs", "normalize", "stack_frames")
"""Options of features that spectra don't depend on."""


@dataclass(frozen=True)
class Corpus:
    """The recordings of one split.

    Attributes:
        spectra: All frames of the first recording, then of the next.
        frames: Frames of each recording.
        labels: What was said in each.
        speakers: Who said it.
        names: Where to look for it.
    """

    spectra: Spectra
    frames: Int[np.ndarray, " N"]
    labels: list[str]
    speakers: list[str]
    names: list[str]

    def __len__(self) -> int:
        return len(self.frames)


def corpus(source: SoundSource, kind: FeatureOptions, split: Split, data_dir: Path, seed: int) -> Corpus:
    """One split of a source; from the cache if it was read before from the same files with the same options.

    Raises:
        DataError: If a file is missing or malformed.
    """

    def made() -> Corpus:
        return of_recordings(source.read(split, data_dir, seed, kind.sample_rate_hz), kind)

    files = source.fingerprint(split, data_dir)
    if files is None:
        return made()
    options = {name: value for name, value in asdict(kind).items() if name not in LATER}
    key = {"format": FORMAT, "files": files, "split": split.value, "options": options}
    try:
        folder = cached("spectra", key, lambda new: _keep(made(), new))
    except CacheError:  # no place to keep anything: work without
        return made()
    return _kept(folder)


def of_recordings(sounds: Recordings, kind: FeatureOptions) -> Corpus:
    """The spectra of recordings."""
    spectra, frames = kind.spectra(sounds.samples, sounds.lengths), kind.frames(sounds.lengths)
    return Corpus(spectra, frames, [*sounds.labels], [*sounds.speakers], [*sounds.names])


def _keep(corpus: Corpus, folder: Path) -> None:
    np.save(folder / "spectra.npy", corpus.spectra)
    np.save(folder / "frames.npy", corpus.frames)
    texts = {"labels": corpus.labels, "speakers": corpus.speakers, "names": corpus.names}
    (folder / "texts.json").write_text(json.dumps(texts), encoding="utf-8")


def _kept(folder: Path) -> Corpus:
    texts = json.loads((folder / "texts.json").read_text(encoding="utf-8"))
    return Corpus(np.load(folder / "spectra.npy"), np.load(folder / "frames.npy"), **texts)
