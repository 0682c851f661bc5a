"""Examples, their answers and what attention looked at, as HTML."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float

from seqtrain.explain.charts import Axes, Line, heatmap, plot
from seqtrain.explain.examples import Example
from seqtrain.explain.markup import bars, facts, gray, shaded, text, visible, words
from seqtrain.shown import Choices, Curves, Facts, Frames, Part, Raster, Words

MOST_CLASSES = 5
"""Whose probabilities are drawn while a sequence is read."""
MOST_FRAMES = 10
"""Of a film."""
MOST_LOOKED_AT = 3
"""Steps that are named as those that are looked at most."""
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
            return _words(part, example)
        case Choices():
            return _block("answer", bars(part.chances, part.truth))
        case Curves():
            lines = [
                Line(name, first + np.arange(len(values)), values, dashed=name == "blank", colour=COLOURS.get(name))
                for name, (first, values) in part.lines.items()
            ]
            return _block(part.label, plot(lines, Axes(part.x)), part.caption)
        case Raster():
            clear = float(np.median(part.values) if part.x else part.values.min())  # of features, all that is faint
            source = shaded(part.values - clear, 0.0, float(part.values.max()) - clear or 1.0)
            kind = "raster" if part.x else "raster still"
            axes = f'<p class="axis">{text(part.x)}; upwards: {text(part.y)}</p>' if part.x else ""
            return _block(part.label, f'<img class="{kind}" src="{source}" alt="{text(part.label)}">{axes}')
        case Frames():
            count = len(part.frames)
            places = np.unique(np.linspace(0, count - 1, min(count, MOST_FRAMES)).round().astype(int)).tolist()
            row = "".join(f'<img src="{gray(part.frames[at])}" alt="frame {at + 1}">' for at in places)
            return _block(part.label, f'<div class="film">{row}</div>')
        case Facts():
            return _block("", facts(part.rows))


def _block(label: str, content: str, caption: str = "") -> str:
    above = f"<h4>{text(label)}</h4>" if label else ""
    below = f'<p class="small">{text(caption)}</p>' if caption else ""
    return f'<div class="part">{above}{content}{below}</div>'


def _words(part: Words, example: Example) -> str:
    """Symbols with their own shades, or else as attention shades them."""
    shades, caption, pooled = part.shades, part.caption, _pooled(example)
    if not len(shades) and len(pooled) == len(part.names):
        shades, caption = pooled, caption or "Darker: attention looks at it more."
    row = words(part.names, marks=part.marks, shades=shades, notes=part.notes, spaced=part.spaced)
    return _block(part.label, row, caption)


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
        said = found.answers.T[:MOST_CLASSES]
        told = ["answer"] if len(said) == 1 else [f"answer {place + 1}" for place in range(len(said))]
        lines = [
            Line(name, found.lengths, row, colour=1 + at) for at, (name, row) in enumerate(zip(told, said, strict=True))
        ]
        if example.known and example.batch.targets.numel() == 1:
            truth = float(example.batch.targets)
            lines.append(Line("truth", [found.lengths[0], found.lengths[-1]], [truth, truth], dashed=True, colour=0))
        axes = Axes("steps read", height=150)
    steps = example.shown.steps if len(found.lengths) == len(example.shown.steps) else ()
    caption = "What the model would answer, had the sequence ended there."
    return _block("the answer while it reads", plot(lines, axes, names=steps), caption)


def looks(example: Example) -> Iterator[str]:
    """What each attention of the model looked at, as maps; where one query asks, the heads are rows."""
    count = len(example.attention)
    for place, weights in enumerate(example.attention, 1):
        heads, asks, steps = weights.shape
        columns = list(example.shown.steps) or [str(step + 1) for step in range(steps)]
        which = f"attention {place}: " if count > 1 else ""
        if asks == 1:
            yield _of_one(example, weights[:, 0], f"{which}{example.title}")
            continue
        rows = list(example.shown.asks) if len(example.shown.asks) == asks else columns
        told = f"{which}{text(example.title)}" + (f", mean of {heads} heads" if heads > 1 else "")
        yield _map(weights.mean(0), rows, columns, told)
        if heads > 1:
            each = "".join(
                f"<figure><figcaption>head {head + 1}</figcaption>"
                f"{heatmap(weights[head], rows, columns, label=f'head {head + 1}', small=True)}</figure>"
                for head in range(heads)
            )
            yield f'<details><summary>each head</summary><div class="heads">{each}</div></details>'


def _of_one(example: Example, weights: Float[np.ndarray, "N T"], title: str) -> str:
    """What one query looks at, head by head: as words, or as curves over steps that are none."""
    names = example.shown.steps
    heads = ["weight"] if len(weights) == 1 else [f"head {head + 1}" for head in range(len(weights))]
    if not any(isinstance(part, Words) and len(part.names) == len(names) for part in example.shown.parts):
        lines = [Line(head, range(1, len(row) + 1), row) for head, row in zip(heads, weights, strict=True)]
        return f"<figure><figcaption>{text(title)}</figcaption>{plot(lines, Axes('step', 0.0), names=names)}</figure>"
    rows = []
    for head, row in zip(heads, weights, strict=True):
        notes = [f"{weight:.3f}" for weight in row]
        most = ", ".join(
            f"“{visible(names[at])}” {row[at]:.0%}" for at in np.argsort(-row, kind="stable")[:MOST_LOOKED_AT]
        )
        label = f"{head}: " if len(heads) > 1 else ""
        shaded_words = words(names, shades=(row / (row.max() or 1.0)).tolist(), notes=notes)
        rows.append(f'{shaded_words}<p class="small">{text(f"{label}most at {most}")}</p>')
    return f"<figure><figcaption>{text(title)}</figcaption>{''.join(rows)}</figure>"


def _map(weights: Float[np.ndarray, "Q T"], rows: Sequence[str], columns: Sequence[str], title: str) -> str:
    drawn = heatmap(weights, rows, columns, label="attention: rows ask, columns are looked at")
    return f"<figure><figcaption>{title}</figcaption>{drawn}</figure>"
