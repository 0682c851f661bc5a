"""Where pairs of texts come from: generated, a user's files, or Multi30k."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from seqtrain import limits
from seqtrain.data import obtain
from seqtrain.errors import ConfigError
from seqtrain.seeding import stream
from seqtrain.tasks.classification.sources import require
from seqtrain.tasks.splitting import check_fraction, share, split_off
from seqtrain.tasks.task import Split
from seqtrain.tasks.translation.date_pairs import Kind, generated_pairs
from seqtrain.tasks.translation.pairs import TextPairs, read_pairs

Language = Literal["de", "en"]


class PairSource(ABC):
    """Three splits of texts in pairs."""

    @abstractmethod
    def check(self, data_dir: Path) -> None:
        """Refuses, before anything is read, a source of which a file is missing; also one of the test split."""

    @abstractmethod
    def read(self, split: Split, data_dir: Path, seed: int) -> TextPairs:
        """The pairs of one split; opens no file that holds nothing of it."""


@dataclass(frozen=True)
class GeneratedPairs(PairSource):
    """Pairs made on the spot; see `seqtrain.tasks.translation.date_pairs`.

    Attributes:
        kind: What is to be done: dates in many wordings are written the ISO way, or letters are reversed.
        length: The most dates, or letters, in a text; None is 2 dates or 20 letters.
        filler: Chance of words that don't matter before each date; None is 0.5. Of dates only.
        train_size: Pairs to train on.
        val_size: Pairs to validate on.
        test_size: Pairs to test on.
    """

    kind: Kind = "dates"
    length: int | None = None
    filler: float | None = None
    train_size: int = 10_000
    val_size: int = 1_000
    test_size: int = 1_000

    def __post_init__(self) -> None:
        limits.at_least("task", 1, train_size=self.train_size, val_size=self.val_size, test_size=self.test_size)
        limits.at_least("task", 1, length=self.length)
        limits.chance("task", filler=0.5 if self.filler is None else self.filler)
        if self.kind == "reverse" and self.filler is not None:
            raise ConfigError(f"task.filler={self.filler}: is about dates, but task.kind=reverse has none")

    def check(self, data_dir: Path) -> None:
        """Needs no file."""

    def read(self, split: Split, data_dir: Path, seed: int) -> TextPairs:
        """Writes the pairs of one split."""
        size = {Split.TRAIN: self.train_size, Split.VAL: self.val_size, Split.TEST: self.test_size}[split]
        length = (2 if self.kind == "dates" else 20) if self.length is None else self.length
        filler = 0.5 if self.filler is None else self.filler
        return generated_pairs(stream(seed, f"translation/{split}"), self.kind, size, length, filler)


@dataclass(frozen=True)
class OwnPairs(PairSource):
    """A user's own line-aligned files, from which validation and test are split off unless they have their own.

    The split is drawn at random but the same for every seed, so that runs over seeds can be compared.

    Attributes:
        path: The texts to train on.
        target_path: What each should become, line by line.
        val_path: The texts to validate on; None splits `val_fraction` off.
        val_target_path: Their targets.
        test_path: The texts to test on; None splits `test_fraction` off.
        test_target_path: Their targets.
        val_fraction: None is 0.1.
        test_fraction: None is 0.1.
    """

    path: Path
    target_path: Path
    val_path: Path | None = None
    val_target_path: Path | None = None
    test_path: Path | None = None
    test_target_path: Path | None = None
    val_fraction: float | None = None
    test_fraction: float | None = None

    def __post_init__(self) -> None:
        for name in ("val", "test"):
            path, target = getattr(self, f"{name}_path"), getattr(self, f"{name}_target_path")
            fraction = getattr(self, f"{name}_fraction")
            if (path is None) is not (target is None):
                given, missing = ("path", "target_path") if target is None else ("target_path", "path")
                raise ConfigError(f"task.{name}_{given}={path or target}: needs task.{name}_{missing} as its partner")
            check_fraction(name, fraction, path)

    def check(self, data_dir: Path) -> None:
        """Looks for the files, relative to the current folder."""
        every = (
            self.path, self.target_path, self.val_path, self.val_target_path, self.test_path, self.test_target_path,
        )  # fmt: skip
        require([path for path in every if path is not None])

    def read(self, split: Split, data_dir: Path, seed: int) -> TextPairs:
        """Reads the split's own files, or its part of the training files."""
        if split is Split.VAL and self.val_path and self.val_target_path:
            return read_pairs(self.val_path, self.val_target_path)
        if split is Split.TEST and self.test_path and self.test_target_path:
            return read_pairs(self.test_path, self.test_target_path)
        pairs = read_pairs(self.path, self.target_path)
        val, test = share(self.val_fraction, self.val_path), share(self.test_fraction, self.test_path)
        return pairs.take(split_off(self.path, len(pairs), val, test)[split])


@dataclass(frozen=True)
class Multi30kFiles(PairSource):
    """Multi30k (Elliott et al. 2016): data_dir/multi30k/{train,val,test_2016_flickr}.{de,en}.gz, one caption a line.

    Attributes:
        source: The language that is read.
        target: The language that is written.
    """

    source: Language = "de"
    target: Language = "en"

    def __post_init__(self) -> None:
        if self.source == self.target:
            raise ConfigError(f"task.target={self.target}: is task.source as well; choose two languages")

    def check(self, data_dir: Path) -> None:
        """Looks for the six files, and downloads what is missing."""
        obtain("multi30k", data_dir)

    def read(self, split: Split, data_dir: Path, seed: int) -> TextPairs:
        """Reads the split's two files."""
        return read_pairs(*self._paths(split, data_dir))

    def _paths(self, split: Split, data_dir: Path) -> tuple[Path, Path]:
        name = "test_2016_flickr" if split is Split.TEST else str(split)
        folder = data_dir / "multi30k"
        return folder / f"{name}.{self.source}.gz", folder / f"{name}.{self.target}.gz"
