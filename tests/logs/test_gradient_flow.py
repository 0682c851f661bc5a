import numpy as np
import pytest
import torch
from torch.nn import functional as F

from seqtrain.batch import Batch
from seqtrain.logs.gradient_flow import flow_picture, gradient_flow
from seqtrain.models import AttentionSpec, DecoderSpec, RecurrentSpec, SelfAttentionSpec, build_model
from seqtrain.spec import Align, Symbols, TaskSpec, Values
from seqtrain.tasks import Split, Task

HIDDEN, STEPS, FEATURES = 5, 7, 3


class Told(Task):
    """As much of a task as a gradient needs: a spec, and errors to add up."""

    spec = None

    def __init__(self, spec):
        self.spec = spec

    def loss(self, outputs, batch):
        if isinstance(self.spec.output, Symbols):
            return F.cross_entropy(outputs.flatten(0, 1), batch.targets.flatten(), ignore_index=0, reduction="sum")
        return ((outputs - batch.targets) ** 2).sum()


Told.__abstractmethods__ = frozenset()  # what a gradient doesn't need is left out


def drawn(align, lengths, horizon=1):
    torch.manual_seed(3)
    count, steps = len(lengths), max(lengths)
    shape = {Align.WHOLE: (count, 2), Align.EACH: (count, steps, 2), Align.AHEAD: (count, horizon, 2)}[align]
    inputs, targets = torch.randn(count, steps, FEATURES).double(), torch.randn(shape).double()
    return Batch(inputs, torch.tensor(lengths), targets, torch.arange(count))


def built(align, horizon=1, **options):
    torch.manual_seed(1)
    spec = TaskSpec(Values((FEATURES,)), Values((2,)), align, horizon)
    return build_model(RecurrentSpec(hidden_size=HIDDEN, **options), spec).double(), Told(spec)


def by_hand(model, x, target):
    """The norms for one sequence and an Elman net: dL/dh_T = W^T 2(y - target), then J_t = diag(1 - h_t^2) W_hh."""
    layer = model.core.layers[0][0]
    w_ih, w_hh, b_ih, b_hh = (part.detach().numpy() for part in layer.all_weights[0])
    readout = model.readout.linear
    h, states = np.zeros(HIDDEN), []
    for step in x.numpy():
        h = np.tanh(w_ih @ step + b_ih + w_hh @ h + b_hh)
        states.append(h)
    weight, bias = readout.weight.detach().numpy(), readout.bias.detach().numpy()
    d_h = weight.T @ (2 * (weight @ h + bias - target.numpy()))
    norms = [np.linalg.norm(d_h)]
    for state in reversed(states[1:]):
        d_h = w_hh.T @ ((1 - state**2) * d_h)
        norms.append(np.linalg.norm(d_h))
    return np.array(norms)


@pytest.mark.parametrize("align", [Align.WHOLE, Align.EACH])
def test_norms_are_those_of_the_product_of_jacobians(align):
    model, task = built(align, cell="rnn")
    batch = drawn(align, [STEPS, STEPS])
    flow = gradient_flow(model, task, batch)
    targets = batch.targets if align is Align.WHOLE else batch.targets[:, -1]
    expected = np.mean([by_hand(model, x, y) for x, y in zip(batch.inputs, targets, strict=True)], 0)
    np.testing.assert_allclose(flow.h, expected, rtol=1e-10)
    assert flow.c is None


def test_each_sequence_is_counted_back_from_its_own_end_as_far_as_half_of_them_reach():
    model, task = built(Align.EACH, cell="rnn")
    lengths = [3, STEPS, 5]
    batch = drawn(Align.EACH, lengths)
    flow = gradient_flow(model, task, batch)
    rows = [
        by_hand(model, x[:length], y[length - 1])
        for x, y, length in zip(batch.inputs, batch.targets, lengths, strict=True)
    ]
    expected = [np.mean([row[lag] for row in rows if lag < len(row)]) for lag in range(5)]
    np.testing.assert_allclose(flow.h, expected, rtol=1e-10)


@pytest.mark.parametrize("align", [Align.WHOLE, Align.EACH, Align.AHEAD])
def test_an_lstm_has_a_curve_of_each_of_its_memories(align):
    model, task = built(align, horizon=4, cell="lstm", num_layers=2)
    flow = gradient_flow(model, task, drawn(align, [STEPS, 4, 6], horizon=4))
    assert flow.h.shape == flow.c.shape == (6,)
    assert (flow.h > 0).all()
    assert (flow.c[1:] > 0).all()
    assert flow.c[0] == 0  # what is read out at last is h


def test_a_decoder_is_asked_for_all_that_it_says():
    torch.manual_seed(1)
    spec = TaskSpec(Symbols(9), Symbols(8), Align.FREE, horizon=6)
    model = build_model(AttentionSpec(attention="bahdanau", hidden_size=HIDDEN), spec, DecoderSpec())
    inputs, targets = torch.randint(4, 9, (3, STEPS)), torch.randint(4, 8, (3, 5))
    batch = Batch(inputs, torch.tensor([7, 4, 5]), targets, torch.arange(3), torch.tensor([5, 2, 4]))
    assert (gradient_flow(model, Told(spec), batch).h > 0).all()


def test_nothing_is_changed_by_looking():
    model, task = built(Align.EACH, cell="lstm", dropout=0.5)
    batch = drawn(Align.EACH, [STEPS, 4])
    model.train()
    generator = torch.get_rng_state()
    gradient_flow(model, task, batch)
    assert model.training
    assert torch.equal(torch.get_rng_state(), generator)
    assert all(p.grad is None for p in model.parameters())


class Prepared(Told):
    """A task with a validation split."""

    def examples(self, split):
        assert split is Split.VAL
        return self

    def __len__(self):
        return 5

    def batch(self, indices, epoch):
        self.asked = len(indices)
        return drawn(Align.WHOLE, [STEPS] * len(indices))


def test_the_picture_is_drawn_from_a_few_sequences():
    model, task = built(Align.WHOLE, cell="lstm")
    task = Prepared(task.spec)
    picture = flow_picture(model, task, torch.device("cpu"), most=2)
    assert task.asked == 2
    name, content = picture.file()
    assert name == "gradient-flow.png"
    assert content.startswith(b"\x89PNG")
    axes = picture.content.axes[0]
    assert axes.get_yscale() == "log"
    assert [line.get_label() for line in axes.lines] == ["of $h$", "of $c$"]


def test_there_is_no_picture_of_a_model_that_hands_no_memory_on():
    spec = TaskSpec(Values((FEATURES,)), Values((2,)), Align.WHOLE)
    task = Prepared(spec)
    for options in (SelfAttentionSpec(hidden_size=8), RecurrentSpec(cell="gru", hidden_size=8, bidirectional=True)):
        assert flow_picture(build_model(options, spec), task, torch.device("cpu")) is None
