"""What every forecasting task shares, held on generated waves."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from seqtrain.errors import ConfigError
from seqtrain.spec import Align, TaskSpec, Values
from seqtrain.tasks import Sine, Split


def prepared(**options):
    task = Sine(**{"lookback": 12, "horizon": 6, "train_size": 20, "val_size": 10, "test_size": 5, **options})
    task.prepare(Path("nowhere"), 0)
    return task


def everything(task, split=Split.VAL):
    examples = task.examples(split)
    return examples.batch(np.arange(len(examples)), 0)


def test_a_segment_is_a_step():
    plain, cut = prepared(), prepared(segment=3)
    assert cut.spec == TaskSpec(Values((3,)), Values((3,)), Align.AHEAD, horizon=2, continues=True)
    rows, steps = everything(plain), everything(cut)
    assert steps.inputs.shape == (10, 4, 3)
    assert steps.targets.shape == (10, 2, 3)
    assert steps.lengths.tolist() == [4] * 10
    assert torch.equal(steps.inputs.reshape(10, 12, 1), rows.inputs)
    assert torch.equal(cut.rows(steps.targets), rows.targets)
    assert cut.count(steps) == plain.count(rows) == 60


def test_a_segment_that_does_not_divide_is_refused_with_those_that_do():
    with pytest.raises(ConfigError) as caught:
        Sine(lookback=48, horizon=12, segment=5)
    assert str(caught.value) == (
        "task.segment=5: must divide task.lookback=48 and task.horizon=12; 1, 2, 3, 4, 6, 12 would"
    )


def test_the_last_value_is_subtracted_and_added_back():
    plain, moved = prepared(), prepared(subtract_last=True)
    rows, differences = everything(plain), everything(moved)
    last = rows.inputs[:, -1:]
    assert torch.equal(differences.inputs, rows.inputs - last)
    assert torch.equal(differences.targets, rows.targets - last)
    assert not differences.inputs[:, -1].any()
    assert torch.equal(moved.examples(Split.VAL).last(np.arange(10)), last)
    assert not plain.examples(Split.VAL).last(np.arange(10)).any()


def test_trivial_errors_are_the_same_for_every_way_of_cutting():
    expected = prepared().baseline()
    for options in ({"segment": 3}, {"subtract_last": True}, {"segment": 2, "subtract_last": True}):
        assert prepared(**options).baseline() == pytest.approx(expected)


@pytest.mark.parametrize(("criterion", "function"), [("mse", F.mse_loss), ("mae", F.l1_loss), ("huber", F.huber_loss)])
def test_the_criterion_is_summed(criterion, function):
    task = prepared(criterion=criterion)
    batch = everything(task)
    outputs = torch.zeros_like(batch.targets) + 3
    assert task.loss(outputs, batch) == pytest.approx(float(function(outputs, batch.targets)) * 60, rel=1e-5)
    assert task.metric == "mse"


@pytest.mark.parametrize("name", ["lookback", "horizon", "segment"])
def test_a_size_below_one_is_refused_by_name(name):
    with pytest.raises(ConfigError, match=rf"^task\.{name}=0: must be at least 1$"):
        Sine(**{name: 0})
