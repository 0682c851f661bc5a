from pathlib import Path

import numpy as np
import pytest
import torch

from seqtrain.batch import Batch
from seqtrain.errors import ConfigError
from seqtrain.spec import Align, TaskSpec, Values
from seqtrain.tasks import Adding, Split
from seqtrain.tasks.task import Sample


def prepared(seed=0, **options):
    task = Adding(**{"train_size": 200, "val_size": 100, "test_size": 50, **options})
    task.prepare(Path("nowhere"), seed)
    return task


def batch_of(task, split=Split.TRAIN, epoch=0):
    examples = task.examples(split)
    return examples.batch(np.arange(len(examples)), epoch)


def asked(sums):
    return Batch(torch.zeros(len(sums), 3, 2), torch.full((len(sums),), 3), torch.tensor(sums), torch.arange(len(sums)))


def test_the_spec_is_known_before_anything_is_made():
    assert Adding().outline == Adding().spec == TaskSpec(Values((2,)), Values((1,)), Align.WHOLE)


@pytest.mark.parametrize("steps", [2, 3, 11, 40])
def test_one_number_is_marked_in_each_half_and_the_target_is_their_sum(steps):
    batch = batch_of(prepared(steps=steps))
    numbers, marks = batch.inputs.unbind(-1)
    assert batch.inputs.shape == (200, steps, 2)
    assert batch.inputs.dtype == batch.targets.dtype == torch.float32
    assert batch.lengths.unique().tolist() == [steps]
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert ((marks == 0) | (marks == 1)).all()
    assert (marks[:, : steps // 2].sum(1) == 1).all()
    assert (marks[:, steps // 2 :].sum(1) == 1).all()
    assert torch.allclose((numbers * marks).sum(1, keepdim=True), batch.targets)


def test_every_step_is_marked_at_times():
    marks = batch_of(prepared(steps=9, train_size=2000)).inputs[..., 1].mean(0)
    expected = torch.tensor([1 / 4] * 4 + [1 / 5] * 5)
    assert torch.allclose(marks, expected, atol=0.04)


def test_an_example_hangs_on_seed_split_epoch_and_index_alone():
    task = prepared()
    batch = batch_of(task)
    some = task.examples(Split.TRAIN).batch(np.array([7, 3]), 0)
    assert torch.equal(some.inputs, batch.inputs[[7, 3]])
    assert some.indices.tolist() == [7, 3]
    assert torch.equal(batch.inputs, batch_of(prepared()).inputs)
    firsts = [
        batch_of(prepared(seed), split, epoch).inputs[0] for seed in (0, 1) for split in Split for epoch in (0, 1)
    ]
    assert len({tuple(first.flatten().tolist()) for first in firsts}) == 12


def test_sizes_are_those_asked_for():
    assert [len(prepared().examples(split)) for split in Split] == [200, 100, 50]


def test_loss_and_metrics_against_numbers_by_hand():
    task = prepared()
    metrics = task.metrics()
    one, two = asked([[1.0], [0.5]]), asked([[2.0]])
    answers = torch.tensor([[1.5], [0.5]])
    assert task.loss(answers, one) == 0.25
    assert task.loss(answers.bfloat16(), one).dtype == torch.float32
    assert task.count(one) == 2
    task.score(metrics, answers, one)
    task.score(metrics, torch.tensor([[1.0]]), two)
    values = {name: float(value) for name, value in metrics.compute().items()}
    assert values == pytest.approx({"mse": 1.25 / 3, "mae": 0.5})
    assert task.metric in values


def test_without_memory_the_error_is_the_variance_of_two_uniform_numbers():
    baseline = prepared(val_size=20_000, steps=10).baseline()
    assert baseline["mse"] == pytest.approx(1 / 6, rel=0.02)
    # The sum's density is a tent, and the mean distance from its peak is the integral of x (1 - x), twice.
    assert baseline["mae"] == pytest.approx(1 / 3, rel=0.02)


def test_the_picture_is_of_answers_and_of_what_was_forgotten():
    task = prepared()
    batches = [batch_of(task, Split.VAL), batch_of(task, Split.VAL)]
    samples = [Sample(batch, batch.targets + 0.1, None, ()) for batch in batches]
    [picture] = task.pictures(iter(samples))
    left, right = picture.content.axes
    assert picture.name == "sums"
    assert len(left.collections[0].get_offsets()) == 200
    assert np.allclose(right.lines[1].get_ydata(), 0.01)
    assert right.lines[1].get_xdata().max() < 100


@pytest.mark.parametrize(("name", "least"), [("steps", 2), ("train_size", 1), ("val_size", 1), ("test_size", 1)])
def test_a_size_too_small_is_refused_by_name(name, least):
    with pytest.raises(ConfigError, match=rf"^task\.{name}={least - 1}: must be at least {least}$"):
        Adding(**{name: least - 1})
