import pytest
import torch
from torch import nn

from seqtrain.errors import ConfigError
from seqtrain.optimizer import SGD, Adam, AdamW, OptimizerSpec, RMSprop

SPECS = [
    Adam(lr=0.01, weight_decay=0.1, betas=(0.8, 0.9), eps=1e-6),
    AdamW(lr=0.01, weight_decay=0.1, betas=(0.8, 0.9), eps=1e-6),
    SGD(lr=0.01, weight_decay=0.1, momentum=0.9, nesterov=True),
    RMSprop(lr=0.01, weight_decay=0.1, alpha=0.9, momentum=0.5, eps=1e-6),
]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: type(spec).__name__)
def test_every_option_reaches_torch(spec: OptimizerSpec):
    weight = nn.Parameter(torch.ones(3))
    optimizer = spec.build([weight])
    assert type(optimizer).__name__ == type(spec).__name__
    given = vars(spec)
    assert {name: optimizer.defaults[name] for name in given} == given


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: type(spec).__name__)
def test_a_step_goes_downhill(spec: OptimizerSpec):
    weight = nn.Parameter(torch.ones(3))
    optimizer = spec.build([weight])
    before = weight.detach().clone()
    (weight**2).sum().backward()
    optimizer.step()
    assert (weight < before).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Adam(lr=-1.0), "optimizer.lr=-1.0: must be at least 0"),
        (lambda: AdamW(lr=1.0, betas=(0.9, 1.0)), r"optimizer.betas\[1\]=1.0: must be at least 0 and below 1"),
        (lambda: SGD(lr=1.0, nesterov=True), "optimizer.nesterov=true: needs optimizer.momentum above 0"),
    ],
)
def test_senseless_options_are_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
