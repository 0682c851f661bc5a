import pytest
from workbench import RunningSum

from seqtrain.errors import ConfigError
from seqtrain.tasks import Sentiment
from seqtrain.training.monitor import Monitor
from seqtrain.training.progress import Progress
from seqtrain.training.trainer_config import TrainerConfig


def test_a_task_knows_its_own_metric_and_the_loss():
    assert Monitor.of(TrainerConfig(), RunningSum()).name == "val/mse"
    assert not Monitor.of(TrainerConfig(), RunningSum()).higher_is_better
    assert not Monitor.of(TrainerConfig(monitor="loss"), RunningSum()).higher_is_better
    assert Monitor.of(TrainerConfig(monitor="loss", mode="max"), RunningSum()).higher_is_better


def test_a_task_with_an_accuracy_wants_it_high():
    assert Monitor.of(TrainerConfig(), Sentiment()).higher_is_better


def test_a_metric_that_the_task_does_not_have_is_refused():
    with pytest.raises(ConfigError, match=r"trainer\.monitor=msee: no such metric; choose from loss, mse"):
        Monitor.of(TrainerConfig(monitor="msee"), RunningSum())


def test_the_best_validations_are_remembered_in_their_order():
    monitor = Monitor("val/accuracy", higher_is_better=True, min_delta=0.05, keep_best=2)
    progress, best = Progress(), []
    for step, value in enumerate([0.5, 0.7, 0.6, 0.72, 0.9], start=1):
        progress.step = step
        best.append(monitor.judge(progress, {"val/accuracy": value}))
    assert best == [True, True, False, True, True]
    assert progress.top == [(0.9, 5), (0.72, 4)]
    assert progress.history == [-0.5, -0.7, -0.6, -0.72, -0.9]
    assert (progress.best_step, progress.validated, progress.stale) == (5, 5, 0)
