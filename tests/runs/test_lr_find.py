import math
from dataclasses import replace

import numpy as np
import pytest
from workbench import CarriedSum

from seqtrain.optimizer import SGD, AdamW
from seqtrain.runs.lr_find import Curve, Range, Rise, picture, range_test, refusal, suggested
from seqtrain.scheduler import Moment


def curve(losses: np.ndarray, low: float = 1e-6, high: float = 1.0) -> Curve:
    rates = np.geomspace(low, high, len(losses)).tolist()
    return Curve(rates, losses.tolist(), [1.0] * len(losses))


def valley(steps: int = 200, low: float = 1e-6) -> np.ndarray:
    """A loss that has fallen half way at a rate of 1e-3, and rises from 0.1 on."""
    place = np.linspace(math.log10(low), 0, steps)
    return 1 - 0.5 / (1 + np.exp(-4 * (place + 3))) + np.exp(6 * (place + 0.5))


def test_a_rise_is_by_one_ratio_from_end_to_end():
    rise = Rise(start=1e-4, end=10.0, steps=6)
    factors = [rise.factor(Moment(step=step, steps_per_epoch=1)) for step in range(6)]
    assert factors == pytest.approx([1e-4, 1e-3, 1e-2, 0.1, 1, 10])


def test_the_suggestion_is_where_the_fall_is_nearly_over():
    # Nine tenths of a logistic fall are over ln(9) / 4 of a decade past its middle.
    assert suggested(curve(valley())) == pytest.approx(1e-3 * 10 ** (math.log(9) / 4), rel=0.3)


def test_the_suggestion_does_not_depend_on_where_the_rise_began_nor_on_how_many_steps_it_has():
    rates = [suggested(curve(valley(steps, low), low)) for steps in (100, 300) for low in (1e-8, 1e-5)]
    assert max(rates) < 1.3 * min(rates)


def test_batches_that_differ_do_not_hide_the_fall():
    hardness = np.random.default_rng(0).uniform(1, 10, 200)
    plain = curve(valley())
    hard = Curve(plain.rates, (valley() - 1 + hardness).tolist(), hardness.tolist())
    assert suggested(hard) == suggested(plain)
    assert suggested(replace(hard, untrained=[1.0] * 200)) is None


def test_smoothing_moves_no_minimum():
    place = np.linspace(-1, 1, 201)
    smoothed = curve(np.abs(place)).smoothed
    assert smoothed.argmin() == 100
    assert curve(np.ones(50)).smoothed == pytest.approx(1)


def test_noise_alone_suggests_nothing():
    noise = np.random.default_rng(1).normal(1, 0.1, 200)
    assert suggested(curve(noise)) is None
    assert suggested(curve(np.ones(200))) is None
    assert "hardly fell, or by no more than chance; raise --steps" in refusal(curve(noise), Range())


def test_a_loss_that_is_lost_at_once_suggests_nothing():
    short = curve(np.linspace(1, 0, 5), high=1e-5)
    assert suggested(short) is None
    assert refusal(short, Range()) == "the loss was lost at a rate of 1e-05 already; lower --min"
    assert "at a rate of 1e-06 already" in refusal(Curve([], [], []), Range())


def test_each_step_trains_at_the_next_rate_and_is_compared_with_the_untrained_model(trainer_of):
    trainer = trainer_of(optimizer=SGD(lr=0.1), scheduler=Rise(start=1e-9, end=1e-8, steps=12), dropout=0)
    found = range_test(trainer, 12)
    assert found.rates == pytest.approx(np.geomspace(1e-10, 1e-9, 12))
    assert trainer.progress.step == 12  # two passes of six batches
    assert found.losses == pytest.approx(found.untrained, rel=1e-5)
    assert len(set(found.losses)) > 6


def test_the_untrained_model_remembers_what_the_trained_one_does(trainer_of):
    schedule = Rise(start=1e-9, end=1e-8, steps=8)
    trainer = trainer_of(scheduler=schedule, dropout=0, task=CarriedSum(), accumulate=2)
    found = range_test(trainer, 8)
    assert found.losses == pytest.approx(found.untrained, rel=1e-5)


def test_a_rise_teaches(trainer_of):
    trainer = trainer_of(optimizer=AdamW(lr=1.0), scheduler=Rise(start=1e-4, end=0.1, steps=60), dropout=0)
    found = range_test(trainer, 60)
    assert found.compared[-10:].mean() < 0.9 * found.compared[:20].mean()


@pytest.mark.parametrize("high", [1e4, 1e30])
def test_it_ends_when_the_loss_is_lost(trainer_of, high):
    schedule = Rise(start=1e-3, end=high, steps=100)
    trainer = trainer_of(optimizer=SGD(lr=1.0), scheduler=schedule, clip_norm=None, dropout=0)
    found = range_test(trainer, 100)
    assert 2 < len(found.losses) < 95
    assert all(math.isfinite(loss) for loss in found.losses)


def test_the_table_and_the_picture_show_every_step():
    lines = curve(valley()).table().splitlines()
    assert lines[0] == "lr,loss,untrained,smoothed"
    assert len(lines) == 201
    assert float(lines[1].split(",")[0]) == 1e-6
    for rate in (None, 0.01):
        assert picture(curve(valley()), rate).file()[1].startswith(b"\x89PNG")
