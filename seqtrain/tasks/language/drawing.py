"""Pictures of text: what was written after a prompt, and which symbols were expected."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from seqtrain.tasks.drawing import INK, figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LINE = 80
"""Characters in a line of a picture."""
MOST_LINES = 16
MOST_BITS = 8.0
"""From here on, shades are the darkest."""

MARKS = {"\n": "\u21b5", "\t": "\u2192", " ": "\u00b7"}
"""How characters are drawn that leave no ink."""
MISSING = "\u25a1"
"""How characters are drawn that the font lacks."""


def beside(texts: Sequence[tuple[str, str]]) -> str:
    """Markdown: each prompt, and below it what the model wrote."""
    parts = ["# What the model writes after a prompt\n"]
    for number, (prompt, answer) in enumerate(texts, 1):
        parts.append(f"## {number}\n\nPrompt:\n\n{_fenced(prompt)}\n\nThe model goes on:\n\n{_fenced(answer)}\n")
    return "\n".join(parts)


def surprise(symbols: Sequence[str], bits: Float[np.ndarray, " T"], gap: int = 0) -> "Figure":
    """Running text, each symbol on a shade of the bits that it took: what is white was expected.

    Args:
        symbols: Characters or words; a line begins after each line feed.
        bits: Of each symbol.
        gap: Blanks between two symbols.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    lines = _lines(symbols, gap)[:MOST_LINES]
    drawn, (axes,) = figure(10.0, 0.5 + 0.24 * len(lines))
    # Darker than this, and the sign couldn't be read.
    shades = ScalarMappable(Normalize(0, MOST_BITS), "Reds").to_rgba(0.7 * bits.clip(0, MOST_BITS))
    cells = np.ones((len(lines), LINE, 4))
    style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 8, "color": INK, "family": "monospace"}
    for row, line in enumerate(lines):
        column = 0
        for place, sign in line:
            cells[row, column : column + len(sign)] = shades[place]
            for offset, character in enumerate(sign):
                axes.text(column + offset + 0.5, row, character, parse_math=False, **style)
            column += len(sign) + gap
    axes.imshow(cells, extent=(0, LINE, len(lines) - 0.5, -0.5), aspect="auto", interpolation="nearest")
    axes.set(xlim=(0, LINE), ylim=(len(lines) - 0.5, -0.5))
    axes.axis("off")
    axes.set_title("bits that each symbol took: white was expected", fontsize=9, color=INK, loc="left")
    return drawn


def _lines(symbols: Sequence[str], gap: int) -> list[list[tuple[int, str]]]:
    """The symbols that stand in each line, as they are drawn, with their places in the text."""
    lines: list[list[tuple[int, str]]] = [[]]
    filled = 0
    for place, symbol in enumerate(symbols):
        shown = _drawable(symbol)
        if filled + len(shown) > LINE:
            lines.append([])
            filled = 0
        lines[-1].append((place, shown))
        filled = LINE if symbol == "\n" else filled + len(shown) + gap
    return lines


def _drawable(symbol: str) -> str:
    """A symbol in signs that the font has; a long word is cut."""
    from matplotlib.font_manager import findfont, get_font

    font = get_font(findfont("monospace"))
    marked = (MARKS.get(character, character) for character in symbol[:LINE])
    return "".join(sign if font.get_char_index(ord(sign)) else MISSING for sign in marked)


def _fenced(text: str) -> str:
    """Text as a block of code, in a fence that it can't close."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"
