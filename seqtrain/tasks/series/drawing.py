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


def ahead(names: Sequence[str], seen: Float[np.ndarray, "C T"], answers: Float[np.ndarray, "C U"]) -> "Figure":
    """One row for each channel: its end as it was seen, and what is forecast to follow."""
    drawn, rows = drawing.figure(8.0, 0.6 + 1.5 * len(seen), rows=len(seen))
    past, future = np.arange(seen.shape[1]) - seen.shape[1] + 1, np.arange(answers.shape[1] + 1)
    for axes, name, before, answer in zip(rows, names, seen, answers, strict=True):
        axes.axvline(0.5, color=FAINT, linewidth=0.8)
        axes.plot(past, before, color=FAINT, linewidth=1.2, label="seen")
        axes.plot(future, np.append(before[-1], answer), color=ACCENT, linewidth=1.4, label="forecast")
        axes.set_title(name, fontsize=8, color=INK, loc="right", pad=3)
    rows[0].legend(fontsize=8, frameon=False, ncols=2, loc="lower left", bbox_to_anchor=(0, 1))
    rows[-1].set_xlabel("rows from the last one seen", fontsize=9, color=INK)
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
