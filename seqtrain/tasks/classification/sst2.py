"""The Stanford Sentiment Treebank, whole sentences of two classes."""

from dataclasses import dataclass
from typing import ClassVar

from seqtrain.tasks.classification.sources import Source, SST2Files
from seqtrain.tasks.classification.text_classification import TextClassification, TextOptions


@dataclass(eq=False)
class SST2(TextClassification):
    """SST-2 as it is split in the literature; its words are already separated by blanks.

    Attributes:
        lowercase: See `TextOptions`, as for the rest.
        min_count: Likewise.
        max_vocab_size: Likewise.
        max_length: Likewise.
        word_dropout: Likewise.
    """

    real_data: ClassVar[str | None] = "sst2"

    lowercase: bool = False
    min_count: int = 1
    max_vocab_size: int | None = None
    max_length: int | None = None
    word_dropout: float = 0.3

    def source(self) -> Source:
        """The three files in the data folder."""
        return SST2Files()

    def text_options(self) -> TextOptions:
        """As the options say."""
        return TextOptions(
            "whitespace", self.lowercase, self.min_count, self.max_vocab_size, self.max_length, self.word_dropout
        )
