from contextlib import suppress

import pytest
import torch
from torch import nn

from seqtrain.training.ema import AveragedWeights


def test_the_average_follows_the_weights_as_the_formula_says():
    weight = nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
    ema, expected = AveragedWeights([weight], 0.9), 1.0
    for step in range(1, 200):
        with torch.no_grad():
            weight.fill_(float(step))
        ema.update(step)
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * step
    assert ema.averages[0].item() == pytest.approx(expected, rel=1e-12)


def test_the_model_has_its_averages_while_they_are_lent():
    weight = nn.Parameter(torch.ones(3))
    ema = AveragedWeights([weight], 0.5)
    with torch.no_grad():
        weight.zero_()
    with suppress(ZeroDivisionError), ema.in_place():
        assert torch.equal(weight, torch.ones(3))
        raise ZeroDivisionError
    assert torch.equal(weight, torch.zeros(3))
    assert torch.equal(ema.averages[0], torch.ones(3))
