"""Curves and maps as HTML: lines are stretched with the page, letters are not."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from seqtrain.explain.markup import packed, shaded, text, visible

MOST_POINTS = 400
"""Of one line; of longer ones, as many at even distances are drawn."""
MOST_NAMES = 80
"""Names beside a map; of more, none could be read."""
ROOM, LONGEST_NAME = 42, 10
"""Letters that find room below a plot, on a telephone too; names longer than that are cut."""
COLOURS = 6
"""That lines have in turn."""


@dataclass(frozen=True)
class Line:
    """One curve.

    Attributes:
        name: For the legend.
        xs: Where its points are.
        ys: What they are; where one isn't finite, the line is broken.
        dashed: Whether it stands behind the others, as a truth or a level.
        colour: Which of the six; None is its place.
    """

    name: str
    xs: Sequence[float] | Shaped[np.ndarray, " N"]
    ys: Sequence[float] | Float[np.ndarray, " N"]
    dashed: bool = False
    colour: int | None = None


@dataclass(frozen=True)
class Dot:
    """A point that stands out, and what is said of it."""

    x: float
    y: float
    note: str


@dataclass(frozen=True)
class Axes:
    """What a plot spans.

    Attributes:
        x: What runs to the right.
        low: The least value; None is that of the lines, as for `high`.
        high: The largest.
        log: Whether each step up is ten times as much; values must be above 0 or not finite.
        height: In pixels.
        data: Attributes for the page's script.
    """

    x: str
    low: float | None = None
    high: float | None = None
    log: bool = False
    height: int = 190
    data: str = ""


def plot(lines: Sequence[Line], axes: Axes, dots: Sequence[Dot] = (), names: Sequence[str] = ()) -> str:
    """Curves over one axis, with their names above; steps may have names of their own instead of numbers."""
    xs = np.concatenate([np.asarray(line.xs, float) for line in lines])
    left, right = float(xs.min()), float(xs.max())
    low, high = _span(lines, axes)

    def across(x: float) -> float:
        return 50.0 if right == left else 100 * (x - left) / (right - left)

    def up(y: float) -> float:
        return 100 * (_level(y, axes) - low) / (high - low)

    drawn, keys = [], []
    for place, line in enumerate(lines):
        kind = f"c{(place if line.colour is None else line.colour) % COLOURS}{' dash' if line.dashed else ''}"
        keys.append(f'<span class="key {kind}">{text(line.name)}</span>')
        points = [(across(x), 100 - up(y)) if math.isfinite(_level(y, axes)) else None for x, y in _thinned(line)]
        for piece in _pieces(points):
            told = " ".join(f"{x:.2f},{y:.2f}" for x, y in piece)
            drawn.append(f'<polyline class="{kind}" data-name="{text(line.name)}" points="{told}"/>')
    marks = _y_ticks(low, high, log=axes.log)
    grid = "".join(f'<line x1="0" x2="100" y1="{100 - y:.2f}" y2="{100 - y:.2f}"/>' for y, _ in marks)
    ys = "".join(f'<span class="y" style="bottom:{y:.2f}%">{label}</span>' for y, label in marks)
    spots = "".join(
        f'<i class="dot" style="left:{across(dot.x):.2f}%;bottom:{up(dot.y):.2f}%" title="{text(dot.note)}"></i>'
        for dot in dots
    )
    label = text(f"{', '.join(line.name for line in lines)} by {axes.x}")
    return (
        f'<figure class="plot"{axes.data}><figcaption>{"".join(keys)}</figcaption>'
        f'<div class="box" style="height:{axes.height}px">{ys}'
        f'<svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img" aria-label="{label}">'
        f'<g class="grid">{grid}</g>{"".join(drawn)}</svg>{spots}</div>'
        f'<div class="x">{_x_ticks(left, right, names)}</div><p class="axis">{text(axes.x)}</p></figure>'
    )


def heatmap(
    values: Float[np.ndarray, "Y X"], rows: Sequence[str], columns: Sequence[str], *, label: str, small: bool = False
) -> str:
    """How much each row looks at each column, from nothing to the most, with the names of both beside it."""
    high, (count, width) = float(values.max()) or 1.0, values.shape
    named = not small and max(count, width) <= MOST_NAMES
    side = _names(rows, "rows") if named and len(rows) == count else ""
    below = _names(columns, "cols") if named and len(columns) == width else ""
    size = "" if small else f' style="--r:{count};--c:{width}"'
    data = "" if small else f' data-map="{packed(values, 0, high)}" data-high="{high:.6g}"'
    letters = named and max(map(len, columns), default=0) <= 2  # which can stand upright
    classes = "map small" if small else "map flat" if letters else "map" if named else "map bare"
    image = f'<img src="{shaded(values, 0, high)}" alt="{text(label)}">'
    told = "" if small else '<p class="told small">&nbsp;</p>'
    return f'<div class="scroll"><div class="{classes}"{size}{data}>{side}{image}{below}</div></div>{told}'


def _names(names: Sequence[str], kind: str) -> str:
    return f'<div class="{kind}">{"".join(f"<span>{text(visible(name))}</span>" for name in names)}</div>'


def _level(y: float, axes: Axes) -> float:
    """Where a value stands; not finite where it can't."""
    if not axes.log:
        return float(y)
    return math.log10(y) if math.isfinite(y) and y > 0 else math.nan


def _span(lines: Sequence[Line], axes: Axes) -> tuple[float, float]:
    """The levels of a plot's lower and upper edge."""
    levels = [level for line in lines for y in np.asarray(line.ys, float) if math.isfinite(level := _level(y, axes))]
    low = min(levels, default=0.0) if axes.low is None else _level(axes.low, axes)
    high = max(levels, default=1.0) if axes.high is None else _level(axes.high, axes)
    if axes.log:
        low, high = math.floor(low), math.ceil(high)
    elif high > low:
        margin = 0.04 * (high - low)
        low, high = (low if axes.low is not None else low - margin), (high if axes.high is not None else high + margin)
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _thinned(line: Line) -> list[tuple[float, float]]:
    places = np.unique(np.linspace(0, len(line.xs) - 1, min(len(line.xs), MOST_POINTS)).round().astype(int))
    return [(float(line.xs[place]), float(line.ys[place])) for place in places.tolist()]


def _pieces(points: Sequence[tuple[float, float] | None]) -> list[list[tuple[float, float]]]:
    """Runs of points without a gap; a lone point is doubled, so that it leaves a mark."""
    runs: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if point is None:
            runs.append([])
        else:
            runs[-1].append(point)
    return [
        run if len(run) > 1 else [(run[0][0] - 0.4, run[0][1]), (run[0][0] + 0.4, run[0][1])] for run in runs if run
    ]


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers from low to high, at most so many."""
    rough = (high - low) / most
    unit = 10 ** math.floor(math.log10(rough))
    step = next(unit * times for times in (1, 2, 5, 10) if unit * times >= rough)
    first = math.ceil(low / step - 1e-9)
    return [count * step for count in range(first, math.floor(high / step + 1e-9) + 1)]


def _y_ticks(low: float, high: float, *, log: bool) -> list[tuple[float, str]]:
    if log:
        every = max(1, math.ceil((high - low) / 6))
        levels = [float(level) for level in range(math.ceil(low), math.floor(high) + 1, every)]
        return [(100 * (y - low) / (high - low), f"10<sup>{y:.0f}</sup>") for y in levels]
    return [(100 * (y - low) / (high - low), _short(y)) for y in ticks(low, high)]


def _short(value: float) -> str:
    return f"{value:.3g}".replace("e+0", "e").replace("e-0", "e-").replace("-", "\N{MINUS SIGN}")


def _x_ticks(left: float, right: float, names: Sequence[str]) -> str:
    if len(names):
        longest = min(LONGEST_NAME, max(map(len, names)))
        every = max(1, math.ceil(len(names) * (longest + 2) / ROOM))
        shown = [(place / max(1, len(names) - 1), visible(names[place])) for place in range(0, len(names), every)]
    elif right == left:
        shown = [(0.5, _short(left))]
    else:
        shown = [
            ((x - left) / (right - left), f"{x:,.0f}" if right - left >= 5 else _short(x)) for x in ticks(left, right)
        ]
    return "".join(f'<span style="left:{100 * share:.2f}%"{_end(share)}>{text(name)}</span>' for share, name in shown)


def _end(share: float) -> str:
    """A label at an edge stays within it."""
    return ' class="end"' if share > 0.96 else ' class="start"' if share < 0.03 else ""
