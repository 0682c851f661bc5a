"""What a task shows of a model's answers, as files and in TensorBoard."""

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GIF_MILLISECONDS = 150
"""How long each frame of a film is shown."""


@dataclass(frozen=True)
class Picture:
    """Something to look at.

    Attributes:
        name: What it is called as a file, without ending.
        content: A figure, a film of gray frames (T, Y, X), or Markdown.
    """

    name: str
    content: "Figure | UInt8[np.ndarray, 'T Y X'] | str"

    def file(self) -> tuple[str, bytes]:
        """The name and content of a file that shows it: PNG, GIF or Markdown."""
        if isinstance(self.content, str):
            return f"{self.name}.md", self.content.encode()
        if isinstance(self.content, np.ndarray):
            return f"{self.name}.gif", _gif(self.content)
        return f"{self.name}.png", _png(self.content)


def _png(figure: "Figure") -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def _gif(frames: UInt8[np.ndarray, "T Y X"]) -> bytes:
    # Imported where it is used: few runs make films.
    from PIL import Image

    first, *rest = [Image.fromarray(frame) for frame in frames]
    file = io.BytesIO()
    first.save(file, format="GIF", save_all=True, append_images=rest, duration=GIF_MILLISECONDS, loop=0)
    return file.getvalue()
