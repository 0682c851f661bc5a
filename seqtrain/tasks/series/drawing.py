"""Figures of forecasts and of their errors."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float

from seqtrain.tasks import drawing
from seqtrain.tasks.drawing import ACCENT, FAINT, INK

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Forecast(NamedTuple):
    """One channel of one window: what was seen, what came, and what was forecast."""

    title: str
    seen: Float[np.ndarray, " T"]
    truth: Float[np.ndarray, " U"]
    answer: Float[np.ndarray, " U"]


def forecasts(shown: Sequence[Forecast]) -> "Figure":
    """One row for each forecast, under its title."""
    drawn = drawing.forecasts(*(np.stack(part) for part in list(zip(*shown, strict=True))[1:]))
    for axes, each in zip(drawn.axes, shown, strict=True):
        axes.set_title(each.title, fontsize=8, color=INK, loc="right", pad=3)
    return drawn


def errors_by_step(curves: Mapping[str, Float[np.ndarray, " U"]], units: str) -> "Figure":
    """Root mean squared errors (RMSE) at each step ahead, in the units that are named; the model's curve is first."""
    drawn, (axes,) = drawing.figure(6.0, 3.2)
    styles = [(ACCENT, "-"), (INK, "--"), (FAINT, "--")]
    for (name, errors), (colour, line) in zip(curves.items(), styles, strict=False):
        axes.plot(np.arange(1, len(errors) + 1), errors, color=colour, linestyle=line, linewidth=1.4, label=name)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("steps from the last one seen", fontsize=9, color=INK)
    axes.set_ylabel(f"RMSE, {units}", fontsize=9, color=INK)
    axes.legend(fontsize=8, frameon=False, ncols=len(curves), loc="lower left", bbox_to_anchor=(0, 1))
    return drawn
