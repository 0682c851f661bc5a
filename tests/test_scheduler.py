import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
import yaml
from torch.optim.lr_scheduler import LinearLR, LRScheduler, OneCycleLR, ReduceLROnPlateau

from seqtrain.config import build_word
from seqtrain.errors import ConfigError
from seqtrain.scheduler import Constant, Cosine, InverseTime, Linear, Moment, OneCycle, Plateau, SchedulerSpec
from seqtrain.words import words


def at(step: int, steps_per_epoch: int = 1, total_steps: int | None = None, history: Sequence[float] = ()) -> Moment:
    return Moment(step=step, steps_per_epoch=steps_per_epoch, total_steps=total_steps, history=history)


def test_warmup_rises_linearly_to_one_and_then_the_curve_begins():
    schedule = Constant(warmup_steps=4)
    assert [schedule.factor(at(step)) for step in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]


def test_cosine_goes_from_one_over_the_middle_to_final():
    schedule = Cosine(warmup_steps=10, final=0.2)
    assert schedule.factor(at(10, total_steps=110)) == 1
    assert schedule.factor(at(60, total_steps=110)) == pytest.approx(0.6)
    assert schedule.factor(at(110, total_steps=110)) == pytest.approx(0.2)
    assert schedule.factor(at(500, total_steps=110)) == pytest.approx(0.2)
    assert schedule.factor(at(35, total_steps=110)) == pytest.approx(0.2 + 0.8 * 0.5 * (1 + math.cos(math.pi / 4)))


@pytest.mark.parametrize(("word", "schedule"), [("cosine", Cosine()), ("linear", Linear()), ("onecycle", OneCycle())])
def test_a_schedule_without_an_end_says_what_to_set(word, schedule):
    with pytest.raises(ConfigError, match=rf"scheduler={word} .* set trainer\.max_steps or trainer\.max_epochs"):
        schedule.factor(at(0))


def rates(optimizer: torch.optim.Optimizer, schedule: LRScheduler, steps: int) -> list[float]:
    """The rates of torch's own schedule."""
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)


def test_linear_is_torchs():
    sgd = optimizer()
    expected = rates(sgd, LinearLR(sgd, start_factor=1.0, end_factor=0.25, total_iters=20), 25)
    schedule = Linear(warmup_steps=4, final=0.25)
    assert [schedule.factor(at(step + 4, total_steps=24)) for step in range(25)] == pytest.approx(expected)


@pytest.mark.parametrize(("shape", "anneal"), [("cosine", "cos"), ("linear", "linear")])
@pytest.mark.parametrize("rise", [0.3, 0.52])
def test_onecycle_is_torchs(shape, anneal, rise):
    sgd = optimizer()
    torchs = OneCycleLR(
        sgd, 1.0, 50, pct_start=rise, anneal_strategy=anneal, cycle_momentum=False, div_factor=10, final_div_factor=100
    )
    expected = [*rates(sgd, torchs, 49), sgd.param_groups[0]["lr"]]
    schedule = OneCycle(rise=rise, initial=0.1, final=0.001, shape=shape)
    assert [schedule.factor(at(step, total_steps=50)) for step in range(50)] == pytest.approx(expected)
    assert schedule.factor(at(60, total_steps=50)) == pytest.approx(0.001)


def test_the_warmup_of_onecycle_leads_to_where_its_rise_begins():
    schedule = OneCycle(warmup_steps=4, initial=0.2)
    found = [schedule.factor(at(step, total_steps=104)) for step in range(6)]
    assert found[:5] == pytest.approx([0.05, 0.1, 0.15, 0.2, 0.2])
    assert found[5] > 0.2


@pytest.mark.parametrize("total_steps", [1, 2, 3])
def test_a_cycle_of_a_few_steps_stays_within_its_bounds(total_steps):
    schedule = OneCycle(initial=0.1, final=0.01)
    for step in range(total_steps + 2):
        assert 0.01 <= schedule.factor(at(step, total_steps=total_steps)) <= 1


HISTORY = [
    3.0,
    2.0,
    2.0,
    1.999,
    2.5,
    2.1,
    1.0,
    1.0,
    1.0,
    1.1,
    0.5,
    0.6,
    0.7,
    0.8,
    0.9,
    0.9,
    0.9,
    0.9,
    0.4,
    math.nan,
    1.0,
]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"patience": 0},
        {"patience": 1, "gamma": 0.1},
        {"patience": 1, "cooldown": 2},
        {"patience": 0, "threshold": 0.3},
        {"patience": 0, "gamma": 0.3, "min_factor": 0.05},
    ],
)
@pytest.mark.parametrize("mode", ["min", "max"])
def test_a_plateau_lowers_when_torchs_does(options, mode):
    sgd, schedule = optimizer(), Plateau(**options)
    torchs = ReduceLROnPlateau(
        sgd,
        mode,
        factor=schedule.gamma,
        patience=schedule.patience,
        threshold=schedule.threshold,
        cooldown=schedule.cooldown,
        min_lr=schedule.min_factor,
        eps=0,
    )
    # A metric to be raised comes with its sign turned, since history is told so that lower is better.
    metrics = HISTORY if mode == "min" else [4 - value for value in HISTORY]
    history = metrics if mode == "min" else [-value for value in metrics]
    assert schedule.factor(at(5)) == 1
    for count, value in enumerate(metrics, 1):
        torchs.step(value)
        expected = sgd.param_groups[0]["lr"]
        assert schedule.factor(at(5, history=history[:count])) == pytest.approx(expected), count
    assert schedule.factor(at(5, history=history)) < 1


def test_each_option_of_a_plateau_makes_a_difference():
    def factor(**options: float) -> float:
        return Plateau(**{"patience": 1, **options}).factor(at(5, history=HISTORY))

    turned = ({"gamma": 0.1}, {"patience": 2}, {"threshold": 0.6}, {"cooldown": 3}, {"min_factor": 0.9})
    assert all(factor(**options) != factor() for options in turned)


def test_the_warmup_of_a_plateau_rises_to_where_the_validations_have_left_it():
    assert Plateau(warmup_steps=4, patience=0).factor(at(1, history=[1.0, 2.0])) == 0.25


@pytest.mark.parametrize("word", list(words("scheduler")))
def test_a_word_writes_out_every_option_with_its_default_and_warms_up(word):
    file = words("scheduler")[word]
    spec = build_word(SchedulerSpec, file, "scheduler")
    assert spec == type(spec)()
    options = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert set(options) == {"_target_", *vars(spec)}
    warm = replace(spec, warmup_steps=10)
    assert warm.factor(at(0, total_steps=100)) == pytest.approx(spec.factor(at(0, total_steps=90)) / 10)


def test_inverse_time_counts_whole_epochs():
    schedule = InverseTime(decay=0.5)
    assert [schedule.factor(at(step, 3)) for step in (0, 2, 3, 6)] == [1, 1, 1 / 1.5, 1 / 2]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Constant(warmup_steps=-1), "scheduler.warmup_steps=-1: must be at least 0"),
        (lambda: Cosine(final=1.5), "scheduler.final=1.5: must be between 0 and 1"),
        (lambda: Linear(final=-0.1), "scheduler.final=-0.1: must be between 0 and 1"),
        (lambda: OneCycle(rise=1.0), "scheduler.rise=1.0: must be above 0 and below 1"),
        (lambda: OneCycle(initial=1.1), "scheduler.initial=1.1: must be between 0 and 1"),
        (lambda: Plateau(gamma=1.0), "scheduler.gamma=1.0: must be above 0 and below 1"),
        (lambda: Plateau(patience=-1), "scheduler.patience=-1: must be at least 0"),
        (lambda: Plateau(threshold=1.0), "scheduler.threshold=1.0: must be at least 0 and below 1"),
        (lambda: Plateau(cooldown=-1), "scheduler.cooldown=-1: must be at least 0"),
        (lambda: Plateau(min_factor=2.0), "scheduler.min_factor=2.0: must be between 0 and 1"),
        (lambda: InverseTime(decay=-0.1), "scheduler.decay=-0.1: must be at least 0"),
    ],
)
def test_senseless_options_are_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
