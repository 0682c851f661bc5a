"""Sentences with the entities in them, drawn."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from seqtrain.tasks.drawing import FAINT, INK, figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = (
    "#f4b6c2",
    "#a8d5ba",
    "#a9c9ec",
    "#f6d68f",
    "#cdb7e6",
    "#f2b391",
    "#9fdcdc",
    "#d3d68a",
    "#d9c3b0",
    "#c5cfd8",
)
"""Of the types in turn, over and over."""

_LINE, _SENTENCE = 1.0, 2.7
"""Heights of a line of words and of a sentence, in lines."""

_MARGIN, _WIDEST = 9, 110
"""Letters that find room beside a sentence, and in it."""


class Mark(NamedTuple):
    """An entity: words from start to before end, of a type."""

    start: int
    end: int
    type: int


class Tagged(NamedTuple):
    """A sentence, the entities in it, and those that were found."""

    words: Sequence[str]
    truth: Sequence[Mark]
    answer: Sequence[Mark]


def sentences(shown: Sequence[Tagged], types: Sequence[str]) -> "Figure":
    """Each sentence twice, with its entities and with those answered; colours are types."""
    width = min(_WIDEST, max(sum(len(word) + 1 for word in each.words) for each in shown))
    drawn, (axes,) = figure(0.3 + 0.072 * (width + _MARGIN), 0.6 + 0.22 * _SENTENCE * len(shown))
    axes.set_axis_off()
    axes.set_xlim(-_MARGIN, width)
    axes.set_ylim(_SENTENCE * len(shown), -1.6)
    for index, each in enumerate(shown):
        top = index * _SENTENCE
        wrong = set(each.truth) != set(each.answer)
        for line, (name, marks) in enumerate((("truth", each.truth), ("answer", each.answer))):
            _words(axes, top + line * _LINE, each.words, marks)
            weight = "bold" if wrong and line else "normal"
            axes.text(-_MARGIN, top + line * _LINE, name, fontsize=7, color=INK, weight=weight, va="center")
        axes.axhline(top + 1.85 * _LINE, color=FAINT, linewidth=0.4)
    at = 0.0
    for kind, name in enumerate(types):
        axes.text(at, -1.1, name, fontsize=8, color=INK, family="monospace", va="center", bbox=_box(kind))
        at += len(name) + 3
    return drawn


def _words(axes: "Axes", y: float, words: Sequence[str], marks: Sequence[Mark]) -> None:
    """One line of words, a box behind those of each mark."""
    starts = [sum(len(word) + 1 for word in words[:count]) for count in range(len(words) + 1)]
    kinds = {mark.start: mark for mark in marks}
    position = 0
    while position < len(words) and starts[position] < _WIDEST:
        mark = kinds.get(position)
        end = mark.end if mark else position + 1
        text = _drawable(" ".join(words[position:end]))
        box = _box(mark.type) if mark else None
        axes.text(starts[position], y, text, fontsize=8, color=INK, family="monospace", va="center", bbox=box)
        position = end


def _drawable(text: str) -> str:
    """The text with a box for what the font lacks, of which matplotlib would warn; dollars are no formulas."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    font = get_font(findfont(FontProperties(family="monospace")))
    return "".join(sign if font.get_char_index(ord(sign)) else "\u25a1" for sign in text).replace("$", r"\$")


def _box(kind: int) -> dict[str, object]:
    return {"facecolor": _COLOURS[kind % len(_COLOURS)], "edgecolor": "none", "pad": 1.2}
