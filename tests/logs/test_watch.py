import math

import pytest
import torch

from seqtrain.batch import Batch
from seqtrain.logs.histogram import histogram
from seqtrain.logs.watch import SEQUENCES, Watch, gates, layers
from seqtrain.models import RecurrentSpec, SelfAttentionSpec, build_model
from seqtrain.spec import Align, TaskSpec, Values

SPEC = TaskSpec(Values((3,)), Values((2,)), Align.WHOLE)


def model_and_batch(spec=None, count=4):
    torch.manual_seed(2)
    model = build_model(spec or RecurrentSpec(cell="lstm", hidden_size=5, num_layers=2, dropout=0.5), SPEC)
    lengths = torch.tensor([6, 2, 5, 3] * (count // 4))
    return model, Batch(torch.randn(count, 6, 3), lengths, torch.randn(count, 2), torch.arange(count))


def test_a_layer_is_a_module_with_weights_of_its_own():
    model, _ = model_and_batch()
    assert [name for name, _ in layers(model)] == ["core.layers.0.0", "core.layers.1.0", "readout.linear"]
    model.core.layers[0][0].requires_grad_(False)
    model.readout.linear.weight = model.core.layers[1][0].weight_ih_l0
    found = dict(layers(model))
    assert list(found) == ["core.layers.1.0", "readout.linear"]
    assert len(found["readout.linear"]) == 1  # the other is the first one's


def test_norms_are_of_gradient_weights_and_step():
    model, batch = model_and_batch()
    outputs, _ = model(batch)
    outputs.square().sum().backward()
    before = {name: torch.cat([p.detach().flatten().clone() for p in own]) for name, own in layers(model)}
    gradient = {name: torch.cat([p.grad.flatten() for p in own]) for name, own in layers(model)}
    watch = Watch(model)
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    scalars = watch.after(batch).scalars
    assert len(scalars) == 9
    for name, weights in before.items():
        assert scalars[f"weights/{name}"] == pytest.approx(weights.norm().item())
        assert scalars[f"gradients/{name}"] == pytest.approx(gradient[name].norm().item())
        step = 0.1 * gradient[name].norm() / weights.norm()
        assert scalars[f"updates/{name}"] == pytest.approx(step.item(), rel=1e-4)


def test_what_has_no_gradient_is_0_and_weights_of_0_have_no_ratio():
    model, batch = model_and_batch()
    with torch.no_grad():
        for p in model.readout.parameters():
            p.zero_()
    scalars = Watch(model).after(batch).scalars
    assert scalars["gradients/readout.linear"] == scalars["weights/readout.linear"] == 0
    assert "updates/readout.linear" not in scalars
    assert scalars["updates/core.layers.0.0"] == 0


def test_histograms_hold_every_value_and_the_gates_of_real_steps_alone():
    model, batch = model_and_batch()
    made = Watch(model).after(batch).histograms
    own = sum(p.numel() for p in model.readout.parameters())
    for tag in ("gradients/readout.linear/values", "weights/readout.linear/values"):
        assert sum(made[tag].counts) == own
    forget = made["gates/core.layers.1.0/forget"]
    assert sum(forget.counts) == batch.lengths.sum() * 5
    assert 0 < forget.least < forget.most < 1


def test_gates_are_looked_at_on_a_few_sequences_without_dropout_and_change_nothing():
    model, batch = model_and_batch(count=2 * SEQUENCES)
    model.train()
    generator = torch.get_rng_state()
    first, second = gates(model, batch), gates(model, batch)
    assert model.training
    assert torch.equal(torch.get_rng_state(), generator)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert len(first["core.layers.0.0/input"]) == batch.lengths[:SEQUENCES].sum() * 5


def test_what_has_no_gates_shows_none():
    model, batch = model_and_batch(SelfAttentionSpec(hidden_size=8))
    assert not any(tag.startswith("gates/") for tag in Watch(model).after(batch).histograms)


def test_a_histogram_tells_bounds_sums_and_counts_of_what_is_finite():
    found = histogram(torch.tensor([-1.0, 3.0, math.nan, 1.0, math.inf]))
    assert (found.least, found.most, found.total, found.squares) == (-1, 3, 3, 11)
    assert sum(found.counts) == 3
    assert (found.counts[0], found.counts[32], found.counts[-1]) == (1, 1, 1)
    assert found.limits()[-1] == 3
    assert len(found.limits()) == len(found.counts)
    same = histogram(torch.full((4,), 2.0))
    assert (same.counts, same.limits()) == ([4], [2])
    assert histogram(torch.tensor([math.nan])) is None
