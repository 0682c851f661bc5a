"""Where tagged sentences come from: generated, a user's files, or WNUT 2017."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path

from seqtrain import limits
from seqtrain.data import obtain
from seqtrain.tasks.classification.sources import require
from seqtrain.tasks.splitting import check_fraction, share, split_off
from seqtrain.tasks.tagging import gazette
from seqtrain.tasks.tagging.conll import Format, TaggedSentences, read_conll
from seqtrain.tasks.task import Split


class TaggedSource(ABC):
    """Three splits of tagged sentences.

    Attributes:
        layout: Of a file.
    """

    layout: Format

    @abstractmethod
    def check(self, data_dir: Path) -> None:
        """Refuses, before anything is read, a source of which a file is missing; also one of the test split."""

    @abstractmethod
    def read(self, split: Split, data_dir: Path, seed: int) -> TaggedSentences:
        """The sentences of one split; opens no file that holds nothing of it."""


@dataclass(frozen=True)
class GeneratedSentences(TaggedSource):
    """Sentences made on the spot; see `seqtrain.tasks.tagging.gazette`.

    Attributes:
        train_size: Sentences to train on.
        val_size: Sentences to validate on.
        test_size: Sentences to test on.
        ambiguity: Chance that a name's spelling doesn't tell what it stands for.
        asides: The most phrases between a name and what tells its kind from afar.
    """

    train_size: int = 10_000
    val_size: int = 2_000
    test_size: int = 2_000
    ambiguity: float = 0.5
    asides: int = 3
    layout: Format = field(default=Format(), init=False)

    def __post_init__(self) -> None:
        limits.at_least("task", 2, train_size=self.train_size, val_size=self.val_size, test_size=self.test_size)
        limits.chance("task", ambiguity=self.ambiguity)
        limits.at_least("task", 0, asides=self.asides)

    def check(self, data_dir: Path) -> None:
        """Needs no file."""

    def read(self, split: Split, data_dir: Path, seed: int) -> TaggedSentences:
        """Writes the sentences of one split."""
        size = {Split.TRAIN: self.train_size, Split.VAL: self.val_size, Split.TEST: self.test_size}[split]
        return TaggedSentences(*gazette.sentences(split, size, seed, self.ambiguity, self.asides))


@dataclass(frozen=True)
class OwnSentences(TaggedSource):
    """A user's own file, from which validation and test are split off unless they have files of their own.

    The split is drawn at random but the same for every seed, so that runs over seeds can be compared.

    Attributes:
        path: The training file.
        val_path: The validation file; None splits `val_fraction` of the sentences off the training file.
        test_path: The test file; None splits `test_fraction` of the sentences off the training file.
        val_fraction: None is 0.1.
        test_fraction: None is 0.1.
        layout: Of each of the files.
    """

    path: Path
    val_path: Path | None = None
    test_path: Path | None = None
    val_fraction: float | None = None
    test_fraction: float | None = None
    layout: Format = field(default_factory=Format)

    def __post_init__(self) -> None:
        for name in ("val", "test"):
            check_fraction(name, getattr(self, f"{name}_fraction"), getattr(self, f"{name}_path"))

    def check(self, data_dir: Path) -> None:
        """Looks for the files, relative to the current folder."""
        require([path for path in (self.path, self.val_path, self.test_path) if path is not None])

    def read(self, split: Split, data_dir: Path, seed: int) -> TaggedSentences:
        """Reads the split's own file, or its part of the training file."""
        own = {Split.TRAIN: None, Split.VAL: self.val_path, Split.TEST: self.test_path}[split]
        if own is not None:
            return read_conll(own, self.layout)
        read = read_conll(self.path, self.layout)
        val, test = share(self.val_fraction, self.val_path), share(self.test_fraction, self.test_path)
        return read.take(split_off(self.path, len(read), val, test)[split])


_WNUT17 = {
    Split.TRAIN: "wnut17train.conll",
    Split.VAL: "emerging.dev.conll",
    Split.TEST: "emerging.test.annotated",
}


@dataclass(frozen=True)
class WNUT17Files(TaggedSource):
    """The shared task on emerging entities of the workshop on noisy user-generated text, in data_dir/wnut17."""

    layout: Format = field(default=Format(scheme="bio"), init=False)

    def check(self, data_dir: Path) -> None:
        """Looks for the three files, and downloads what is missing."""
        obtain("wnut17", data_dir)

    def read(self, split: Split, data_dir: Path, seed: int) -> TaggedSentences:
        """Reads the split's file: a word, a tab and a tag in each line."""
        return read_conll(data_dir / "wnut17" / _WNUT17[split], self.layout)
