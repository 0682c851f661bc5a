from pathlib import Path

import numpy as np
import pytest
import torch

from seqtrain.batch import Batch
from seqtrain.errors import ConfigError
from seqtrain.spec import Align, TaskSpec, Values
from seqtrain.tasks import Sine, Split
from seqtrain.tasks.series.sine import waves


def prepared(seed=0, **options):
    task = Sine(**{"train_size": 20, "val_size": 10, "test_size": 5, **options})
    task.prepare(Path("nowhere"), seed)
    return task


def everything(task, split):
    examples = task.examples(split)
    return examples.batch(np.arange(len(examples)), 0)


def forecast(targets):
    targets = torch.tensor(targets).unsqueeze(-1)
    return Batch(torch.zeros(len(targets), 3, 1), torch.full((len(targets),), 3), targets, torch.arange(len(targets)))


def test_the_spec_is_known_before_anything_is_made():
    task = Sine(horizon=7)
    assert task.outline == TaskSpec(Values((1,)), Values((1,)), Align.AHEAD, horizon=7, continues=True)
    assert task.spec == task.outline


def test_a_batch_holds_what_is_seen_and_what_is_forecast():
    task = prepared(lookback=12, horizon=5)
    batch = task.examples(Split.TRAIN).batch(np.array([3, 1]), 0)
    assert batch.inputs.shape == (2, 12, 1)
    assert batch.targets.shape == (2, 5, 1)
    assert batch.inputs.dtype == batch.targets.dtype == torch.float32
    assert batch.lengths.tolist() == [12, 12]
    assert batch.indices.tolist() == [3, 1]
    assert torch.equal(batch.inputs, everything(task, Split.TRAIN).inputs[[3, 1]])


def test_sizes_are_those_asked_for():
    task = prepared()
    assert [len(task.examples(split)) for split in Split] == [20, 10, 5]


def test_what_is_forecast_follows_what_is_seen():
    whole = torch.cat([(batch := everything(prepared(noise=0.0), Split.TRAIN)).inputs, batch.targets], 1)
    later = everything(prepared(noise=0.0, lookback=70, horizon=10), Split.TRAIN)
    assert torch.equal(whole, torch.cat([later.inputs, later.targets], 1))


def test_the_seed_decides_and_splits_differ():
    one, again, other = prepared(), prepared(), prepared(seed=1)
    series = [everything(task, split).inputs for task in (one, other) for split in Split]
    assert torch.equal(series[0], everything(again, Split.TRAIN).inputs)
    assert len({tuple(part[0].flatten().tolist()) for part in series}) == 6


def test_a_series_of_one_component_without_noise_is_a_sine_wave():
    series = waves(np.random.default_rng(0), 50, 400, 1, 0.0).astype(np.float64)
    # A sampled sine obeys x[t - 1] + x[t + 1] = 2 cos(w) x[t].
    middle, sides = series[:, 1:-1], series[:, :-2] + series[:, 2:]
    twice_cosine = (middle * sides).sum(1, keepdims=True) / (middle**2).sum(1, keepdims=True)
    assert np.abs(sides - twice_cosine * middle).max() < 1e-5
    periods = 2 * np.pi / np.arccos(twice_cosine / 2)
    assert 7.9 < periods.min() < 12
    assert 45 < periods.max() < 64.5
    peaks = np.abs(series).max(1)
    assert 0.45 < peaks.min() < peaks.max() <= 1


def test_components_add_up_and_noise_has_its_size():
    power = [waves(np.random.default_rng(0), 2000, 50, components, 0.0).var() for components in (1, 4)]
    assert power[1] == pytest.approx(4 * power[0], rel=0.1)
    noise = waves(np.random.default_rng(0), 2000, 50, 3, 0.5) - waves(np.random.default_rng(0), 2000, 50, 3, 0.0)
    assert noise.std() == pytest.approx(0.5, rel=0.02)


def test_the_loss_is_the_sum_of_squares():
    task = prepared()
    batch = forecast([[1.0, 2.0], [0.0, -1.0]])
    outputs = torch.tensor([[[1.0], [0.0]], [[3.0], [-1.0]]])
    assert task.loss(outputs, batch) == 4 + 9
    assert task.loss(outputs.bfloat16(), batch).dtype == torch.float32
    assert task.count(batch) == 4


def test_metrics_over_uneven_batches_are_those_of_the_whole():
    task = prepared()
    metrics = task.metrics()
    task.score(metrics, torch.tensor([[[1.0], [0.0]], [[3.0], [-1.0]]]), forecast([[1.0, 2.0], [0.0, -1.0]]))
    task.score(metrics, torch.tensor([[[0.5], [0.5]]]), forecast([[0.0, 0.0]]))
    # Errors 0, 2, 3, 0 and 0.5, 0.5.
    assert {name: float(value) for name, value in metrics.compute().items()} == {
        "mse": pytest.approx((4 + 9 + 0.25 + 0.25) / 6),
        "mae": pytest.approx((2 + 3 + 0.5 + 0.5) / 6),
    }
    assert task.metric in metrics
    assert not task.higher_is_better


def test_metrics_take_outputs_of_any_memory_layout():
    task = prepared()
    metrics = task.metrics()
    outputs = torch.tensor([[1.0, 3.0], [0.0, -1.0]]).t().unsqueeze(-1)
    task.score(metrics, outputs, forecast([[1.0, 2.0], [0.0, -1.0]]))
    assert float(metrics.compute()["mse"]) == pytest.approx((4 + 9) / 4)


def test_the_baseline_repeats_the_last_value_of_validation():
    task = prepared(lookback=6, horizon=3)
    batch = everything(task, Split.VAL)
    errors = (batch.targets - batch.inputs[:, -1:]).double()
    assert task.baseline() == {
        "mse": pytest.approx(float((errors**2).mean())),
        "mae": pytest.approx(float(errors.abs().mean())),
    }


def test_there_is_nothing_to_keep():
    task = Sine()
    assert task.assets() == {}
    task.restore({})
    assert task.spec == task.outline


@pytest.mark.parametrize("name", ["lookback", "horizon", "components", "train_size", "val_size", "test_size"])
def test_a_size_below_one_is_refused_by_name(name):
    with pytest.raises(ConfigError, match=rf"^task\.{name}=0: must be at least 1$"):
        Sine(**{name: 0})


@pytest.mark.parametrize("noise", [-0.1, float("inf"), float("nan")])
def test_noise_that_is_no_amount_is_refused(noise):
    with pytest.raises(ConfigError, match=rf"^task\.noise={noise}: must be at least 0"):
        Sine(noise=noise)
