"""The units of recurrent layers at work on one example: what each gate lets through, and what is remembered."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from seqtrain.batch import Batch
from seqtrain.explain.charts import Axes, Line, plot
from seqtrain.explain.markup import packed, shaded, text, words
from seqtrain.model import Model

MOST_UNITS, MOST_STEPS = 64, 200
"""Of a layer that are shown: the liveliest units, the first steps."""
MOST_WORDS = 120
"""Steps whose names are shown in the colours of a unit."""

MEANING = {
    "input": "how much of the candidate is written",
    "forget": "how much of the cell is kept",
    "candidate": "what would be written",
    "output": "how much of the cell is shown",
    "reset": "how much of the memory the candidate sees",
    "update": "how much of the memory is kept",
    "cell": "what is remembered",
    "hidden": "what the next layer sees",
}
OF_LSTM = "c' = forget · c + input · candidate,  h' = output · tanh(c')  (Hochreiter & Schmidhuber 1997; Gers 2000)"
OF_GRU = "h' = (1 - update) · candidate + update · h  (Cho 2014, arXiv 1406.1078)"
OF_ELMAN = "h' = f(W x + U h + b)  (Elman 1990)"
COLOURS = {"input": 0, "forget": 1, "output": 2, "candidate": 3, "reset": 0, "update": 1, "cell": 4, "hidden": 5}
"""Of signals, in all pictures."""


@dataclass(frozen=True)
class Layer:
    """One layer in one direction on one example.

    Attributes:
        name: As `layer 1, backward`.
        size: How many units it has.
        units: Those that are kept, by how much they move, the liveliest first.
        signals: By name what each unit did at each step.
        of_maps: Whether a unit is a map, of which a signal is the mean.
    """

    name: str
    size: int
    units: Int[np.ndarray, " N"]
    signals: Mapping[str, Float[np.ndarray, "N T"]]
    of_maps: bool

    @property
    def steps(self) -> int:
        """How many steps are kept."""
        return len(next(iter(self.signals.values()))[0])

    @property
    def memory(self) -> str:
        """The signal that tells what a unit remembers: its cell, else its hidden state, else what there is."""
        return next(name for name in ("cell", "hidden", *self.signals) if name in self.signals)

    def bounds(self, name: str) -> tuple[float, float]:
        """What a signal is drawn between: 0 and 1 for gates, else as far below 0 as above."""
        values = self.signals[name]
        if values.min() >= 0 and values.max() <= 1 and name not in ("hidden", "cell", "candidate"):
            return 0.0, 1.0
        most = float(np.abs(values).max()) or 1.0
        return -most, most


def layers_of(model: Model, batch: Batch) -> list[Layer]:
    """What the first sequence of a batch does in each recurrent layer; none where a model has no such layers.

    Args:
        model: In evaluation mode.
        batch: On the model's device.
    """
    with torch.inference_mode():
        inside = model.inside(batch)
    length, grouped = int(batch.lengths[0]), dict[str, dict[str, Float[np.ndarray, "D T"]]]()
    maps = False
    for path, values in inside.items():
        layer, _, name = path.rpartition("/")
        steps = values[0, : min(length, MOST_STEPS)].float().cpu()
        maps = steps.dim() > 2
        grouped.setdefault(layer, {})[name] = steps.flatten(2).mean(2).T.numpy() if maps else steps.T.numpy()
    return [_layer(path, signals, of_maps=maps, directions=_directions(grouped)) for path, signals in grouped.items()]


def _layer(path: str, signals: dict[str, Float[np.ndarray, "D T"]], *, of_maps: bool, directions: int) -> Layer:
    numbers = [int(number) for number in re.findall(r"\d+", path)]
    name = f"layer {numbers[0] + 1}" if numbers else path
    if len(numbers) > 1 and directions > 1:
        name += ", backward" if numbers[1] else ", forward"
    told = signals.get("hidden", next(iter(signals.values())))
    liveliest = np.argsort(-told.std(1), kind="stable")[:MOST_UNITS]
    return Layer(name, len(told), liveliest, {key: part[liveliest] for key, part in signals.items()}, of_maps)


def _directions(grouped: Mapping[str, object]) -> int:
    """How many there are in a layer, as far as the layers' names tell."""
    seconds = {numbers[1] for path in grouped if len(numbers := re.findall(r"\d+", path)) > 1}
    return len(seconds)


# -------------------------------------------------------------------- drawn


def panel(layers: Sequence[Layer], names: Sequence[str], *, read: bool = True) -> str:
    """All layers, of which one is shown at a time where there is a script; a unit can be picked.

    Args:
        layers: At least one.
        names: Of the steps; empty: they have numbers only.
        read: Whether they are what is read, such as words, and not only where: these are then shown in the colours of
            a unit.
    """
    options = "".join(f'<option value="{place}">{text(each.name)}</option>' for place, each in enumerate(layers))
    choose = f'<label>layer <select class="layers">{options}</select></label>' if len(layers) > 1 else ""
    data = [
        {
            "units": layer.units.tolist(),
            "memory": layer.memory,
            "signals": {name: _packed(layer, name) for name in layer.signals},
        }
        for layer in layers
    ]
    told = json.dumps({"layers": data}).replace("<", "\\u003c")
    return (
        f'<div class="inside"><div class="controls js">{choose}<label>unit <input type="range" class="pick" min="0" '
        f'max="{len(layers[0].units) - 1}" value="0"></label><output>{layers[0].units[0]}</output></div>'
        f"{''.join(_drawn(layer, names, read=read) for layer in layers)}"
        f'<script type="application/json">{told}</script></div>'
    )


def _packed(layer: Layer, name: str) -> dict[str, object]:
    """A signal for the page's script: of two signs, each unit on a scale of its own, as what some remember is small."""
    values = layer.signals[name]
    if layer.bounds(name)[0] == 0:
        return {"scales": None, "data": packed(values, 0, 1)}
    scales = np.maximum(np.abs(values).max(1), 1e-6)
    return {"scales": [float(f"{scale:.5g}") for scale in scales], "data": packed(values / scales[:, None], -1, 1)}


def _drawn(layer: Layer, names: Sequence[str], *, read: bool) -> str:
    """One layer: the steps in the colours of a unit, its gates and its memory as curves, and all units as maps."""
    names = list(names)[: layer.steps]
    unit = f'unit <b class="unit">{layer.units[0]}</b>'
    gates = [name for name in layer.signals if name not in ("hidden", "cell")]
    memories = [name for name in ("cell", "hidden") if name in layer.signals]
    pieces = [f"<h3>{text(layer.name)}</h3>" if layer.name else ""]
    if names and read:
        spaced = sum(map(len, names)) > 1.5 * len(names)  # words, not letters
        memory = layer.signals[layer.memory][0]
        shades = (memory / (np.abs(memory).max() or 1.0)).tolist()
        coloured = words(names[:MOST_WORDS], shades=shades, spaced=spaced, data=' data-shades=""')
        caption = f"The {layer.memory} of {unit} at each step: <b class='up'>above 0</b>, <b class='down'>below 0</b>."
        pieces.append(f'{coloured}<p class="small">{caption}</p>')
    plots = []
    if gates:
        signed = any(layer.bounds(name)[0] < 0 for name in gates)
        axes = Axes("step", -1.0 if signed else 0.0, 1.0, data=' data-plot="gates"')
        lines = [_line(layer, name) for name in gates]
        plots.append(f'<div><p class="title">gates of {unit}</p>{plot(lines, axes, names=names)}</div>')
    if memories:
        most = max(float(np.abs(layer.signals[name][0]).max()) for name in memories) or 1.0
        axes = Axes("step", -most, most, data=' data-plot="memory"')
        lines = [_line(layer, name) for name in memories]
        plots.append(f'<div><p class="title">memory of {unit}</p>{plot(lines, axes, names=names)}</div>')
    pieces.append(f'<div class="pair">{"".join(plots)}</div>')
    pieces.append(_maps(layer))
    return f'<div class="layer">{"".join(pieces)}</div>'


def _line(layer: Layer, name: str) -> Line:
    """A signal of the liveliest unit; a candidate is no gate, and stands behind them."""
    steps = range(1, layer.steps + 1)
    return Line(name, steps, layer.signals[name][0], dashed=name == "candidate", colour=COLOURS.get(name))


def _maps(layer: Layer) -> str:
    """A map of units by steps for each signal, and what was left out of them."""
    drawn = []
    for name, values in layer.signals.items():
        low, high = layer.bounds(name)
        range_told = "0 to 1" if low == 0 else f"\N{MINUS SIGN}{high:.2g} to {high:.2g}"
        drawn.append(
            f'<figure class="units"><figcaption><b>{text(name)}</b><span>{range_told}</span>'
            f"<i>{text(MEANING.get(name, ''))}</i></figcaption>"
            f'<div class="unitmap" data-units="{len(values)}"><img src="{shaded(values, low, high)}" '
            f'alt="{text(name)} of {len(values)} units at {layer.steps} steps"><i class="marker" '
            f'style="height:{100 / len(values):.3f}%"></i></div></figure>'
        )
    even = " even" if len(drawn) in (2, 4) else ""
    shown = (
        f"{len(layer.units)} of {layer.size} units, those that" if len(layer.units) < layer.size else "The units that"
    )
    maps = " Each unit is a map: its mean over all places is shown." if layer.of_maps else ""
    told = f"A row is a unit, a column a step. {shown} move most stand on top.{maps}"
    return f'<p class="small">{told} Click a row to pick its unit.</p><div class="maps{even}">{"".join(drawn)}</div>'


def equation(layer: Layer) -> str:
    """How a unit's memory is made, as the paper has it; nothing where what was found doesn't obey it."""
    found = layer.signals
    match sorted(found):
        case ["candidate", "cell", "forget", "hidden", "input", "output"]:
            made = found["output"] * np.tanh(found["cell"])
            return OF_LSTM if layer.of_maps or np.allclose(made, found["hidden"], atol=1e-2) else ""
        case ["candidate", "hidden", "reset", "update"]:
            z = found["update"][:, 1:]
            made = (1 - z) * found["candidate"][:, 1:] + z * found["hidden"][:, :-1]
            return OF_GRU if np.allclose(made, found["hidden"][:, 1:], atol=1e-2) else ""
        case ["hidden"]:
            return OF_ELMAN
        case _:
            return ""
