"""Examples, their answers and what attention looked at, as HTML."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float

from seqtrain.explain.charts import Axes, Line, heatmap, plot
from seqtrain.explain.examples import Example
from seqtrain.explain.markup import bars, facts, gray, shaded, text, words
from seqtrain.shown import Choices, Curves, Facts, Frames, Part, Raster, Words

MOST_CLASSES = 5
"""Whose probabilities are drawn while a sequence is read."""
MOST_FRAMES = 10
"""Of a film."""
COLOURS = {"seen": 3, "what came": 0, "forecast": 1, "blank": 3}
"""Of lines that mean the same in every picture."""


def card(example: Example) -> str:
    """An example and its answer."""
    mark = {True: '<b class="yes">right</b>', False: '<b class="no">wrong</b>', None: ""}[example.shown.right]
    parts = "".join(_part(part, example) for part in example.shown.parts)
    return f"<article><header>{text(example.title)} {mark}</header>{parts}{_reading(example)}</article>"


def _part(part: Part, example: Example) -> str:
    match part:
        case Words():
            pooled = _pooled(example)
            shades = part.shades or (pooled if len(pooled) == len(part.names) and len(part.names) > 1 else [])
            caption = part.caption or (
                "Darker: looked at more by attention." if len(shades) and not part.shades else ""
            )
            row = words(part.names, marks=part.marks, shades=shades, notes=part.notes, spaced=part.spaced)
            told = f'<p class="small">{text(caption)}</p>' if caption else ""
            return f'<div class="part"><h4>{text(part.label)}</h4>{row}{told}</div>'
        case Choices():
            return f'<div class="part"><h4>answer</h4>{bars(part.chances, part.truth)}</div>'
        case Curves():
            lines = [
                Line(name, first + np.arange(len(values)), values, dashed=name == "blank", colour=COLOURS.get(name))
                for name, (first, values) in part.lines.items()
            ]
            told = f'<p class="small">{text(part.caption)}</p>' if part.caption else ""
            return f'<div class="part"><h4>{text(part.label)}</h4>{plot(lines, Axes(part.x))}{told}</div>'
        case Raster():
            source = shaded(part.values - part.values.min(), 0.0, float(np.ptp(part.values)) or 1.0)
            kind = "raster" if part.x else "raster still"
            axes = f'<p class="axis">{text(part.x)}; upwards: {text(part.y)}</p>' if part.x else ""
            return f'<div class="part"><h4>{text(part.label)}</h4><img class="{kind}" src="{source}" alt="{text(part.label)}">{axes}</div>'
        case Frames():
            places = np.unique(
                np.linspace(0, len(part.frames) - 1, min(len(part.frames), MOST_FRAMES)).round().astype(int)
            )
            row = "".join(f'<img src="{gray(part.frames[at])}" alt="frame {at + 1}">' for at in places.tolist())
            return f'<div class="part frames"><h4>{text(part.label)}</h4><div class="film">{row}</div></div>'
        case Facts():
            return f'<div class="part">{facts(part.rows)}</div>'


def _pooled(example: Example) -> list[float]:
    """How much each step is looked at where one query asks: the mean of the last attention's heads, most is 1."""
    if not example.attention or example.attention[-1].shape[1] != 1:
        return []
    weights = example.attention[-1].mean(0)[0]
    return [float(weight) for weight in weights / (weights.max() or 1.0)]


def _reading(example: Example) -> str:
    """The answer while a sequence is read."""
    found = example.reading
    if found is None:
        return ""
    choices = next((part for part in example.shown.parts if isinstance(part, Choices)), None)
    if choices is not None:
        names = list(choices.chances)
        ordered = sorted(range(len(names)), key=lambda place: -found.answers[:, place].max())
        kept = [place for at, place in enumerate(ordered) if at < MOST_CLASSES or names[place] == choices.truth]
        lines = [Line(names[place], found.lengths, found.answers[:, place]) for place in sorted(kept)]
        axes = Axes("steps read", 0.0, 1.0, height=150)
    else:
        shown = range(min(found.answers.shape[1], MOST_CLASSES))
        lines = [
            Line("answer" if place == 0 else f"answer {place + 1}", found.lengths, found.answers[:, place], colour=1)
            for place in shown
        ]
        if example.known and example.batch.targets.numel() == 1:
            truth = float(example.batch.targets)
            lines.append(Line("truth", [found.lengths[0], found.lengths[-1]], [truth, truth], dashed=True, colour=0))
        axes = Axes("steps read", height=150)
    names_of_steps = example.shown.steps if len(found.lengths) == len(example.shown.steps) else ()
    told = "What the model would answer, had the sequence ended here."
    return f'<div class="part"><h4>the answer while it reads</h4>{plot(lines, axes, names=names_of_steps)}<p class="small">{told}</p></div>'


def looks(example: Example) -> Iterator[str]:
    """What each attention of the model looked at, as maps; where one query asks, the heads are rows."""
    count = len(example.attention)
    for place, weights in enumerate(example.attention, 1):
        heads, asks, steps = weights.shape
        columns = list(example.shown.steps) or [str(step + 1) for step in range(steps)]
        which = f"attention {place}: " if count > 1 else ""
        if asks == 1:
            rows = [f"head {head + 1}" for head in range(heads)] if heads > 1 else ["weight"]
            yield _map(weights[:, 0], rows, columns, f"{which}{text(example.title)}")
            continue
        rows = list(example.shown.asks) if len(example.shown.asks) == asks and asks != steps else columns
        if example.shown.asks and len(example.shown.asks) == asks:
            rows = list(example.shown.asks)
        told = f"{which}{text(example.title)}" + (f", mean of {heads} heads" if heads > 1 else "")
        yield _map(weights.mean(0), rows, columns, told)
        if heads > 1:
            each = "".join(
                f"<figure><figcaption>head {head + 1}</figcaption>"
                f"{heatmap(weights[head], rows, columns, label=f'head {head + 1}', small=True)}</figure>"
                for head in range(heads)
            )
            yield f'<details><summary>each head</summary><div class="heads">{each}</div></details>'


def _map(weights: Float[np.ndarray, "Q T"], rows: Sequence[str], columns: Sequence[str], title: str) -> str:
    drawn = heatmap(weights, rows, columns, label="attention: rows ask, columns are looked at")
    return f"<figure><figcaption>{title}</figcaption>{drawn}</figure>"
