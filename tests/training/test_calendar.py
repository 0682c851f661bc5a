import pytest

from seqtrain.distributed.team import Team
from seqtrain.training.calendar import Calendar
from seqtrain.training.progress import Progress
from seqtrain.training.trainer_config import TrainerConfig


class Clock(Team):
    """A team whose clock stands still until it is moved."""

    now = 0.0

    def clock(self) -> float:
        return self.now


def calendar(**options) -> Calendar:
    return Calendar(TrainerConfig(**options), Clock())


@pytest.mark.parametrize(
    ("options", "progress", "limit"),
    [
        ({"max_steps": 5}, Progress(step=4), None),
        ({"max_steps": 5}, Progress(step=5), "max_steps"),
        ({"max_epochs": 2}, Progress(epoch=2), "max_epochs"),
        ({"max_time": 60.0}, Progress(seconds=61.0), "max_time"),
        ({"patience": 3}, Progress(stale=2), None),
        ({"patience": 3}, Progress(stale=3), "patience"),
    ],
)
def test_a_run_ends_at_its_limits(options, progress, limit):
    assert calendar(**options).limit(progress) == limit


def test_the_time_since_the_last_tick_counts_too():
    watched = calendar(max_time=60.0)
    watched.team.now = 30.0
    assert watched.limit(Progress(seconds=29.0)) is None
    assert watched.limit(Progress(seconds=30.0)) == "max_time"
    assert watched.tick() == 30.0
    assert watched.limit(Progress(seconds=59.0)) is None


def test_minutes_count_from_the_last_checkpoint():
    watched = calendar(checkpoint_every_minutes=5.0)
    watched.team.now = 299.0
    assert not watched.save_due(Progress(step=1))
    watched.team.now = 301.0
    assert watched.save_due(Progress(step=1))
    watched.has_saved()
    assert not watched.save_due(Progress(step=1))


def test_validations_come_by_epochs_or_by_steps():
    ends = [Progress(step=6, epoch=1), Progress(step=9, epoch=1, batch=3), Progress(step=12, epoch=2)]
    assert [calendar().validation_due(progress) for progress in ends] == [True, False, True]
    assert [calendar(eval_every_epochs=2).validation_due(progress) for progress in ends] == [False, False, True]
    assert [calendar(eval_every=9).validation_due(progress) for progress in ends] == [False, True, False]
