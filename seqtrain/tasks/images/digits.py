"""Images of digits: drawn by strokes of a pen, or MNIST's."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, Int, UInt8
from numpy.typing import NDArray

from seqtrain.data import obtain
from seqtrain.errors import ConfigError, DataError
from seqtrain.seeding import stream
from seqtrain.tasks.images.idx import read_idx
from seqtrain.tasks.task import Split

DigitSource = Literal["drawn", "mnist"]

SIDE = 28
"""Rows and columns of an image."""
CLASSES = 10

MNIST_VAL = 5_000
"""How many of MNIST's training images are held out to validate on: the last ones."""

Stroke = list[tuple[float, float]]


@dataclass(frozen=True)
class Digits:
    """Images of digits with what they show.

    Attributes:
        images: Gray, 0 the paper and 255 the ink.
        labels: 0 to 9.
    """

    images: UInt8[np.ndarray, "N 28 28"]
    labels: Int[np.ndarray, " N"]

    def __len__(self) -> int:
        return len(self.labels)


# -------------------------------------------------------------------- MNIST


def read_mnist(split: Split, data_dir: Path) -> Digits:
    """MNIST's images, LeCun 1998: the last 5,000 of the training files validate, t10k tests.

    Raises:
        DataError: If a file is missing and can't be downloaded, or is damaged, or images and labels don't go together.
    """
    part = "t10k" if split is Split.TEST else "train"
    folder = obtain("mnist", data_dir)
    paths = [folder / f"{part}-{name}-ubyte.gz" for name in ("images-idx3", "labels-idx1")]
    images, labels = read_idx(paths[0], axes=3), read_idx(paths[1], axes=1)
    if images.shape[1:] != (SIDE, SIDE):
        raise DataError(f"{paths[0]}: images of {images.shape[1]} x {images.shape[2]}, not {SIDE} x {SIDE}")
    if len(images) != len(labels):
        raise DataError(f"{paths[0]}: {len(images):,} images, and {paths[1].name} has {len(labels):,} labels")
    if len(labels) and labels.max() >= CLASSES:
        raise DataError(f"{paths[1]}: label {labels.max()}, beyond 9")
    if split is not Split.TEST:
        if len(labels) <= MNIST_VAL:
            raise DataError(f"{paths[0]}: {len(images):,} images are too few to hold {MNIST_VAL:,} out to validate on")
        rows = slice(-MNIST_VAL, None) if split is Split.VAL else slice(-MNIST_VAL)
        images, labels = images[rows], labels[rows]
    if not len(labels):
        raise DataError(f"{paths[0]}: holds no image")
    return Digits(images, labels.astype(np.int64))


HEIGHT = 20.0
"""Of a drawn digit in pixels, before it varies: MNIST's."""


def read_digits(
    source: DigitSource, split: Split, size: int | None, data_dir: Path, seed: int, *, height: float = HEIGHT
) -> Digits:
    """So many digits of a split, drawn in such a height; of MNIST the first ones, or all where size is None.

    Raises:
        ConfigError: If MNIST's split is smaller.
        DataError: If MNIST can't be read.
    """
    if source == "drawn":
        assert size is not None
        return draw_digits(stream(seed, f"digits/{split}"), size, height)
    digits = read_mnist(split, data_dir)
    if size is not None and size > len(digits):
        raise ConfigError(f"task.{split}_size={size}: MNIST has {len(digits):,} digits to {_PURPOSE[split]} on")
    return Digits(digits.images[:size], digits.labels[:size])


_PURPOSE = {Split.TRAIN: "train", Split.VAL: "validate", Split.TEST: "test"}

# -------------------------------------------------------------------- drawn


def _arc(x: float, y: float, across: float, down: float, start: float, end: float) -> Stroke:
    """Part of an ellipse around (x, y); degrees run clockwise from the right."""
    angles = np.radians(np.linspace(start, end, 24))
    return list(zip((x + across * np.cos(angles)).tolist(), (y + down * np.sin(angles)).tolist(), strict=True))


STROKES: tuple[list[Stroke], ...] = (
    [_arc(0.5, 0.5, 0.27, 0.42, -90, 270)],
    [[(0.34, 0.24), (0.54, 0.08), (0.54, 0.92)]],
    [[*_arc(0.5, 0.32, 0.25, 0.24, 190, 395), (0.22, 0.9), (0.8, 0.9)]],
    [[*_arc(0.47, 0.29, 0.24, 0.21, 205, 445), *_arc(0.46, 0.7, 0.29, 0.22, 275, 510)]],
    [[(0.56, 0.08), (0.2, 0.6), (0.82, 0.6)], [(0.64, 0.34), (0.62, 0.92)]],
    [[(0.74, 0.1), (0.32, 0.1), (0.28, 0.48), *_arc(0.47, 0.67, 0.27, 0.24, 230, 510)]],
    [[*_arc(0.74, 0.62, 0.49, 0.54, 262, 185), *_arc(0.5, 0.68, 0.25, 0.23, 180, 540)]],
    [[(0.2, 0.1), (0.8, 0.1), (0.42, 0.92)]],
    [[*_arc(0.5, 0.29, 0.2, 0.2, 90, -270), *_arc(0.5, 0.71, 0.26, 0.21, -90, 270)]],
    [[*_arc(0.5, 0.32, 0.24, 0.23, 0, -360), (0.7, 0.6), (0.6, 0.92)]],
)
"""How a pen draws each digit, in a unit square: x to the right, y down."""

POINTS = 64
"""Dabs of ink in a digit: so many that they can't be told apart."""
CONTRAST, PAPER = 2.0, 0.15
"""How steeply ink turns black, and how little leaves no trace."""


def draw_digits(rng: np.random.Generator, size: int, height: float = HEIGHT) -> Digits:
    """Draws digits with a pen whose width, slant, size and steadiness differ from image to image."""
    labels = rng.integers(CLASSES, size=size)
    skeletons = np.stack([_dabs(strokes) for strokes in STROKES])
    places = _varied(rng, skeletons[labels], height)
    width = rng.uniform(0.75, 1.25, (size, 1, 1))
    return Digits(_inked(places, width), labels)


def _dabs(strokes: list[Stroke]) -> Float[np.ndarray, "P 2"]:
    """Points at even distances along the strokes, around the middle of the square."""
    starts = np.array([point for stroke in strokes for point in stroke[:-1]])
    ends = np.array([point for stroke in strokes for point in stroke[1:]])
    lengths = np.hypot(*(ends - starts).T)
    travelled = np.concatenate([[0.0], lengths.cumsum()])
    along = (np.arange(POINTS) + 0.5) / POINTS * travelled[-1]
    segment = np.searchsorted(travelled, along, side="right") - 1
    share = ((along - travelled[segment]) / lengths[segment])[:, None]
    points: NDArray[np.float64] = starts[segment] * (1 - share) + ends[segment] * share
    return points - 0.5


def _varied(rng: np.random.Generator, places: Float[np.ndarray, "N P 2"], height: float) -> Float[np.ndarray, "N P 2"]:
    """Bends, scales, slants and turns each digit, and puts it near the middle; in pixels."""
    size = len(places)
    waves = rng.normal(0, 2.5, (size, 2, 1))
    phases = rng.uniform(0, 2 * np.pi, (size, 1, 2))
    bent = places + rng.uniform(0, 0.06, (size, 1, 2)) * np.sin(places @ waves + phases)
    turn, slant = rng.normal(0, 0.12, size), rng.normal(0.1, 0.18, size)
    scales = height * rng.uniform(0.8, 1.1, (size, 1, 2))
    cosine, sine = np.cos(turn), np.sin(turn)
    # Row vectors: slanted first, then turned.
    matrix = np.stack(
        [np.stack([cosine, sine], -1), np.stack([-sine - slant * cosine, cosine - slant * sine], -1)], 1
    )  # (N, 2, 2)
    drawn: NDArray[np.float64] = (bent * scales) @ matrix
    drawn += (SIDE - 1) / 2 + rng.uniform(-1, 1, (size, 1, 2)) - drawn.mean(1, keepdims=True)
    return drawn


def _inked(places: Float[np.ndarray, "N P 2"], width: Float[np.ndarray, "N 1 1"]) -> UInt8[np.ndarray, "N 28 28"]:
    """Ink spread around each dab as a Gaussian, as wide as the pen, up to full black.

    A Gaussian is a product of its rows and its columns, so that all dabs of an image are one matrix product.
    """
    pixels = np.arange(SIDE, dtype=np.float32)
    spread = -0.5 / width.astype(np.float32) ** 2
    across, down = (np.exp(spread * (places[..., axis, None].astype(np.float32) - pixels) ** 2) for axis in (0, 1))
    ink = down.transpose(0, 2, 1) @ across  # (N, 28, 28)
    # In the middle of a stroke, dabs at such distances add up to width sqrt(2 pi) / distance: to be 1 everywhere.
    distances = np.hypot(*np.moveaxis(np.diff(places, axis=1), -1, 0)).mean(1)[:, None, None]
    level = ink * (distances / (width * np.sqrt(2 * np.pi))).astype(np.float32)
    black: NDArray[np.uint8] = (255 * np.clip(CONTRAST * (level - PAPER), 0, 1)).astype(np.uint8)
    return black
