"""Figures that several tasks draw, in one style. Matplotlib is loaded when the first is drawn."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Shaped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, ACCENT, FAINT = "#20303c", "#d1495b", "#9fb3c0"
"""The colours of what is given, of what a model says, and of what stands behind."""

FLAT = 1e6
"""How far a curve of gradients would have to fall to reach the bottom of its picture, at least."""

MOST_LABELS = 40
"""Ticks that an axis can carry with a word each."""


def figure(width: float, height: float, rows: int = 1, columns: int = 1) -> "tuple[Figure, list[Axes]]":
    """An empty figure of so many inches, and its axes row by row."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(width, height), dpi=120, layout="constrained")
    axes = list(np.ravel(drawn.subplots(rows, columns, squeeze=False)))
    for each in axes:
        each.spines[["top", "right"]].set_visible(False)
        each.tick_params(labelsize=8, colors=INK)
    return drawn, axes


def heatmap(
    weights: Float[np.ndarray, "Q T"], rows: Sequence[str], columns: Sequence[str], title: str = ""
) -> "Figure":
    """How much each row looks at each column: an attention map, 0 white."""
    height = 1.1 + 0.26 * min(len(rows), MOST_LABELS)
    drawn, (axes,) = figure(max(3.5, min(14.0, 1.5 + 0.3 * len(columns))), height)
    image = axes.imshow(weights, cmap="Blues", vmin=0, aspect="auto")
    _label(axes, rows, columns)
    axes.set_title(title, fontsize=9, color=INK, loc="left")
    drawn.colorbar(image, ax=axes, fraction=0.03, pad=0.01).ax.tick_params(labelsize=7)
    return drawn


def confusion(counts: Shaped[np.ndarray, "V V"], classes: Sequence[str]) -> "Figure":
    """How often each class (rows) was given each answer (columns); shades are shares of the row."""
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    side = max(3.2, min(12.0, 1.6 + 0.45 * len(classes)))
    drawn, (axes,) = figure(side, side * 0.9)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    _label(axes, classes, classes)
    axes.set_xlabel("answer", fontsize=9, color=INK)
    axes.set_ylabel("truth", fontsize=9, color=INK)
    if len(classes) <= MOST_LABELS // 2:
        for (row, column), count in np.ndenumerate(counts):
            shade = "white" if shares[row, column] > 0.5 else INK
            axes.text(column, row, f"{count:,}", ha="center", va="center", fontsize=8, color=shade)
    return drawn


def _label(axes: "Axes", rows: Sequence[str], columns: Sequence[str]) -> None:
    axes.spines[:].set_visible(False)
    axes.set_xticks([])
    axes.set_yticks([])
    if len(columns) <= MOST_LABELS:
        axes.set_xticks(range(len(columns)), columns, rotation=60, ha="right", rotation_mode="anchor")
    if len(rows) <= MOST_LABELS:
        axes.set_yticks(range(len(rows)), rows)


def forecasts(
    seen: Float[np.ndarray, "N T"], truth: Float[np.ndarray, "N U"], answers: Float[np.ndarray, "N U"]
) -> "Figure":
    """One row for each series: the steps seen, the future as it was, and as it was forecast."""
    drawn, rows = figure(8.0, 0.6 + 1.5 * len(seen), rows=len(seen))
    past, future = np.arange(seen.shape[1]) - seen.shape[1] + 1, np.arange(1, truth.shape[1] + 1)
    for axes, before, after, answer in zip(rows, seen, truth, answers, strict=True):
        axes.axvline(0.5, color=FAINT, linewidth=0.8)
        axes.plot(past, before, color=FAINT, linewidth=1.2, label="seen")
        axes.plot(future, after, color=INK, linewidth=1.2, label="truth")
        axes.plot(future, answer, color=ACCENT, linewidth=1.4, label="forecast")
    rows[0].legend(fontsize=8, frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0, 1))
    rows[-1].set_xlabel("steps from the last one seen", fontsize=9, color=INK)
    return drawn


def gradient_flow(h: Float[np.ndarray, " K"], c: "Float[np.ndarray, ' K'] | None" = None) -> "Figure":
    """How the gradient shrinks, or grows, from the last step read to the first; a norm of 0 isn't drawn."""
    drawn, (axes,) = figure(6.4, 3.4)
    for norms, name, colour, width in ((h, "$h$", INK, 1.8), (c, "$c$", ACCENT, 1.4)):
        if norms is not None:
            axes.plot(np.where(norms > 0, norms, np.nan), color=colour, linewidth=width, label=f"of {name}")
    axes.set_yscale("log")
    axes.margins(x=0.01)
    # What hardly shrinks should look flat, and like that in the next picture too.
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, high / FLAT), high)
    axes.grid(color=FAINT, alpha=0.35, linewidth=0.6)
    axes.set_xlabel("steps back from the last one read", fontsize=9, color=INK)
    axes.set_ylabel("norm of the answer's gradient", fontsize=9, color=INK)
    if h[0] > 0:
        told = f"{len(h) - 1} steps back, {100 * h[-1] / h[0]:.2g}% of the gradient of $h$ is left"
        axes.set_title(told, fontsize=9, color=INK, loc="left")
    if c is not None:
        axes.legend(fontsize=8, frameon=False)
    return drawn
