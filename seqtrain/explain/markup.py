"""Pieces of HTML. Every text that comes from outside passes through `text`, so that none can become a tag."""

import base64
import html
import io
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, UInt8
from numpy.typing import NDArray

BLUE, RED = (61, 125, 202), (209, 73, 91)
"""Of what is above 0 and what is below; both can be told from paper white and from night."""

SIGNS = {"\n": "⏎", "\t": "⇥", " ": "␣", "": "nothing"}
"""How symbols are written that leave no ink."""


def text(value: object) -> str:
    """A text as HTML shows it, whatever it holds; what can't be printed is told by its number."""
    shown = "".join(sign if sign.isprintable() or sign == "\n" else f"U+{ord(sign):04X}" for sign in str(value))
    return html.escape(shown)


def visible(symbol: str) -> str:
    """A symbol's name where it stands alone, with a sign where it would leave no ink; not yet HTML."""
    return SIGNS.get(symbol, symbol)


def table(rows: Sequence[Sequence[object]], head: Sequence[object] = (), first: str = "") -> str:
    """A table in a box that may scroll; the first column holds names, the others are set as numbers.

    Args:
        rows: Cells as plain text.
        head: The names of the columns.
        first: A class for the first row.
    """
    top = "".join(f"<th>{text(name)}</th>" for name in head)
    lines = []
    for place, (name, *cells) in enumerate(rows):
        kind = f' class="{first}"' if first and place == 0 else ""
        lines.append(f"<tr{kind}><th>{text(name)}</th>{''.join(f'<td>{text(cell)}</td>' for cell in cells)}</tr>")
    head_row = f"<thead><tr>{top}</tr></thead>" if head else ""
    return f'<div class="scroll"><table>{head_row}<tbody>{"".join(lines)}</tbody></table></div>'


def facts(rows: Mapping[str, str]) -> str:
    """Names and what they are, one below the other."""
    pairs = "".join(f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in rows.items())
    return f"<dl>{pairs}</dl>"


def words(
    names: Sequence[str],
    *,
    marks: Sequence[str] = (),
    shades: Sequence[float] = (),
    notes: Sequence[str] = (),
    spaced: bool = True,
    data: str = "",
) -> str:
    """Symbols in a row that wraps, shaded, with marks below and notes where somebody points at them.

    Args:
        names: As they are written.
        marks: Below each, or nothing.
        shades: -1 to 1; below 0 in the other colour.
        notes: Shown where somebody points at it.
        spaced: Whether blanks stand between them; without, blanks and line ends are shown as signs.
        data: Attributes of the whole.
    """
    pieces = []
    for place, name in enumerate(names):
        shade = f' style="{shade_style(shades[place])}"' if len(shades) else ""
        note = f' title="{text(notes[place])}"' if len(notes) else ""
        mark = f"<sub>{text(marks[place])}</sub>" if len(marks) and marks[place] else ""
        kind = f' class="m{_kind(marks[place])}"' if mark else ""
        pieces.append(f"<span{kind}{shade}{note}>{text(visible(name) if name.strip() == '' else name)}{mark}</span>")
        if not spaced and name == "\n":
            pieces.append("<br>")
    glue = " " if spaced else ""
    return f'<p class="words{"" if spaced else " tight"}"{data}>{glue.join(pieces)}</p>'


def shade_style(shade: float) -> str:
    """The background of a word: from nothing at 0 to strong at 1 and -1."""
    tone = BLUE if shade >= 0 else RED
    return f"background:rgba({','.join(map(str, tone))},{0.62 * min(1.0, abs(float(shade))):.3f})"


def _kind(mark: str) -> int:
    """A colour of eight for a mark, the same for all marks of one type: B-person and I-person."""
    name = mark.partition("-")[2] or mark
    return sum(map(ord, name)) % 8


# -------------------------------------------------------------------- pictures


def bars(chances: Mapping[str, float], truth: str | None = None, most: int = 4) -> str:
    """How likely each of some names is, the likeliest first; the true one is marked, and never left out."""
    ordered = sorted(chances, key=lambda name: -chances[name])
    kept = [name for place, name in enumerate(ordered) if place < most or name == truth]
    rows = [bar(name, chances[name], f"{chances[name]:.1%}", good=name == truth) for name in kept]
    more = f'<p class="small">and {len(ordered) - len(kept)} less likely ones</p>' if len(kept) < len(ordered) else ""
    return f'<div class="bars">{"".join(rows)}</div>{more}'


def bar(name: str, share: float, value: str, *, good: bool = False) -> str:
    """A name, a bar as long as its share of 1, and a value."""
    mark = " <b>✓ truth</b>" if good else ""
    width = 100 * min(1.0, max(0.0, share))
    return (
        f'<div class="bar{" good" if good else ""}"><span>{text(name)}{mark}</span>'
        f'<i><i style="width:{width:.1f}%"></i></i><em>{text(value)}</em></div>'
    )


def shaded(values: Float[np.ndarray, "Y X"], low: float, high: float) -> str:
    """The address of a picture, row 0 on top, that is clear at 0 and coloured by how far a value is from it.

    Args:
        values: Finite.
        low: Below 0 for values of two signs, which are then to be drawn from -high to high; else drawn clear.
        high: Drawn darkest; above low.
    """
    if low < 0:
        scaled, middle = 128 + 127 * np.clip(values / high, -1, 1), 128
    else:
        scaled, middle = 255 * np.clip((values - low) / (high - low), 0, 1), 0
    levels = np.arange(256)
    opaque = np.minimum(255, 255 * np.abs(levels - middle) / (255 - middle)).astype(np.uint8)
    colours = np.where((levels >= middle)[:, None], BLUE, RED).astype(np.uint8)
    return _png(scaled.round().astype(np.uint8), colours, opaque)


def gray(values: Float[np.ndarray, "Y X"]) -> str:
    """The address of a picture in shades of gray, from its darkest value to its brightest, or from 0 to 1."""
    low, high = min(0.0, float(values.min())), max(1.0, float(values.max()))
    return _png((255 * (values - low) / (high - low)).round().astype(np.uint8))


def _png(
    pixels: UInt8[np.ndarray, "Y X"],
    colours: UInt8[np.ndarray, "256 3"] | None = None,
    alpha: NDArray[np.uint8] | None = None,
) -> str:
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(pixels))
    file = io.BytesIO()
    if colours is None or alpha is None:
        image.save(file, format="PNG", optimize=True)
    else:
        palette = image.convert("P")
        palette.putpalette(colours.tobytes())
        palette.save(file, format="PNG", optimize=True, transparency=alpha.tobytes())
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def packed(values: Float[np.ndarray, "..."], low: float, high: float) -> str:
    """Values in 256 steps from low to high, for the page's script."""
    steps = np.round(255 * np.clip((values - low) / (high - low), 0, 1)).astype(np.uint8)
    return base64.b64encode(steps.tobytes()).decode()
