"""WNUT 2017: emerging entities in posts and comments."""

from dataclasses import dataclass
from typing import ClassVar

from seqtrain.tasks.tagging.examples import WordOptions
from seqtrain.tasks.tagging.sources import TaggedSource, WNUT17Files
from seqtrain.tasks.tagging.tagging import Tagging, TaggingOptions


@dataclass(eq=False)
class WNUT17(Tagging):
    """WNUT 2017 as it is split in the shared task.

    Attributes:
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

    real_data: ClassVar[str | None] = "wnut17"

    lowercase: bool = True
    digits_to_zero: bool = True
    min_count: int = 1
    max_vocab_size: int | None = None
    max_length: int | None = None
    word_dropout: float = 0.3
    characters: bool = True
    crf: bool = False
    constrained: bool = True

    def source(self) -> TaggedSource:
        """The three files in the data folder."""
        return WNUT17Files()

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
