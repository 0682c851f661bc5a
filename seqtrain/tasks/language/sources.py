"""Where running text comes from: generated, a user's files, or tiny Shakespeare."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from seqtrain import limits
from seqtrain.data import obtain
from seqtrain.errors import ConfigError
from seqtrain.tasks.language.nested import ENDINGS, sentences
from seqtrain.tasks.language.passages import Passage, Written, cut, whole
from seqtrain.tasks.task import Split

BENCHMARK_SHARE = 0.9
"""Of tiny Shakespeare, what the literature trains on."""


class TextSource(ABC):
    """Three splits of running text."""

    @abstractmethod
    def passage(self, split: Split, data_dir: Path, seed: int, *, at_blank: bool) -> Passage:
        """The text of one split; a file is opened at most to see where it may be cut.

        Args:
            split: Which of the three.
            data_dir: The folder that holds one folder per data set.
            seed: What generated text is drawn from.
            at_blank: Whether a text must not be cut within a word.

        Raises:
            DataError: If a file is missing, empty, or too short to be cut.
        """


@dataclass(frozen=True)
class GeneratedText(TextSource):
    """Sentences of a language with nested structure; see `seqtrain.tasks.language.nested`.

    Attributes:
        train_size: Sentences to train on.
        val_size: Sentences to validate on.
        test_size: Sentences to test on.
        depth: The most brackets around a word.
        nesting: Chance of brackets after a noun.
        lexicon: Nouns, and as many verbs.
    """

    train_size: int = 10_000
    val_size: int = 1_000
    test_size: int = 1_000
    depth: int = 3
    nesting: float = 0.5
    lexicon: int = 20

    def __post_init__(self) -> None:
        limits.at_least("task", 1, train_size=self.train_size, val_size=self.val_size, test_size=self.test_size)
        limits.at_least("task", 0, depth=self.depth)
        limits.at_least("task", len(ENDINGS), lexicon=self.lexicon)
        limits.chance("task", nesting=self.nesting)

    def passage(self, split: Split, data_dir: Path, seed: int, *, at_blank: bool) -> Passage:
        """Writes the sentences of one split."""
        size = {Split.TRAIN: self.train_size, Split.VAL: self.val_size, Split.TEST: self.test_size}[split]
        texts = sentences(size, seed, split, depth=self.depth, nesting=self.nesting, lexicon=self.lexicon)
        return Written("".join(texts))


@dataclass(frozen=True)
class OwnText(TextSource):
    """A user's own file: its first part trains, the next validates, the last tests, unless those have files.

    Attributes:
        path: The training file.
        val_path: The validation file; None cuts `val_fraction` off the training file.
        test_path: The test file; None cuts `test_fraction` off the training file.
        val_fraction: Of the training file's bytes. None is 0.1.
        test_fraction: Likewise.
    """

    path: Path
    val_path: Path | None = None
    test_path: Path | None = None
    val_fraction: float | None = None
    test_fraction: float | None = None

    def __post_init__(self) -> None:
        for name in ("val", "test"):
            fraction, path = getattr(self, f"{name}_fraction"), getattr(self, f"{name}_path")
            if fraction is not None and path is not None:
                raise ConfigError(f"task.{name}_fraction={fraction}: task.{name}_path={path} is there already")
            limits.fraction("task", **{f"{name}_fraction": fraction})
        if self._share(Split.VAL) + self._share(Split.TEST) >= 1:
            raise ConfigError(
                f"task.val_fraction={self._share(Split.VAL)} and task.test_fraction={self._share(Split.TEST)}: "
                "nothing is left to train on"
            )

    def passage(self, split: Split, data_dir: Path, seed: int, *, at_blank: bool) -> Passage:
        """The split's own file, or its part of the training file; paths are relative to the current folder."""
        files = {path: whole(path) for path in (self.path, self.val_path, self.test_path) if path is not None}
        own = {Split.TRAIN: None, Split.VAL: self.val_path, Split.TEST: self.test_path}[split]
        if own is not None:
            return files[own]
        of_test, of_val = self._share(Split.TEST), self._share(Split.VAL)
        rest, test = cut(files[self.path], 1 - of_test, at_blank=at_blank)
        train, val = cut(rest, 1 - of_val / (1 - of_test), at_blank=at_blank)
        return {Split.TRAIN: train, Split.VAL: val, Split.TEST: test}[split]

    def _share(self, split: Split) -> float:
        path, fraction = {
            Split.VAL: (self.val_path, self.val_fraction),
            Split.TEST: (self.test_path, self.test_fraction),
        }[split]
        if path is not None:
            return 0.0
        return 0.1 if fraction is None else fraction


@dataclass(frozen=True)
class TinyShakespeareText(TextSource):
    """Tiny Shakespeare, data_dir/tiny_shakespeare/input.txt: its last tenth tests.

    Attributes:
        val_fraction: Of the first nine tenths, how much validates: their end.
    """

    val_fraction: float

    def __post_init__(self) -> None:
        limits.fraction("task", val_fraction=self.val_fraction)

    def passage(self, split: Split, data_dir: Path, seed: int, *, at_blank: bool) -> Passage:
        """A stretch of the file."""
        file = whole(obtain("tiny_shakespeare", data_dir) / "input.txt")
        rest, test = cut(file, BENCHMARK_SHARE, at_blank=at_blank)
        train, val = cut(rest, 1 - self.val_fraction, at_blank=at_blank)
        return {Split.TRAIN: train, Split.VAL: val, Split.TEST: test}[split]
