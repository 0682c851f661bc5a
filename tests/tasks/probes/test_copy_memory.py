import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from seqtrain.errors import ConfigError
from seqtrain.spec import Align, Symbols, TaskSpec
from seqtrain.tasks import CopyMemory, Split
from seqtrain.tasks.task import Sample


def prepared(seed=0, **options):
    task = CopyMemory(**{"train_size": 200, "val_size": 100, "test_size": 50, **options})
    task.prepare(Path("nowhere"), seed)
    return task


def batch_of(task, split=Split.TRAIN, epoch=0):
    examples = task.examples(split)
    return examples.batch(np.arange(len(examples)), epoch)


def saying(symbols, size):
    """Outputs that say these symbols, with certainty."""
    return F.one_hot(symbols, size).float() * 100


def test_the_spec_is_known_before_anything_is_made():
    task = CopyMemory(symbols=5)
    assert task.outline == task.spec == TaskSpec(Symbols(7), Symbols(6), Align.EACH, causal=True)


@pytest.mark.parametrize(("delay", "symbols", "length"), [(1, 2, 1), (6, 8, 3), (30, 3, 10)])
def test_a_row_is_said_again_after_the_sign(delay, symbols, length):
    batch = batch_of(prepared(delay=delay, symbols=symbols, length=length))
    steps = delay + 2 * length
    assert batch.inputs.shape == batch.targets.shape == (200, steps)
    assert batch.lengths.unique().tolist() == [steps]
    row, sign = batch.inputs[:, :length], length + delay - 1
    assert set(row.unique().tolist()) == set(range(1, symbols + 1))
    assert torch.equal(batch.targets[:, -length:], row)
    assert (batch.targets[:, :-length] == 0).all()
    assert (batch.inputs[:, sign] == symbols + 1).all()
    assert (batch.inputs[:, length:sign] == 0).all()
    assert (batch.inputs[:, sign + 1 :] == 0).all()


def test_an_example_hangs_on_seed_split_epoch_and_index_alone():
    task = prepared()
    batch = batch_of(task)
    some = task.examples(Split.TRAIN).batch(np.array([7, 3]), 0)
    assert torch.equal(some.inputs, batch.inputs[[7, 3]])
    assert torch.equal(batch.inputs, batch_of(prepared()).inputs)
    firsts = [
        batch_of(prepared(seed), split, epoch).inputs[0] for seed in (0, 1) for split in Split for epoch in (0, 1)
    ]
    assert len({tuple(first.tolist()) for first in firsts}) == 12


def test_sizes_are_those_asked_for():
    assert [len(prepared().examples(split)) for split in Split] == [200, 100, 50]


def test_only_what_is_recalled_counts_as_right():
    task = prepared(delay=2, length=2)
    batch = task.examples(Split.VAL).batch(np.arange(3), 0)
    answers = batch.targets.clone()
    answers[0, 0] = 1  # before the recall
    answers[1, -1] = 0
    metrics = task.metrics()
    task.score(metrics, saying(answers, 9), batch)
    task.score(metrics, saying(batch.targets[:1], 9), task.examples(Split.VAL).batch(np.arange(1), 0))
    values = {name: float(value) for name, value in metrics.compute().items()}
    assert values == pytest.approx({"accuracy": 7 / 8, "whole": 3 / 4})
    assert task.metric in values
    assert task.higher_is_better


def test_the_loss_is_summed_over_every_step():
    task = prepared(delay=2, length=2)
    batch = batch_of(task)
    outputs = torch.zeros(200, 6, 9)
    assert task.count(batch) == 1200
    assert task.loss(outputs, batch) == pytest.approx(1200 * math.log(9), rel=1e-5)
    assert task.loss(outputs.bfloat16(), batch).dtype == torch.float32
    assert task.loss(saying(batch.targets, 9), batch) == pytest.approx(0, abs=1e-5)


def test_the_baseline_remembers_nothing():
    task = prepared(delay=30, length=10, val_size=500)
    baseline = task.baseline()
    counts = batch_of(task, Split.VAL).targets[:, -10:].flatten().bincount(minlength=9)
    assert baseline["accuracy"] == pytest.approx(int(counts.max()) / 5000)
    assert baseline["whole"] == 0
    assert baseline["loss"] == pytest.approx(10 * math.log(8) / 50)
    # Blanks until the sign, then a guess: the loss itself says so.
    guess = torch.zeros(500, 50, 9)
    guess[:, :-10, 0], guess[:, -10:, 0] = 100, -100
    batch = batch_of(task, Split.VAL)
    assert float(task.loss(guess, batch)) / task.count(batch) == pytest.approx(baseline["loss"], rel=1e-5)


def test_the_picture_marks_what_was_forgotten():
    task = prepared(length=10)
    batch = batch_of(task, Split.VAL)
    answers = batch.targets.clone()
    answers[2, -1] = 0
    answers[5, -10] = 9 - answers[5, -10]
    [picture] = task.pictures(iter([Sample(batch, saying(answers, 9), None, ())]))
    left, right = picture.content.axes
    assert picture.name == "recall"
    assert left.images[0].get_array().shape == (12, 10)
    assert right.collections[0].get_offsets().tolist() == [[9, 2], [0, 5]]


@pytest.mark.parametrize(
    ("name", "least"),
    [("delay", 1), ("symbols", 2), ("length", 1), ("train_size", 1), ("val_size", 1), ("test_size", 1)],
)
def test_a_size_too_small_is_refused_by_name(name, least):
    with pytest.raises(ConfigError, match=rf"^task\.{name}={least - 1}: must be at least {least}$"):
        CopyMemory(**{name: least - 1})
