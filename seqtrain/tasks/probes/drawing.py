"""Pictures of what was remembered: sums, recalled symbols, misread images."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int, UInt8

from seqtrain.tasks.drawing import ACCENT, FAINT, INK, figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PARTS = 8
"""Into how many parts the waits of a sequence are put together."""
COLUMNS = 8
"""Images in a row."""


def sums(truth: Float[np.ndarray, " N"], answers: Float[np.ndarray, " N"], waits: Int[np.ndarray, " N"]) -> "Figure":
    """Answers against true sums; and the squared error by the steps for which the first number was remembered."""
    drawn, (left, right) = figure(8.5, 3.8, columns=2)
    left.plot([0, 2], [0, 2], color=FAINT, linewidth=1)
    left.scatter(truth, answers, s=5, color=ACCENT, alpha=0.5, linewidths=0)
    left.set_xlim(0, 2)
    left.set_ylim(min(0, answers.min()), max(2, answers.max()))
    left.set_xlabel("true sum", fontsize=9, color=INK)
    left.set_ylabel("answer", fontsize=9, color=INK)
    errors = (answers - truth) ** 2
    edges = np.linspace(waits.min(), waits.max() + 1, PARTS + 1)
    part = np.digitize(waits, edges) - 1
    filled = np.unique(part)
    means = [errors[part == each].mean() for each in filled]
    right.axhline(1 / 6, color=FAINT, linewidth=1, label="without memory")
    right.plot((edges[filled] + edges[filled + 1]) / 2, means, color=ACCENT, marker="o", markersize=4, label="model")
    right.set_yscale("log")
    right.set_xlabel("steps since the first marked number", fontsize=9, color=INK)
    right.set_ylabel("mean squared error", fontsize=9, color=INK)
    right.legend(fontsize=8, frameon=False)
    return drawn


def recall(truth: Int[np.ndarray, "N L"], answers: Int[np.ndarray, "N L"], symbols: int) -> "Figure":
    """Rows of symbols as colours: on the left those said, on the right those recalled, with a cross where wrong."""
    width = 1.6 + 0.34 * truth.shape[1]
    drawn, (left, right) = figure(max(5.0, 2 * width), 0.9 + 0.3 * len(truth), columns=2)
    for axes, shown, title in ((left, truth, "to remember"), (right, answers, "recalled")):
        # 0 is a blank: the palest.
        axes.imshow(shown, cmap="YlGnBu", vmin=0, vmax=symbols, aspect="auto")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
        axes.set_title(title, fontsize=9, color=INK, loc="left")
        if shown.size <= 400:
            for (row, column), symbol in np.ndenumerate(shown):
                shade = "white" if symbol > 0.55 * symbols else INK
                axes.text(column, row, symbol or "", ha="center", va="center", fontsize=8, color=shade)
    rows, columns = (truth != answers).nonzero()
    right.scatter(columns, rows, marker="x", s=90, color=ACCENT, linewidths=1.5)
    return drawn


def images(shown: UInt8[np.ndarray, "N Y X"], titles: Sequence[str]) -> "Figure":
    """Images with a title each."""
    rows = -(-len(shown) // COLUMNS)
    drawn, axes = figure(1.1 * COLUMNS, 1.3 * rows, rows=rows, columns=COLUMNS)
    for each in axes:
        each.set_axis_off()
    for each, image, title in zip(axes, shown, titles, strict=False):
        each.imshow(image, cmap="gray_r", vmin=0, vmax=255)
        each.set_title(title, fontsize=8, color=INK)
    return drawn
