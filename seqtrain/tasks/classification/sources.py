"""Where labelled texts come from: generated, a user's files, or SST-2."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path

from seqtrain import limits
from seqtrain.data import obtain
from seqtrain.errors import DataError
from seqtrain.tasks.classification.reviews import LABELS, reviews
from seqtrain.tasks.labelled_text import Columns, LabelledTexts, read_labelled
from seqtrain.tasks.splitting import check_fraction, share, split_off
from seqtrain.tasks.task import Split


class Source(ABC):
    """Three splits of labelled texts.

    Attributes:
        columns: Where text and label stand in a file.
    """

    columns: Columns

    @abstractmethod
    def check(self, data_dir: Path) -> None:
        """Refuses, before anything is read, a source of which a file can't be had; also one of the test split."""

    @abstractmethod
    def read(self, split: Split, data_dir: Path, seed: int) -> LabelledTexts:
        """The texts of one split; opens no file that holds nothing of it."""


@dataclass(frozen=True)
class GeneratedReviews(Source):
    """Reviews made on the spot; see `seqtrain.tasks.classification.reviews`.

    Attributes:
        train_size: Reviews to train on.
        val_size: Reviews to validate on.
        test_size: Reviews to test on.
        contrast: Chance that a review holds two clauses that contrast.
        negation: Chance that a clause is negated.
        irony: Chance that a review says, in its first sentence or its last, that it means the opposite.
    """

    train_size: int = 10_000
    val_size: int = 2_000
    test_size: int = 2_000
    contrast: float = 0.5
    negation: float = 0.25
    irony: float = 0.2
    columns: Columns = field(default=Columns(), init=False)

    def __post_init__(self) -> None:
        limits.at_least("task", 2, train_size=self.train_size, val_size=self.val_size, test_size=self.test_size)
        limits.chance("task", contrast=self.contrast, negation=self.negation, irony=self.irony)

    def check(self, data_dir: Path) -> None:
        """Needs no file."""

    def read(self, split: Split, data_dir: Path, seed: int) -> LabelledTexts:
        """Writes the reviews of one split."""
        size = {Split.TRAIN: self.train_size, Split.VAL: self.val_size, Split.TEST: self.test_size}[split]
        texts, labels = reviews(split, size, seed, self.contrast, self.negation, self.irony)
        return LabelledTexts(texts, [LABELS[label] for label in labels.tolist()])


@dataclass(frozen=True)
class OwnFiles(Source):
    """A user's own file, from which validation and test are split off unless they have files of their own.

    The split is drawn at random but the same for every seed, so that runs over seeds can be compared.

    Attributes:
        path: The training file.
        val_path: The validation file; None splits `val_fraction` off the training file.
        test_path: The test file; None splits `test_fraction` off the training file.
        val_fraction: None is 0.1.
        test_fraction: None is 0.1.
        columns: Where text and label stand, in each of the files.
    """

    path: Path
    val_path: Path | None = None
    test_path: Path | None = None
    val_fraction: float | None = None
    test_fraction: float | None = None
    columns: Columns = field(default_factory=Columns)

    def __post_init__(self) -> None:
        for name in ("val", "test"):
            fraction, path = getattr(self, f"{name}_fraction"), getattr(self, f"{name}_path")
            check_fraction(name, fraction, path)
        for path in self._paths():
            self.columns.of(path)

    def check(self, data_dir: Path) -> None:
        """Looks for the files, relative to the current folder."""
        require(self._paths())

    def read(self, split: Split, data_dir: Path, seed: int) -> LabelledTexts:
        """Reads the split's own file, or its part of the training file."""
        own = {Split.TRAIN: None, Split.VAL: self.val_path, Split.TEST: self.test_path}[split]
        if own is not None:
            return read_labelled(own, self.columns)
        rows = read_labelled(self.path, self.columns)
        val, test = share(self.val_fraction, self.val_path), share(self.test_fraction, self.test_path)
        return rows.take(split_off(self.path, len(rows), val, test)[split])

    def _paths(self) -> list[Path]:
        return [path for path in (self.path, self.val_path, self.test_path) if path is not None]


@dataclass(frozen=True)
class SST2Files(Source):
    """The Stanford Sentiment Treebank, two classes, whole sentences: data_dir/sst2/{train,dev,test}.tsv.

    Each line is a sentence, a tab and a label, 1 for praise; there is no header.
    """

    columns: Columns = field(
        default=Columns(text=0, label=1, header=False, names={"0": "negative", "1": "positive"}), init=False
    )

    def check(self, data_dir: Path) -> None:
        """Looks for the three files, and downloads what is missing."""
        obtain("sst2", data_dir)

    def read(self, split: Split, data_dir: Path, seed: int) -> LabelledTexts:
        """Reads the split's file."""
        return read_labelled(self._path(split, data_dir), self.columns)

    @staticmethod
    def _path(split: Split, data_dir: Path) -> Path:
        return data_dir / "sst2" / f"{'dev' if split is Split.VAL else split}.tsv"


def require(paths: list[Path]) -> None:
    """Refuses a list of files if any is missing, naming each that is.

    Raises:
        DataError: If any of them is not there.
    """
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        raise DataError(f"no such file: {', '.join(missing)}")
