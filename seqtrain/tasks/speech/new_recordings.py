"""Recordings without labels: audio files, folders and lists of them, or samples at hand."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from seqtrain.errors import DataError
from seqtrain.tasks.given import Given, Source
from seqtrain.tasks.labelled_text import Columns, read_texts
from seqtrain.tasks.speech.audio import Wave, decode, joined
from seqtrain.tasks.speech.corpus import Corpus, of_recordings
from seqtrain.tasks.speech.features import FeatureOptions
from seqtrain.tasks.speech.sources import AUDIO


def read_recordings(source: Source, columns: Columns) -> Iterator[Given]:
    """Audio files by their names, to be opened when it is their turn: one, all below a folder, or those of a list.

    A stream is one audio file itself.

    Raises:
        DataError: If there is none, or a list can't be read.
    """
    if source.stream is not None and source.layout is None:
        yield Given(source.content(), str(source))
    elif source.path.is_dir():
        files = sorted(file for file in source.path.rglob("*") if file.suffix.lower() in AUDIO)
        if not files:
            raise DataError(f"{source}: holds no audio files, {', '.join(AUDIO)}")
        yield from (Given(file, str(file), {"file": str(file)}) for file in files)
    elif source.format in ("tsv", "csv", "jsonl") or source.layout == "lines":
        folder = Path() if source.stream is not None else source.path.parent
        for each in read_texts(source, columns):
            path = folder / each.text()
            yield Given(path, f"{path} ({each.place})", {**each.told, "file": str(path)})
    else:
        yield Given(source.path, str(source), {"file": str(source)})


def wave_of(given: Given, sample_rate_hz: int) -> Wave:
    """What was given as a sound: an audio file by its name or content, or samples at this rate, (S,) or (S, C).

    Raises:
        DataError: If it is anything else, or can't be read.
    """
    value = given.value
    if isinstance(value, str | Path):
        try:
            value = Path(value).read_bytes()
        except OSError as error:
            raise DataError(f"{given.place}: can't be read ({error.strerror})") from None
    if isinstance(value, bytes):
        return decode(value, given.place, sample_rate_hz)
    try:
        samples = np.asarray(value, np.float32)
    except (TypeError, ValueError):
        samples = np.empty(0, np.float32)
    if samples.ndim not in (1, 2) or not samples.size or not np.isfinite(samples).all():
        raise DataError(f"{given.place}: an audio file or samples in -1 to 1 are expected")
    return samples if samples.ndim == 1 else samples.mean(1)


def new_corpus(given: Sequence[Given], kind: FeatureOptions) -> Corpus:
    """Sounds as spectra, with labels that mean nothing."""
    waves = [wave_of(each, kind.sample_rate_hz) for each in given]
    blank, places = [""] * len(given), [each.place for each in given]
    return of_recordings(joined(waves, blank, blank, places), kind)
