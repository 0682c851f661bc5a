"""Generated pairs of texts, or a user's own two line-aligned files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqtrain.errors import ConfigError
from seqtrain.tasks.translation.codecs import CodecOptions, Level
from seqtrain.tasks.translation.date_pairs import Kind
from seqtrain.tasks.translation.sources import GeneratedPairs, OwnPairs, PairSource
from seqtrain.tasks.translation.translation_task import Measure, TranslationTask

OF_FILES = (
    "target_path", "val_path", "val_target_path", "test_path", "test_target_path", "val_fraction", "test_fraction",
)  # fmt: skip
OF_GENERATED = ("kind", "length", "filler", "train_size", "val_size", "test_size")


@dataclass(eq=False)
class Translation(TranslationTask):
    """Generated pairs, or with `path` and `target_path` files of the user's own.

    An option that is None was not given: what it then stands for is said by `OwnPairs`, `GeneratedPairs` and
    `CodecOptions`. One that is given must belong to the kind of data that is asked for.

    Attributes:
        path: See `OwnPairs`; None is generated pairs.
        target_path: See `OwnPairs`, as for the next six.
        val_path: Likewise.
        val_target_path: Likewise.
        test_path: Likewise.
        test_target_path: Likewise.
        val_fraction: Likewise.
        test_fraction: Likewise.
        kind: See `GeneratedPairs`, as for the next five.
        length: Likewise.
        filler: Likewise.
        train_size: Likewise.
        val_size: Likewise.
        test_size: Likewise.
        level: See `CodecOptions`, as for the next three; None is characters of generated pairs and words of files.
        lowercase: Likewise.
        min_count: Likewise.
        max_vocab_size: Likewise.
        max_length: Symbols above which a pair is not trained on, on either side, and a source to validate or test on
            is cut off; None is no limit.
        measure: What picks the best checkpoint: "accuracy", the share of texts that are right to the letter, or
            "bleu"; None is accuracy of generated pairs and BLEU of files.
    """

    path: Path | None = None
    target_path: Path | None = None
    val_path: Path | None = None
    val_target_path: Path | None = None
    test_path: Path | None = None
    test_target_path: Path | None = None
    val_fraction: float | None = None
    test_fraction: float | None = None

    kind: Kind | None = None
    length: int | None = None
    filler: float | None = None
    train_size: int | None = None
    val_size: int | None = None
    test_size: int | None = None

    level: Level | None = None
    lowercase: bool = False
    min_count: int | None = None
    max_vocab_size: int | None = None
    max_length: int | None = None

    measure: Measure | None = None

    @property
    def metric(self) -> Measure:
        """As the options say."""
        return self.measure or ("accuracy" if self.path is None else "bleu")

    def pair_source(self) -> PairSource:
        """The user's files if there is a path, else generated pairs."""
        if self.path is None:
            self._refuse(OF_FILES, "is about files, and needs task.path")
            return GeneratedPairs(**self._given(OF_GENERATED))
        self._refuse(OF_GENERATED, f"is about generated pairs, but task.path={self.path} is a file")
        if self.target_path is None:
            raise ConfigError(
                f"task.path={self.path}: needs task.target_path, the file with the translation of each line"
            )
        return OwnPairs(self.path, **self._given(OF_FILES))

    def codec_options(self) -> CodecOptions:
        """As the options say."""
        level = self.level or ("characters" if self.path is None else "words")
        return CodecOptions(level, self.lowercase, self.min_count, self.max_vocab_size)

    def longest(self) -> int | None:
        """As the option says."""
        return self.max_length

    def _given(self, names: tuple[str, ...]) -> dict[str, Any]:
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def _refuse(self, names: tuple[str, ...], why: str) -> None:
        for name, value in self._given(names).items():
            raise ConfigError(f"task.{name}={value}: {why}")
