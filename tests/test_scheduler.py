import math

import pytest

from seqtrain.errors import ConfigError
from seqtrain.scheduler import Constant, Cosine, InverseTime


def test_warmup_rises_linearly_to_one_and_then_the_curve_begins():
    schedule = Constant(warmup_steps=4)
    assert [schedule.factor(step, 10, None) for step in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]


def test_cosine_goes_from_one_over_the_middle_to_final():
    schedule = Cosine(warmup_steps=10, final=0.2)
    assert schedule.factor(10, 1, 110) == 1
    assert schedule.factor(60, 1, 110) == pytest.approx(0.6)
    assert schedule.factor(110, 1, 110) == pytest.approx(0.2)
    assert schedule.factor(500, 1, 110) == pytest.approx(0.2)
    assert schedule.factor(35, 1, 110) == pytest.approx(0.2 + 0.8 * 0.5 * (1 + math.cos(math.pi / 4)))


def test_cosine_without_an_end_says_what_to_set():
    with pytest.raises(ConfigError, match=r"set trainer\.max_steps or trainer\.max_epochs"):
        Cosine().factor(0, 10, None)


def test_inverse_time_counts_whole_epochs():
    schedule = InverseTime(decay=0.5)
    assert [schedule.factor(step, 3, None) for step in (0, 2, 3, 6)] == [1, 1, 1 / 1.5, 1 / 2]


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
