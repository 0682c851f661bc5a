"""Figures of sounds, with what was said and what was answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from seqtrain.tasks.drawing import ACCENT, FAINT, INK, figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 3
LIKELY = 0.1
"""A symbol that is never likelier than this is not drawn."""


@dataclass(frozen=True)
class Heard:
    """An utterance and its answer.

    Attributes:
        features: Of each frame.
        truth: What was said.
        answer: What a model made of it.
        probs: Of each symbol at each step, blank first; None where one answer is given to the whole.
    """

    features: Float[np.ndarray, "T F"]
    truth: str
    answer: str
    probs: Float[np.ndarray, "S V"] | None = None


def spectra(heard: Sequence[Heard]) -> "Figure":
    """The features of some recordings over their frames, wrong answers in another colour."""
    rows = -(-len(heard) // COLUMNS)
    drawn, panels = figure(9.0, 0.3 + 2.1 * rows, rows, COLUMNS)
    for axes in panels[len(heard) :]:
        axes.set_visible(False)
    for axes, each in zip(panels, heard, strict=False):
        _spectrum(axes, each)
    panels[(rows - 1) * COLUMNS].set_xlabel("frame", fontsize=9, color=INK)
    panels[0].set_ylabel("feature", fontsize=9, color=INK)
    return drawn


def strings(heard: Sequence[Heard], classes: Sequence[str], stack_frames: int) -> "Figure":
    """The features of some utterances, and below each how likely each class is at each step."""
    drawn, panels = figure(9.0, 0.3 + 2.9 * len(heard), 2 * len(heard))
    for each, above, below in zip(heard, panels[::2], panels[1::2], strict=True):
        assert each.probs is not None
        _spectrum(above, each)
        above.tick_params(labelbottom=False)
        frames = (np.arange(len(each.probs)) + 0.5) * stack_frames - 0.5
        below.plot(frames, each.probs[:, 0], color=FAINT, linewidth=1.0)
        for symbol in np.flatnonzero(each.probs[:, 1:].max(0) > LIKELY).tolist():
            _curve(below, frames, each.probs[:, symbol + 1], classes[symbol])
        below.set_xlim(-0.5, len(each.features) - 0.5)
        below.set_ylim(0, 1.25)
        below.set_yticks([0, 1])
    panels[-1].set_xlabel("frame (below each spectrum: probability of the classes, faint of the blank)", fontsize=9)
    return drawn


def _curve(axes: "Axes", frames: Float[np.ndarray, " S"], probs: Float[np.ndarray, " S"], name: str) -> None:
    """One symbol's probability, with its name over each rise of its own."""
    axes.plot(frames, probs, color=ACCENT, linewidth=1.2)
    turns = np.diff((probs > LIKELY).astype(int), prepend=0, append=0)
    for start, end in zip(np.flatnonzero(turns == 1), np.flatnonzero(turns == -1), strict=True):
        peak = start + int(probs[start:end].argmax())
        place = (float(frames[peak]), float(probs[peak]))
        axes.annotate(name, place, (0, 2), textcoords="offset points", ha="center", fontsize=8, color=INK)


def _spectrum(axes: "Axes", heard: Heard) -> None:
    axes.imshow(heard.features.T, origin="lower", aspect="auto", cmap="magma", interpolation="nearest")
    right = heard.truth == heard.answer
    title = heard.truth if right else f"{heard.truth}, answer {heard.answer or 'nothing'}"
    axes.set_title(title, fontsize=9, color=INK if right else ACCENT, loc="left")
