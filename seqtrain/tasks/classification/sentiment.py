"""Sentiment of generated reviews, or classes of a user's own texts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqtrain.errors import ConfigError
from seqtrain.tasks.classification.sources import GeneratedReviews, OwnFiles, Source
from seqtrain.tasks.classification.text_classification import TextClassification, TextOptions, Tokenizer
from seqtrain.tasks.labelled_text import Columns

OF_FILES = ("val_path", "test_path", "val_fraction", "test_fraction", "text_column", "label_column", "header")
OF_REVIEWS = ("train_size", "val_size", "test_size", "contrast", "negation", "irony")


@dataclass(eq=False)
class Sentiment(TextClassification):
    """Generated reviews, or with `path` a file of the user's own.

    An option that is None was not given: what it then stands for is said by `OwnFiles`, `Columns` and
    `GeneratedReviews`. One that is given must belong to the kind of data that is asked for.

    Attributes:
        path: See `OwnFiles`; None is generated reviews.
        val_path: See `OwnFiles`, as for the next three.
        test_path: Likewise.
        val_fraction: Likewise.
        test_fraction: Likewise.
        text_column: See `Columns`, as for the next two.
        label_column: Likewise.
        header: Likewise.
        train_size: See `GeneratedReviews`, as for the next five.
        val_size: Likewise.
        test_size: Likewise.
        contrast: Likewise.
        negation: Likewise.
        irony: Likewise.
        tokenizer: See `TextOptions`, as for the rest.
        lowercase: Likewise.
        min_count: Likewise.
        max_vocab_size: Likewise.
        max_length: Likewise.
        word_dropout: Likewise.
    """

    path: Path | None = None
    val_path: Path | None = None
    test_path: Path | None = None
    val_fraction: float | None = None
    test_fraction: float | None = None
    text_column: str | int | None = None
    label_column: str | int | None = None
    header: bool | None = None

    train_size: int | None = None
    val_size: int | None = None
    test_size: int | None = None
    contrast: float | None = None
    negation: float | None = None
    irony: float | None = None

    tokenizer: Tokenizer = "words"
    lowercase: bool = True
    min_count: int = 1
    max_vocab_size: int | None = None
    max_length: int | None = None
    word_dropout: float = 0.0

    def source(self) -> Source:
        """The user's files if there is a path, else generated reviews."""
        if self.path is None:
            self._refuse(OF_FILES, "is about files, and needs task.path")
            return GeneratedReviews(**self._given(OF_REVIEWS))
        self._refuse(OF_REVIEWS, f"is about generated reviews, but task.path={self.path} is a file")
        columns = Columns(self.text_column, self.label_column, self.header)
        return OwnFiles(self.path, self.val_path, self.test_path, self.val_fraction, self.test_fraction, columns)

    def text_options(self) -> TextOptions:
        """As the options say."""
        return TextOptions(
            self.tokenizer, self.lowercase, self.min_count, self.max_vocab_size, self.max_length, self.word_dropout
        )

    def _given(self, names: tuple[str, ...]) -> dict[str, Any]:
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def _refuse(self, names: tuple[str, ...], why: str) -> None:
        for name, value in self._given(names).items():
            raise ConfigError(f"task.{name}={value}: {why}")
