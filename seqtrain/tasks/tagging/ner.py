"""Names of people, places and firms in generated sentences, or the entities of a user's own files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqtrain.errors import ConfigError
from seqtrain.tasks.tagging.conll import Format
from seqtrain.tasks.tagging.examples import WordOptions
from seqtrain.tasks.tagging.sources import GeneratedSentences, OwnSentences, TaggedSource
from seqtrain.tasks.tagging.tagging import Tagging, TaggingOptions
from seqtrain.tasks.tagging.tags import Scheme

OF_FILES = ("val_path", "test_path", "val_fraction", "test_fraction", "word_column", "tag_column", "scheme")
OF_SENTENCES = ("train_size", "val_size", "test_size", "ambiguity", "asides")


@dataclass(eq=False)
class NER(Tagging):
    """Generated sentences, or with `path` a file of the user's own.

    An option that is None was not given: what it then stands for is said by `OwnSentences`, `Format` and
    `GeneratedSentences`. One that is given must belong to the kind of data that is asked for.

    Attributes:
        path: See `OwnSentences`; None is generated sentences.
        val_path: See `OwnSentences`, as for the next three.
        test_path: Likewise.
        val_fraction: Likewise.
        test_fraction: Likewise.
        word_column: See `Format`, as for the next two.
        tag_column: Likewise.
        scheme: Likewise.
        train_size: See `GeneratedSentences`, as for the next four.
        val_size: Likewise.
        test_size: Likewise.
        ambiguity: Likewise.
        asides: Likewise.
        lowercase: See `WordOptions`, as for the next six.
        digits_to_zero: Likewise.
        min_count: Likewise.
        max_vocab_size: Likewise.
        max_length: Likewise.
        word_dropout: Likewise.
        characters: Likewise.
        crf: See `TaggingOptions`, as for the next.
        constrained: Likewise.
    """

    path: Path | None = None
    val_path: Path | None = None
    test_path: Path | None = None
    val_fraction: float | None = None
    test_fraction: float | None = None
    word_column: int | None = None
    tag_column: int | None = None
    scheme: Scheme | None = None

    train_size: int | None = None
    val_size: int | None = None
    test_size: int | None = None
    ambiguity: float | None = None
    asides: int | None = None

    lowercase: bool = False
    digits_to_zero: bool = False
    min_count: int = 1
    max_vocab_size: int | None = None
    max_length: int | None = None
    word_dropout: float = 0.2
    characters: bool = True
    crf: bool = False
    constrained: bool = True

    def source(self) -> TaggedSource:
        """The user's files if there is a path, else generated sentences."""
        if self.path is None:
            self._refuse(OF_FILES, "is about files, and needs task.path")
            return GeneratedSentences(**self._given(OF_SENTENCES))
        self._refuse(OF_SENTENCES, f"is about generated sentences, but task.path={self.path} is a file")
        layout = Format(**self._given(("word_column", "tag_column", "scheme")))
        return OwnSentences(self.path, self.val_path, self.test_path, self.val_fraction, self.test_fraction, layout)

    def options(self) -> TaggingOptions:
        """As the options say."""
        words = WordOptions(
            self.lowercase,
            self.digits_to_zero,
            self.min_count,
            self.max_vocab_size,
            self.max_length,
            self.word_dropout,
            self.characters,
        )
        return TaggingOptions(words, self.crf, self.constrained)

    def _given(self, names: tuple[str, ...]) -> dict[str, Any]:
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def _refuse(self, names: tuple[str, ...], why: str) -> None:
        for name, value in self._given(names).items():
            raise ConfigError(f"task.{name}={value}: {why}")
