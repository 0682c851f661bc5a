"""An example and its answer as plain parts that a page can draw, whatever the task."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Words:
    """Symbols in a row.

    Attributes:
        label: What they are, as `truth`.
        names: As they are written.
        marks: What is said of each, as its tag, or nothing; empty: nothing is.
        shades: How dark each stands out, 0 to 1; empty: none does.
        notes: What else is told of each where somebody points at it; empty: nothing.
        spaced: Whether blanks stand between them.
        caption: What shades or marks mean.
    """

    label: str
    names: Sequence[str]
    marks: Sequence[str] = ()
    shades: Sequence[float] = ()
    notes: Sequence[str] = ()
    spaced: bool = True
    caption: str = ""


@dataclass(frozen=True)
class Choices:
    """Classes to choose from, and how likely a model finds each.

    Attributes:
        chances: By name; they add up to 1.
        truth: The right one, where that is known.
    """

    chances: Mapping[str, float]
    truth: str | None = None


@dataclass(frozen=True)
class Curves:
    """Numbers over steps.

    Attributes:
        label: What they are of.
        lines: By name, the step at which each begins, and its values.
        x: What the steps are.
        caption: What there is to see.
    """

    label: str
    lines: Mapping[str, tuple[float, Float[np.ndarray, " N"]]]
    x: str = "steps"
    caption: str = ""


@dataclass(frozen=True)
class Raster:
    """A picture, row 0 on top, or features over steps.

    Attributes:
        label: What it shows.
        values: Any finite numbers; the largest are darkest.
        x: What runs along it; nothing for a picture.
        y: What runs up it.
    """

    label: str
    values: Float[np.ndarray, "Y X"]
    x: str = ""
    y: str = ""


@dataclass(frozen=True)
class Frames:
    """A film in a row of pictures.

    Attributes:
        label: As `seen`.
        frames: Brightness, 0 to 1.
    """

    label: str
    frames: Float[np.ndarray, "N Y X"]


@dataclass(frozen=True)
class Facts:
    """What can be said in a few words, by name."""

    rows: Mapping[str, str]


Part = Words | Choices | Curves | Raster | Frames | Facts


@dataclass(frozen=True)
class Shown:
    """One example with its answer.

    Attributes:
        parts: What there is to see, in reading order.
        steps: A name for each input step, such as its word; empty: they have numbers only.
        asks: A name for each output step, where outputs have a length of their own.
        right: Whether the answer is right, where it can be; None where that is unknown, or a matter of degree.
    """

    parts: Sequence[Part] = ()
    steps: Sequence[str] = ()
    asks: Sequence[str] = ()
    right: bool | None = None
