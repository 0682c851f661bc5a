import io
import math
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor
from torch.optim import Optimizer

from seqtrain.config import build_word
from seqtrain.errors import ConfigError
from seqtrain.models import ConvLSTMSpec, RecurrentSpec, build_model
from seqtrain.models.sequence_model import SequenceModel
from seqtrain.optimizer import SGD, Adam, AdamW, Muon, NAdam, OptimizerSpec, RMSprop
from seqtrain.seeding import seed_torch
from seqtrain.spec import Align, Symbols, TaskSpec, Values
from seqtrain.words import words

TASK = TaskSpec(Symbols(7), Symbols(3), Align.WHOLE)
SPECS: list[OptimizerSpec] = [
    Adam(lr=0.01, weight_decay=0.1, betas=(0.8, 0.9), eps=1e-6),
    AdamW(lr=0.01, weight_decay=0.1, betas=(0.8, 0.9), eps=1e-6),
    NAdam(lr=0.01, weight_decay=0.1, betas=(0.8, 0.9), eps=1e-6, momentum_decay=0.01),
    SGD(lr=0.01, weight_decay=0.1, momentum=0.9, nesterov=True),
    RMSprop(lr=0.01, weight_decay=0.1, alpha=0.9, momentum=0.5, eps=1e-6),
]
MUON = Muon(lr=0.01, weight_decay=0.1, betas=(0.8, 0.9), eps=1e-6, ns_steps=4)


def name(value: Any) -> str:
    return type(value).__name__ if isinstance(value, OptimizerSpec) else str(value)


def model() -> SequenceModel:
    seed_torch(0, "init")
    built = build_model(RecurrentSpec(cell="lstm", hidden_size=4), TASK)
    assert isinstance(built, SequenceModel)
    return built


def drive(model: SequenceModel, *optimizers: Optimizer, steps: range = range(3)) -> list[Tensor]:
    """The weights after steps down gradients that only the step and the weights decide."""
    for step in steps:
        generator = torch.Generator().manual_seed(step)
        for weight in model.parameters():
            weight.grad = weight.detach() + torch.randn(weight.shape, generator=generator)
        for optimizer in optimizers:
            optimizer.step()
    return [weight.detach().clone() for weight in model.parameters()]


def trained(spec: OptimizerSpec) -> list[Tensor]:
    trainee = model()
    return drive(trainee, spec.build(trainee))


def same(left: list[Tensor], right: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(left, right, strict=True))


# -------------------------------------------------------------------- against torch, and by hand


@pytest.mark.parametrize("spec", SPECS, ids=name)
def test_steps_are_those_of_torchs_plain_implementation(spec: OptimizerSpec):
    options = {key: value for key, value in vars(spec).items() if key != "decay_biases_and_norms"}
    trainee = model()
    plain = getattr(torch.optim, type(spec).__name__)(trainee.parameters(), **options, foreach=False)
    torch.testing.assert_close(trained(spec), drive(trainee, plain))


def test_muon_trains_the_matrices_between_stem_and_readout_and_adamw_all_else():
    trainee = model()
    core = [trainee.get_parameter(f"core.layers.0.0.weight_{which}_l0") for which in ("ih", "hh")]
    others = [weight for weight in trainee.parameters() if all(weight is not each for each in core)]
    muon = torch.optim.Muon(core, lr=0.01, weight_decay=0.1, ns_steps=4, adjust_lr_fn="match_rms_adamw")
    adamw = torch.optim.AdamW(others, lr=0.01, weight_decay=0.1, betas=(0.8, 0.9), eps=1e-6)
    torch.testing.assert_close(trained(MUON), drive(trainee, muon, adamw))


@pytest.mark.parametrize(
    ("adjust_lr_fn", "ratio"), [("match_rms_adamw", 0.2 * math.sqrt(16)), ("original", math.sqrt(16 / 4))]
)
def test_a_step_of_muon_by_hand(adjust_lr_fn, ratio):
    trainee, before = model(), model()
    spec = Muon(lr=0.1, weight_decay=0.5, adjust_lr_fn=adjust_lr_fn)
    drive(trainee, spec.build(trainee), steps=range(1))
    key = "core.layers.0.0.weight_hh_l0"
    weight = before.get_parameter(key).detach().double().numpy()
    drive(before, steps=range(1))
    gradient = before.get_parameter(key).grad
    assert gradient is not None
    # Momentum is a running mean from zero; Nesterov's mixes in the gradient once more.
    mean = 0.05 * gradient.double().numpy()
    update = 0.05 * gradient.double().numpy() + 0.95 * mean
    update = update / np.linalg.norm(update)
    for _ in range(5):
        gram = update @ update.T
        update = 3.4445 * update + (-4.7750 * gram + 2.0315 * gram @ gram) @ update
    expected = weight * (1 - 0.1 * 0.5) - 0.1 * ratio * update
    got = trainee.get_parameter(key).detach().double().numpy()
    np.testing.assert_allclose(got, expected, atol=0.1 * ratio * 0.02)  # torch iterates in bfloat16


def test_a_step_of_nadam_by_hand():
    trainee, before = model(), model()
    drive(trainee, NAdam(lr=0.1, weight_decay=0.5, decoupled_weight_decay=True).build(trainee), steps=range(1))
    drive(before, steps=range(1))
    for got, start in zip(trainee.parameters(), before.parameters(), strict=True):
        weight, gradient = start.detach().double(), start.grad.double()
        now, then = (0.9 * (1 - 0.5 * 0.96 ** (t * 0.004)) for t in (1, 2))
        mean, square = 0.1 * gradient, 0.001 * gradient**2
        # Nesterov's mean: the one that the next step would see.
        ahead = then * mean / (1 - now * then) + (1 - now) * gradient / (1 - now)
        expected = weight * (1 - 0.1 * 0.5) - 0.1 * ahead / ((square / 0.001).sqrt() + 1e-8)
        torch.testing.assert_close(got.detach().double(), expected, rtol=1e-5, atol=1e-6)


# -------------------------------------------------------------------- options


@pytest.mark.parametrize("spec", [*SPECS, MUON], ids=name)
def test_biases_and_norms_are_left_alone_where_asked(spec: OptimizerSpec):
    trainee = model()
    optimizer = replace(spec, decay_biases_and_norms=False, lr=0.1).build(trainee)
    before = [weight.detach().clone() for weight in trainee.parameters()]
    for weight in trainee.parameters():
        weight.grad = torch.zeros_like(weight)
    optimizer.step()
    for weight, start in zip(trainee.parameters(), before, strict=True):
        assert torch.equal(weight, start) == (weight.ndim < 2)


TURNED: list[tuple[OptimizerSpec, dict[str, Any]]] = [
    *((spec, {"lr": 0.02}) for spec in [*SPECS, MUON]),
    *((spec, {"weight_decay": 0.2}) for spec in [*SPECS, MUON]),
    *((spec, {"decay_biases_and_norms": False}) for spec in [*SPECS, MUON]),
    *((spec, {"betas": (0.7, 0.9)}) for spec in [*SPECS[:3], MUON]),
    *((spec, {"betas": (0.8, 0.8)}) for spec in [*SPECS[:3], MUON]),
    *((spec, {"eps": 1e-2}) for spec in [*SPECS[:3], SPECS[4], MUON]),
    (SPECS[2], {"momentum_decay": 0.5}),
    (SPECS[2], {"decoupled_weight_decay": True}),
    (SPECS[3], {"momentum": 0.5}),
    (SPECS[3], {"nesterov": False}),
    (SPECS[4], {"alpha": 0.5}),
    (SPECS[4], {"momentum": 0.0}),
    (MUON, {"adamw_lr": 0.02}),
    (MUON, {"momentum": 0.5}),
    (MUON, {"nesterov": False}),
    (MUON, {"ns_steps": 3}),
    (MUON, {"adjust_lr_fn": "original"}),
]


@pytest.mark.parametrize(("spec", "option"), TURNED, ids=name)
def test_an_option_turned_makes_a_difference(spec: OptimizerSpec, option: dict[str, Any]):
    assert not same(trained(spec), trained(replace(spec, **option)))


def test_every_option_is_turned_above():
    for spec in [*SPECS, MUON]:
        turned = {key for other, option in TURNED if other is spec for key in option}
        assert turned == {option.name for option in fields(spec)}


@pytest.mark.parametrize("spec", [*SPECS, MUON], ids=name)
def test_a_resumed_optimizer_goes_on_bit_for_bit(spec: OptimizerSpec):
    whole = model()
    expected = drive(whole, spec.build(whole), steps=range(6))

    half = model()
    optimizer = spec.build(half)
    drive(half, optimizer, steps=range(3))
    file = io.BytesIO()
    torch.save({"model": half.state_dict(), "optimizer": optimizer.state_dict()}, file)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    rest = model()
    rest.load_state_dict(state["model"])
    resumed = spec.build(rest)
    resumed.load_state_dict(state["optimizer"])
    assert same(drive(rest, resumed, steps=range(3, 6)), expected)


def test_the_loop_scales_each_group_of_muon_by_its_own_rate():
    optimizer = replace(MUON, adamw_lr=0.003, decay_biases_and_norms=False).build(model())
    assert [group["lr"] for group in optimizer.param_groups] == [0.01, 0.003, 0.003]
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.1, 0.1, 0.0]
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    trainee = model()
    before = drive(trainee, steps=range(0))
    frozen = MUON.build(trainee)
    for group in frozen.param_groups:
        group["lr"] = 0.0
    assert same(drive(trainee, frozen), before)


# -------------------------------------------------------------------- words and refusals


@pytest.mark.parametrize("word", list(words("optimizer")))
def test_a_word_writes_out_every_option(word):
    file = words("optimizer")[word]
    spec = build_word(OptimizerSpec, file, "optimizer")
    options = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert set(options) == {"_target_", *(option.name for option in fields(spec))}
    assert len(trained(spec)) == len(list(model().parameters()))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Adam(lr=-1.0), "optimizer.lr=-1.0: must be at least 0"),
        (lambda: AdamW(lr=1.0, betas=(0.9, 1.0)), r"optimizer.betas\[1\]=1.0: must be at least 0 and below 1"),
        (lambda: NAdam(lr=1.0, momentum_decay=-1.0), "optimizer.momentum_decay=-1.0: must be at least 0"),
        (lambda: SGD(lr=1.0, nesterov=True), "optimizer.nesterov=true: needs optimizer.momentum above 0"),
        (lambda: RMSprop(lr=1.0, alpha=1.0), "optimizer.alpha=1.0: must be at least 0 and below 1"),
        (lambda: Muon(lr=1.0, momentum=1.0), "optimizer.momentum=1.0: must be at least 0 and below 1"),
        (lambda: Muon(lr=1.0, momentum=0.0), "optimizer.nesterov=true: needs optimizer.momentum above 0"),
        (lambda: Muon(lr=1.0, adamw_lr=-1.0), "optimizer.adamw_lr=-1.0: must be at least 0"),
        (lambda: Muon(lr=1.0, ns_steps=0), "optimizer.ns_steps=0: must be at least 1"),
        (lambda: Muon(lr=1.0, ns_steps=100), "optimizer.ns_steps=100: must be below 100"),
    ],
)
def test_senseless_options_are_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_muon_refuses_a_model_without_matrices():
    video = TaskSpec(Values((1, 4, 4)), Values((1, 4, 4)), Align.AHEAD)
    with pytest.raises(ConfigError, match="no matrix between stem and readout; use optimizer=adamw"):
        MUON.build(build_model(ConvLSTMSpec(hidden_size=2), video))


def test_muon_names_the_torch_that_it_needs(monkeypatch):
    monkeypatch.delattr(torch.optim, "Muon")
    with pytest.raises(ConfigError, match=r"optimizer=muon: this torch is .* and has none; it came with 2\.9"):
        MUON.build(model())
