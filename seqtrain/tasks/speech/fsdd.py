"""The Free Spoken Digit Dataset: ten digits said by six speakers."""

from dataclasses import dataclass
from typing import ClassVar

from seqtrain.tasks.speech.recognition import SpeechRecognition
from seqtrain.tasks.speech.sources import FSDDFiles, FSDDSplit


@dataclass(eq=False)
class FSDD(SpeechRecognition):
    """FSDD, split as its authors do or by speaker.

    Attributes:
        split: See `FSDDFiles`, as for the next two.
        test_speaker: Likewise.
        val_speaker: Likewise.
    """

    real_data: ClassVar[str | None] = "fsdd"

    split: FSDDSplit = "official"
    test_speaker: str | None = None
    val_speaker: str | None = None

    def source(self) -> FSDDFiles:
        """The archive in the data folder."""
        return FSDDFiles(self.split, self.test_speaker, self.val_speaker)
