"""Where recordings come from: synthesised, a user's files, or FSDD."""

import re
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from seqtrain import limits
from seqtrain.data import fingerprint, obtain
from seqtrain.errors import ConfigError, DataError
from seqtrain.seeding import stream
from seqtrain.tasks.labelled_text import Columns, read_labelled
from seqtrain.tasks.speech.audio import Recordings, Wave, decode, joined
from seqtrain.tasks.speech.synthesis import synthesised
from seqtrain.tasks.task import Split

AUDIO = (".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff")
"""How the names of the files end that a folder is searched for."""
MANIFESTS = (".csv", ".tsv", ".tab", ".jsonl", ".ndjson")

WORDS_PER_SPEAKER = 30

FSDD_SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
FSDD_TAKES = 5
"""Recordings of each digit by each speaker in FSDD's official test split; as many are held out to validate."""
_MEMBER = re.compile(r"recordings/(\d)_([a-z]+)_(\d+)\.wav")

FSDDSplit = Literal["official", "speaker"]


class SoundSource(ABC):
    """Three splits of recordings with labels.

    Attributes:
        columns: Where path and label stand in a list of files.
    """

    columns: Columns

    @abstractmethod
    def check(self, data_dir: Path) -> None:
        """Refuses, before anything is read, a source of which a file is missing; also one of the test split."""

    @abstractmethod
    def read(self, split: Split, data_dir: Path, seed: int, sample_rate_hz: int) -> Recordings:
        """The sounds of one split; decodes none of another."""

    @abstractmethod
    def waves(self, split: Split, data_dir: Path, seed: int, sample_rate_hz: int, indices: Sequence[int]) -> list[Wave]:
        """The sounds of some recordings of a split, by their places among those that `read` gives."""

    @abstractmethod
    def fingerprint(self, split: Split, data_dir: Path) -> object:
        """All that `read` depends on but its arguments, in plain values; None if the sounds aren't worth keeping."""


@dataclass(frozen=True)
class SynthesisedWords(SoundSource):
    """Words made on the spot; see `seqtrain.tasks.speech.synthesis`. No speaker is in two splits.

    Attributes:
        train_size: Words to train on.
        val_size: Words to validate on.
        test_size: Words to test on.
        noise: The root mean square of the noise over that of the word.
        variation: How far speakers differ in pitch, vocal tract and pace: 0 not at all, 1 as people do.
    """

    train_size: int = 6000
    val_size: int = 1000
    test_size: int = 1000
    noise: float = 2.0
    variation: float = 1.0
    columns: Columns = field(default=Columns(text="path"), init=False)

    def __post_init__(self) -> None:
        limits.at_least("task", 2, train_size=self.train_size, val_size=self.val_size, test_size=self.test_size)
        limits.at_least("task", 0, noise=self.noise)
        limits.chance("task", variation=self.variation)

    def check(self, data_dir: Path) -> None:
        """Needs no file."""

    def read(self, split: Split, data_dir: Path, seed: int, sample_rate_hz: int) -> Recordings:
        """Speaks the words of one split."""
        size = {Split.TRAIN: self.train_size, Split.VAL: self.val_size, Split.TEST: self.test_size}[split]
        rng = stream(seed, f"speech/{split}")
        speakers = max(1, size // WORDS_PER_SPEAKER)
        return synthesised(rng, size, speakers, sample_rate_hz, self.noise, self.variation)

    def waves(self, split: Split, data_dir: Path, seed: int, sample_rate_hz: int, indices: Sequence[int]) -> list[Wave]:
        """Speaks all of them again: each is drawn after the one before."""
        made = self.read(split, data_dir, seed, sample_rate_hz)
        ends = np.cumsum(made.lengths)
        return [made.samples[ends[index] - made.lengths[index] : ends[index]] for index in indices]

    def fingerprint(self, split: Split, data_dir: Path) -> None:
        """Made as fast as they would be read."""


class Listed(NamedTuple):
    """An audio file before it is read."""

    path: Path
    label: str
    place: str


@dataclass(frozen=True)
class OwnRecordings(SoundSource):
    """A user's own folder or manifest, from which validation and test are split off unless they have their own.

    A folder holds one folder for each label, with audio files anywhere below. A manifest names files, relative to its
    own folder, and their labels. Of each label the same share is split off, at random but the same for every seed, so
    that runs over seeds can be compared; a label with a single file stays in training. Who speaks isn't known.

    Attributes:
        path: Where to train.
        val_path: Where to validate; None splits `val_fraction` off.
        test_path: Where to test; None splits `test_fraction` off.
        val_fraction: None is 0.1.
        test_fraction: None is 0.1.
        columns: Where path and label stand, in each manifest.
    """

    path: Path
    val_path: Path | None = None
    test_path: Path | None = None
    val_fraction: float | None = None
    test_fraction: float | None = None
    columns: Columns = field(default_factory=lambda: Columns(text="path"))

    def __post_init__(self) -> None:
        for name in ("val", "test"):
            fraction, path = getattr(self, f"{name}_fraction"), getattr(self, f"{name}_path")
            if fraction is not None and path is not None:
                raise ConfigError(f"task.{name}_fraction={fraction}: task.{name}_path={path} is there already")
            if fraction is not None:
                limits.fraction("task", **{f"{name}_fraction": fraction})

    def check(self, data_dir: Path) -> None:
        """Looks for folders and manifests, relative to the current folder."""
        for path in (self.path, self.val_path, self.test_path):
            if path is not None:
                self._refuse_unfit(path)

    def read(self, split: Split, data_dir: Path, seed: int, sample_rate_hz: int) -> Recordings:
        """Decodes the files of the split's own folder or manifest, or its part of the training one."""
        return self._decoded(self._files(split), sample_rate_hz)

    def whole(self, sample_rate_hz: int) -> Recordings:
        """Decodes all files of the folder or manifest, of which nothing is split off."""
        self._refuse_unfit(self.path)
        return self._decoded(self._listed(self.path), sample_rate_hz)

    @staticmethod
    def _decoded(files: list[Listed], sample_rate_hz: int) -> Recordings:
        waves = [decode(_content(file), file.place, sample_rate_hz) for file in files]
        return joined(waves, [file.label for file in files], [""] * len(files), [file.place for file in files])

    def waves(self, split: Split, data_dir: Path, seed: int, sample_rate_hz: int, indices: Sequence[int]) -> list[Wave]:
        """Decodes these files alone."""
        files = self._files(split)
        return [decode(_content(files[index]), files[index].place, sample_rate_hz) for index in indices]

    def fingerprint(self, split: Split, data_dir: Path) -> object:
        """The files of the split and their labels."""
        try:
            return [[file.place, file.label, fingerprint(file.path)] for file in self._files(split)]
        except (DataError, ValueError):  # a file, or a name, that can't be read; `read` says in which row it stands
            return None

    def _files(self, split: Split) -> list[Listed]:
        own = {Split.TRAIN: None, Split.VAL: self.val_path, Split.TEST: self.test_path}[split]
        return self._listed(own) if own is not None else self._parts()[split]

    def _parts(self) -> dict[Split, list[Listed]]:
        """What is split off, and what is left to train on."""
        files = self._listed(self.path)
        by_label = defaultdict(list)
        for file in files:
            by_label[file.label].append(file)
        parts: dict[Split, list[Listed]] = {split: [] for split in Split}
        test, val = (
            0.0 if path is not None else 0.1 if share is None else share
            for path, share in ((self.test_path, self.test_fraction), (self.val_path, self.val_fraction))
        )
        for label in sorted(by_label):
            mine = by_label[label]
            shuffled = [mine[i] for i in stream(0, f"split/{label}").permutation(len(mine))]
            first = min(round(test * len(mine)), len(mine) - 1)
            second = min(first + round(val * len(mine)), len(mine) - 1)
            parts[Split.TEST] += shuffled[:first]
            parts[Split.VAL] += shuffled[first:second]
            parts[Split.TRAIN] += shuffled[second:]
        if (test and not parts[Split.TEST]) or (val and not parts[Split.VAL]):
            raise DataError(
                f"{self.path}: {len(files)} recordings of {len(by_label)} labels are too few to split off some of a "
                "label to validate and to test; give task.val_path and task.test_path, or larger fractions"
            )
        return parts

    def _listed(self, path: Path) -> list[Listed]:
        """The audio files of a folder or manifest, at least one; none is opened."""
        if path.is_dir():
            files = [
                Listed(file, folder.name, str(file))
                for folder in sorted(path.iterdir())
                if folder.is_dir() and not folder.name.startswith(".")
                for file in sorted(folder.rglob("*"))
                if file.suffix.lower() in AUDIO and not file.name.startswith(".")
            ]
            if not files:
                raise DataError(f"{path}: holds no audio files; they are looked for as {path}/LABEL/*.wav, .flac, ...")
            return files
        rows = read_labelled(path, self.columns)
        return [
            Listed(path.parent / name, label, f"{path.parent / name} ({rows.place(index)})")
            for index, (name, label) in enumerate(zip(rows.texts, rows.labels, strict=True))
        ]

    def _refuse_unfit(self, path: Path) -> None:
        if not path.exists():
            raise DataError(f"no such file or folder: {path}")
        if path.is_dir():
            if self.columns != Columns(text="path"):
                raise ConfigError(
                    f"task.path={path}: is a folder, which has no columns; leave task.*_column and header"
                )
        elif path.suffix.lower() not in MANIFESTS:
            raise DataError(
                f"{path}: should be a folder with one folder for each label, or a list of files: {', '.join(MANIFESTS)}"
            )


@dataclass(frozen=True)
class FSDDFiles(SoundSource):
    """The Free Spoken Digit Dataset, read from data_dir/fsdd/fsdd-recordings.zip.

    Attributes:
        split: "official" tests on takes 0 to 4 of every digit and speaker, validates on takes 5 to 9 and trains on
            the rest; "speaker" tests on all that one speaker said, and validates on takes 0 to 4 of the others.
        test_speaker: Who is left out, with "speaker" only.
        val_speaker: Who is left out to validate, too; None validates on the others' takes. With "speaker" only.
    """

    split: FSDDSplit = "official"
    test_speaker: str | None = None
    val_speaker: str | None = None
    columns: Columns = field(default=Columns(text="path"), init=False)

    def __post_init__(self) -> None:
        for name, speaker in (("test_speaker", self.test_speaker), ("val_speaker", self.val_speaker)):
            if speaker is None:
                continue
            if self.split != "speaker":
                raise ConfigError(f"task.{name}={speaker}: needs task.split=speaker")
            if speaker not in FSDD_SPEAKERS:
                raise ConfigError(f"task.{name}={speaker}: should be one of {', '.join(FSDD_SPEAKERS)}")
        if self.split == "speaker" and self.test_speaker is None:
            raise ConfigError(f"task.split=speaker: say with task.test_speaker=... who: {', '.join(FSDD_SPEAKERS)}")
        if self.test_speaker is not None and self.test_speaker == self.val_speaker:
            raise ConfigError(f"task.val_speaker={self.val_speaker}: is task.test_speaker already")

    def check(self, data_dir: Path) -> None:
        """Looks for the archive, and downloads it if it is missing."""
        obtain("fsdd", data_dir)

    def read(self, split: Split, data_dir: Path, seed: int, sample_rate_hz: int) -> Recordings:
        """Decodes the split's members of the archive, in order of their names."""
        members = self._members(split, data_dir)
        if not members:
            raise DataError(f"{self._path(data_dir)}: holds no recordings to {split}")
        waves = self._decoded(members, data_dir, sample_rate_hz)
        return joined(
            waves,
            [each.digit for each in members],
            [each.speaker for each in members],
            [each.place for each in members],
        )

    def waves(self, split: Split, data_dir: Path, seed: int, sample_rate_hz: int, indices: Sequence[int]) -> list[Wave]:
        """Decodes these members alone."""
        members = self._members(split, data_dir)
        return self._decoded([members[index] for index in indices], data_dir, sample_rate_hz)

    def _members(self, split: Split, data_dir: Path) -> "list[Member]":
        with _opened(self._path(data_dir)) as archive:
            members = [_member(name, f"{self._path(data_dir)}, {name}") for name in archive.namelist()]
        return [each for each in members if self._of(each.speaker, each.take) is split]

    def _decoded(self, members: "Iterable[Member]", data_dir: Path, sample_rate_hz: int) -> list[Wave]:
        with _opened(self._path(data_dir)) as archive:
            return [decode(archive.read(each.name), each.place, sample_rate_hz) for each in members]

    def fingerprint(self, split: Split, data_dir: Path) -> object:
        """The archive, and who is left out."""
        path = self._path(data_dir)
        return [str(path), fingerprint(path), asdict(self)]

    def _of(self, speaker: str, take: int) -> Split:
        """The split that a recording belongs to."""
        if self.split == "official":
            return Split.TEST if take < FSDD_TAKES else Split.VAL if take < 2 * FSDD_TAKES else Split.TRAIN
        if speaker == self.test_speaker:
            return Split.TEST
        held_out = take < FSDD_TAKES if self.val_speaker is None else speaker == self.val_speaker
        return Split.VAL if held_out else Split.TRAIN

    @staticmethod
    def _path(data_dir: Path) -> Path:
        return data_dir / "fsdd" / "fsdd-recordings.zip"


class Member(NamedTuple):
    """A recording in FSDD's archive."""

    name: str
    place: str
    digit: str
    speaker: str
    take: int


def _member(name: str, place: str) -> Member:
    found = _MEMBER.fullmatch(name)
    if found is None or found[2] not in FSDD_SPEAKERS:
        raise DataError(f"{place}: should be named like recordings/7_theo_12.wav, and be said by one of the speakers")
    return Member(name, place, found[1], found[2], int(found[3]))


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise DataError(f"{path}: damaged ({error}); remove it and fetch it anew") from None


def _content(file: Listed) -> bytes:
    try:
        return file.path.read_bytes()
    except OSError as error:
        raise DataError(f"{file.place}: can't be read ({error.strerror})") from None
    except ValueError as error:  # no name for a file
        raise DataError(f"{file.place}: can't be read ({error})") from None
