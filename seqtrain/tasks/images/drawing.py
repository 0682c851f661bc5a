"""Pictures of films: strips of frames, the films themselves, and errors frame by frame."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, UInt8

from seqtrain.tasks.drawing import ACCENT, FAINT, INK, figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GAP = 4
"""Pixels between frames."""
GREY = 0.35
"""What stands between them."""

MOST_FRAMES = 10
"""Frames in a row of a strip; of longer films, as many are shown at even distances."""


def strips(
    seen: Float[np.ndarray, "N T Y X"], truth: Float[np.ndarray, "N U Y X"], answers: Float[np.ndarray, "N U Y X"]
) -> "Figure":
    """Three rows for each film: the frames seen, those that came, and as they were predicted."""
    drawn, rows = figure(9.0, 0.4 + 2.7 * len(seen) * seen.shape[2] / seen.shape[3], rows=len(seen))
    for axes, *parts in zip(rows, seen, truth, answers, strict=True):
        lines = [_row(part) for part in parts]
        width = max(line.shape[1] for line in lines)
        padded = [np.pad(line, ((0, GAP), (0, width - line.shape[1])), constant_values=1.0) for line in lines]
        image = np.concatenate(padded)
        axes.imshow(image, cmap="gray", vmin=0, vmax=1)
        axes.set_axis_off()
        height = len(image) / 3
        for place, (name, colour) in enumerate((("seen", FAINT), ("truth", INK), ("prediction", ACCENT))):
            axes.text(-GAP, (place + 0.45) * height, name, fontsize=8, color=colour, ha="right", va="center")
    return drawn


def _row(frames: Float[np.ndarray, "T Y X"]) -> Float[np.ndarray, "Y W"]:
    shown = np.unique(np.linspace(0, len(frames) - 1, min(len(frames), MOST_FRAMES)).round().astype(int))
    apart = np.pad(frames[shown], ((0, 0), (0, 0), (0, GAP)), constant_values=1.0)
    return np.concatenate(list(apart), 1)


def film(
    seen: Float[np.ndarray, "N T Y X"], truth: Float[np.ndarray, "N U Y X"], answers: Float[np.ndarray, "N U Y X"]
) -> UInt8[np.ndarray, "S H W"]:
    """The films in motion, one below the other: on the left as they went on, on the right as predicted.

    A frame around the right half lights up where prediction begins.
    """
    zoom = max(1, 128 // truth.shape[-1])
    left = np.concatenate([seen, truth], 1)
    right = np.concatenate([seen, answers], 1)
    borders = np.where(np.arange(left.shape[1]) < seen.shape[1], GREY, 1.0)
    halves = [_framed(left, np.full_like(borders, GREY), zoom), _framed(right, borders, zoom)]
    films = np.concatenate(halves, -1)  # (N, S, h, w)
    return (255 * np.concatenate(list(films), 1)).round().astype(np.uint8)


def ahead(seen: UInt8[np.ndarray, "T Y X"], answers: UInt8[np.ndarray, "U Y X"]) -> UInt8[np.ndarray, "S H W"]:
    """One film in motion: as it was seen, then as predicted, in a frame that lights up there."""
    frames = np.concatenate([seen, answers])[None] / 255
    borders = np.where(np.arange(frames.shape[1]) < len(seen), GREY, 1.0)
    (framed,) = _framed(frames, borders, max(1, 128 // frames.shape[-1]))
    film: UInt8[np.ndarray, "S H W"] = (255 * framed).round().astype(np.uint8)
    return film


def _framed(films: Float[np.ndarray, "N S Y X"], borders: Float[np.ndarray, " S"], zoom: int) -> np.ndarray:
    large = films.repeat(zoom, 2).repeat(zoom, 3)
    framed = np.empty((*large.shape[:2], large.shape[2] + 2 * GAP, large.shape[3] + 2 * GAP))
    framed[:] = borders[:, None, None]
    framed[:, :, GAP:-GAP, GAP:-GAP] = large
    return framed


def curves(errors: Mapping[str, Float[np.ndarray, " U"]]) -> "Figure":
    """The squared error of each frame ahead; the first of the curves is the model's."""
    drawn, (axes,) = figure(5.0, 3.2)
    for place, (name, error) in enumerate(errors.items()):
        style = "-" if place == 0 else (0, (2.0 * place, 2.0))
        axes.plot(
            np.arange(1, len(error) + 1),
            error,
            color=FAINT if place else ACCENT,
            linewidth=1.6,
            linestyle=style,
            marker="." if len(error) == 1 else "",
            label=name,
        )
    axes.set_ylim(bottom=0)
    axes.locator_params(axis="x", integer=True)
    axes.set_xlabel("frames ahead", fontsize=9, color=INK)
    axes.set_ylabel("squared error of a frame", fontsize=9, color=INK)
    axes.legend(fontsize=8, frameon=False)
    return drawn
