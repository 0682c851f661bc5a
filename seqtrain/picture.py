"""What a task shows of a model's answers, as files and in TensorBoard."""

import io
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, cast

import numpy as np
from jaxtyping import Bool, Float, UInt8

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GIF_MILLISECONDS = 150
"""How long each frame of a film is shown."""

Film = UInt8[np.ndarray, "T Y X"]
"""Gray frames."""


@dataclass(frozen=True)
class Sound:
    """Something to listen to.

    Attributes:
        samples: One channel, in -1..1; what is louder is cut off.
        rate_hz: Samples per second.
    """

    samples: Float[np.ndarray, " N"]
    rate_hz: int


@dataclass(frozen=True)
class Scores:
    """Answers to a question with two answers, to be weighed against one another: a curve of precision by recall.

    Attributes:
        truth: Whether the answer is yes.
        chances: How likely a model finds that, in 0..1.
    """

    truth: Bool[np.ndarray, " N"]
    chances: Float[np.ndarray, " N"]


@dataclass(frozen=True)
class Vectors:
    """Points with names, to walk around in.

    Attributes:
        points: One row for each.
        names: One for each; no name is empty or has a tab or a line break.
    """

    points: Float[np.ndarray, "N F"]
    names: Sequence[str]


@dataclass(frozen=True)
class Picture:
    """Something to look at, or to listen to.

    Attributes:
        name: What it is called as a file, without ending.
        content: What is shown; a text is Markdown.
    """

    name: str
    content: "Figure | Film | str | Sound | Scores | Vectors"

    @property
    def has_file(self) -> bool:
        """Whether a file can show it; the others need TensorBoard."""
        return not isinstance(self.content, Scores | Vectors)

    @cached_property
    def png(self) -> bytes:
        """A figure as PNG, drawn once: that takes longer than all else that is done with it."""
        return _png(cast("Figure", self.content))

    def file(self) -> tuple[str, bytes]:
        """The name and content of a file that shows it: PNG, GIF, Markdown or WAV."""
        assert self.has_file, "asked before"
        match self.content:
            case str():
                return f"{self.name}.md", self.content.encode()
            case np.ndarray():
                return f"{self.name}.gif", gif(self.content)
            case Sound():
                return f"{self.name}.wav", _wav(self.content)
            case _:
                return f"{self.name}.png", self.png


def gif(frames: Film) -> bytes:
    """A film that goes round and round."""
    # Imported where it is used: few runs make films.
    from PIL import Image

    first, *rest = [Image.fromarray(frame) for frame in frames]
    file = io.BytesIO()
    first.save(file, format="GIF", save_all=True, append_images=rest, duration=GIF_MILLISECONDS, loop=0)
    return file.getvalue()


def _png(figure: "Figure") -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def _wav(sound: Sound) -> bytes:
    """16 bits a sample: what every player and browser plays."""
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(sound.rate_hz)
        written.writeframes((sound.samples.clip(-1, 1) * 32767).astype("<i2").tobytes())
    return file.getvalue()
