import math
from collections.abc import Sequence

import pytest

from seqtrain.errors import ConfigError
from seqtrain.scheduler import Constant, Cosine, InverseTime, Moment


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


def test_cosine_without_an_end_says_what_to_set():
    with pytest.raises(ConfigError, match=r"set trainer\.max_steps or trainer\.max_epochs"):
        Cosine().factor(at(0))


def test_inverse_time_counts_whole_epochs():
    schedule = InverseTime(decay=0.5)
    assert [schedule.factor(at(step, 3)) for step in (0, 2, 3, 6)] == [1, 1, 1 / 1.5, 1 / 2]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Constant(warmup_steps=-1), "scheduler.warmup_steps=-1: must be at least 0"),
        (lambda: Cosine(final=1.5), "scheduler.final=1.5: must be between 0 and 1"),
        (lambda: InverseTime(decay=-0.1), "scheduler.decay=-0.1: must be at least 0"),
    ],
)
def test_senseless_options_are_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
