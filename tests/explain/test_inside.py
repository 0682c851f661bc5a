"""Gates and memories of recurrent units against NumPy, and what the page shows of them."""

import base64
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import torch

from seqtrain.batch import Batch
from seqtrain.explain.inside import MOST_STEPS, MOST_UNITS, Layer, equation, layers_of, panel
from seqtrain.models import RecurrentSpec, SelfAttentionSpec, build_model
from seqtrain.models.cells import weights_of
from seqtrain.spec import Align, TaskSpec, Values
from tests.models.cases import HIDDEN, LENGTHS, build, draw_x, every_cell, every_direction
from tests.oracles import CELLS, read, sigmoid

SPEC = TaskSpec(Values((3,)), Values((2,)), Align.WHOLE)


def model_and_batch(steps=6, dtype=torch.float64, spec=None, **options):
    torch.manual_seed(2)
    model = build_model(spec or RecurrentSpec(**{"cell": "lstm", "hidden_size": 5, **options}), SPEC).to(dtype).eval()
    lengths = torch.tensor([steps - 1, steps])
    return model, Batch(torch.randn(2, steps, 3, dtype=dtype), lengths, torch.randn(2, 2), torch.arange(2))


@every_cell
@every_direction
def test_memories_are_those_of_the_equations(case, direction):
    core = build(case, direction, num_layers=1)
    x = draw_x(case, len(LENGTHS), max(LENGTHS))
    inside = core.inside(x, torch.tensor(LENGTHS))
    memories = ["hidden", "cell"][: core.cell.memories]
    for half, layer in enumerate(core.layers[0]):
        weights = {name: part.detach().numpy() for name, part in weights_of(layer).items()}
        zeros = np.zeros((1, HIDDEN, *x.shape[3:]))
        for row, length in enumerate(LENGTHS):
            read_row = x[row, :length].detach().numpy()
            read_row = read_row[::-1] if half else read_row
            for steps in range(1, length + 1):
                start = (zeros,) * core.cell.memories
                _, final, _ = read(CELLS[case.partition("/")[0]], read_row[:steps], start, [[weights]])
                at = length - steps if half else steps - 1
                for name, part in zip(memories, final, strict=True):
                    ours = inside[f"layers.0.{half}/{name}"][row, at].numpy()
                    np.testing.assert_allclose(ours, part[0], rtol=1e-10, atol=1e-12)


def gates_of_lstm(x, w, h, c):
    a_i, a_f, a_g, a_o = np.split(w["weight_ih"] @ x + w["bias_ih"] + w["weight_hh"] @ h + w["bias_hh"], 4)
    gates = {"input": sigmoid(a_i), "forget": sigmoid(a_f), "candidate": np.tanh(a_g), "output": sigmoid(a_o)}
    c = gates["forget"] * c + gates["input"] * gates["candidate"]
    return {**gates, "hidden": gates["output"] * np.tanh(c), "cell": c}


def gates_of_gru(x, w, h, c):
    x_r, x_z, x_n = np.split(w["weight_ih"] @ x + w["bias_ih"], 3)
    h_r, h_z, h_n = np.split(w["weight_hh"] @ h + w["bias_hh"], 3)
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    n = np.tanh(x_n + r * h_n)
    return {"reset": r, "update": z, "candidate": n, "hidden": (1 - z) * n + z * h, "cell": c}


def gates_of_elman(x, w, h, c):
    return {"hidden": np.tanh(w["weight_ih"] @ x + w["bias_ih"] + w["weight_hh"] @ h + w["bias_hh"]), "cell": c}


@pytest.mark.parametrize(("cell", "step"), [("lstm", gates_of_lstm), ("gru", gates_of_gru), ("rnn", gates_of_elman)])
def test_the_page_shows_what_the_equations_say_of_its_example(cell, step):
    model, batch = model_and_batch(cell=cell, dropout=0.5)
    (layer,) = layers_of(model, batch)
    w = {name: part.detach().numpy() for name, part in weights_of(model.core.layers[0][0]).items()}
    state = {"hidden": np.zeros(5), "cell": np.zeros(5)}
    assert layer.steps == 5  # the first sequence's
    for t, x in enumerate(batch.inputs[0, :5].numpy()):
        state = step(x, w, state["hidden"], state["cell"])
        for name, values in layer.signals.items():
            np.testing.assert_allclose(values[:, t], state[name][layer.units], atol=1e-6)
    assert set(layer.signals) == set(state) - ({"cell"} if cell != "lstm" else set())


def test_a_core_of_somebody_else_shows_its_gates(monkeypatch):
    model, batch = model_and_batch()
    gates = model.gates(batch)
    monkeypatch.setattr(model, "inside", lambda _: gates)
    (layer,) = layers_of(model, batch)
    assert list(layer.signals) == ["input", "forget", "candidate", "output"]
    assert layer.memory == "input"
    assert "memory of" not in panel([layer], [])


def test_layers_and_directions_have_names():
    model, batch = model_and_batch(num_layers=2, bidirectional=True, dtype=torch.float32)
    layers = layers_of(model, batch)
    names = [f"layer {depth}, {way}" for depth in (1, 2) for way in ("forward", "backward")]
    assert [layer.name for layer in layers] == names
    shown = panel(layers, [])
    assert re.findall(r'<option value="\d">([^<]+)</option>', shown) == names
    assert layers_of(model_and_batch(spec=SelfAttentionSpec(hidden_size=8), dtype=torch.float32)[0], batch) == []


def test_the_liveliest_units_and_the_first_steps_are_kept():
    model, batch = model_and_batch(MOST_STEPS + 50, torch.float32, hidden_size=MOST_UNITS + 9)
    (layer,) = layers_of(model, batch)
    assert (layer.size, len(layer.units), layer.steps) == (MOST_UNITS + 9, MOST_UNITS, MOST_STEPS)
    hidden = model.inside(batch)["core.layers.0.0/hidden"][0, :MOST_STEPS].std(0, correction=0)
    assert set(layer.units.tolist()) == set(hidden.argsort(descending=True)[:MOST_UNITS].tolist())
    shown = panel([layer], [])
    assert f"{MOST_UNITS} of {MOST_UNITS + 9} units" in shown
    assert len(shown) < 400_000


def test_the_script_gets_each_signal_to_a_hundredth():
    model, batch = model_and_batch()
    (layer,) = layers_of(model, batch)
    shown = panel([layer], [])
    (told,) = json.loads(re.search(r'<script type="application/json">(.*?)</script>', shown)[1])["layers"]
    assert told["units"] == layer.units.tolist()
    for name, values in layer.signals.items():
        levels = np.frombuffer(base64.b64decode(told["signals"][name]["data"]), np.uint8).reshape(values.shape) / 255
        scales = told["signals"][name]["scales"]
        found = levels if scales is None else (2 * levels - 1) * np.array(scales)[:, None]
        np.testing.assert_allclose(found, values, atol=5e-3)
        assert (scales is None) == (name in ("input", "forget", "output"))


def signals(**parts):
    return Layer("layer 1", 2, np.arange(2), {name: np.array(part) for name, part in parts.items()}, of_maps=False)


def test_an_equation_stands_only_where_it_holds():
    for cell, told in (("lstm", "Hochreiter"), ("gru", "Cho"), ("rnn", "Elman"), ("gru_cho", "Cho")):
        model, batch = model_and_batch(cell=cell)
        assert told in equation(layers_of(model, batch)[0])
    model, batch = model_and_batch(cell="layernorm_lstm")
    assert equation(layers_of(model, batch)[0]) == ""  # h is made of the normalised c
    assert equation(signals(forget=[[0.5], [0.1]])) == ""


class Tags(HTMLParser):
    """Counts what is open."""

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in ("img", "input", "br", "meta", "polyline", "line"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in ("polyline", "line"):
            assert self.open.pop() == tag


def test_names_of_steps_cannot_become_tags():
    model, batch = model_and_batch()
    names = ["<b>", '"', "&", "</script>", "\u2028"]
    shown = panel(layers_of(model, batch), names)
    parser = Tags()
    parser.feed(shown)
    assert parser.open == []
    assert [tag for tag, _ in parser.seen].count("script") == 1
    assert "&lt;/script&gt;" in shown
