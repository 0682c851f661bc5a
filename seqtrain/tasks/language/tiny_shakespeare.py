"""Tiny Shakespeare, the small benchmark of character models."""

from dataclasses import dataclass
from typing import ClassVar

from seqtrain.tasks.language.language_modelling import LanguageModelling
from seqtrain.tasks.language.sources import TextSource, TinyShakespeareText


@dataclass(eq=False)
class TinyShakespeare(LanguageModelling):
    """The plays' first 90% to train and choose on, the last 10% to report on.

    The literature validates on that last tenth, and has nothing to test on. Here it tests, since it is what figures
    are compared by; what chooses the checkpoint is taken from the end of the other nine tenths.

    Attributes:
        val_fraction: See `TinyShakespeareText`.
    """

    real_data: ClassVar[str | None] = "tiny_shakespeare"

    val_fraction: float = 0.05

    def source(self) -> TextSource:
        """The file in the data folder."""
        return TinyShakespeareText(self.val_fraction)
