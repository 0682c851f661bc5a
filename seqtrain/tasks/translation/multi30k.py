"""Captions of photographs, in German and English."""

from dataclasses import dataclass
from typing import ClassVar

from seqtrain.tasks.translation.codecs import CodecOptions, Level
from seqtrain.tasks.translation.sources import Language, Multi30kFiles, PairSource
from seqtrain.tasks.translation.translation_task import Measure, TranslationTask


@dataclass(eq=False)
class Multi30k(TranslationTask):
    """Multi30k as it is split in the literature, tested on test_2016_flickr.

    Attributes:
        source: See `Multi30kFiles`, as for the next.
        target: Likewise.
        level: See `CodecOptions`, as for the next three.
        lowercase: Likewise.
        min_count: Likewise; None is 2 of words.
        max_vocab_size: Likewise.
        max_length: Symbols above which a pair is not trained on, on either side, and a source to validate or test on
            is cut off; None is no limit.
    """

    real_data: ClassVar[str | None] = "multi30k"
    metric: ClassVar[Measure] = "bleu"

    source: Language = "de"
    target: Language = "en"
    level: Level = "words"
    lowercase: bool = True
    min_count: int | None = None
    max_vocab_size: int | None = None
    max_length: int | None = None

    def pair_source(self) -> PairSource:
        """The six files in the data folder."""
        return Multi30kFiles(self.source, self.target)

    def codec_options(self) -> CodecOptions:
        """As the options say."""
        rare = 2 if self.level == "words" and self.min_count is None else self.min_count
        return CodecOptions(self.level, self.lowercase, rare, self.max_vocab_size)

    def longest(self) -> int | None:
        """As the option says."""
        return self.max_length
