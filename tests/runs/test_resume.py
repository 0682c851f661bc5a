"""A run on any task's data, stopped anywhere and resumed, ends with the bits of the run that was never stopped."""

import pytest
import torch
from workbench import Workbench, stop_at, weights

from seqtrain.config import RunConfig, build_config
from seqtrain.models import build_model
from seqtrain.seeding import seed_torch
from seqtrain.tasks import Task
from seqtrain.training import checkpoint
from seqtrain.training.trainer import Trainer

LOOP = {"batch_size": 3, "accumulate": 2, "limit_batches": 6, "max_epochs": 2, "ema": 0.5, "eval_every": 5}


@pytest.fixture
def config(task_tree, small, prepared) -> RunConfig:
    model = small("model=lstm")["model"] | {"dropout": 0.3}
    config = build_config({**task_tree, "model": model, "trainer": {**task_tree["trainer"], **LOOP}})
    if config.task_name not in prepared:
        config.task.prepare(config.data_dir, seed=0)
        prepared[config.task_name] = config.task
    return config


def trainer_on(config: RunConfig, task: Task, workbench: Workbench, name: str) -> Trainer:
    """A trainer at its beginning, in a folder of this name."""
    seed_torch(0, "init")
    model = build_model(config.model, task.spec, config.decoder)
    seed_torch(0, "dropout")
    return workbench(name, task=task, model=model, **LOOP)


@pytest.mark.parametrize("step", [2, 5])
def test_a_run_on_any_task_resumes_bit_for_bit(config, prepared, trainer_of, step):
    task = prepared[config.task_name]
    undisturbed = trainer_on(config, task, trainer_of, "undisturbed")
    assert undisturbed.fit() == "max_epochs"

    first = trainer_on(config, task, trainer_of, "stopped")
    stop_at(first, step)
    assert first.fit() == "SIGTERM"
    first.log.close()
    torch.rand(100)  # whatever else used the generators in between

    second = trainer_on(config, task, trainer_of, "stopped")
    state, _ = checkpoint.load_newest(second.saver.folder)
    assert state["progress"]["step"] == step
    second.load_state_dict(state)
    assert second.fit() == "max_epochs"
    for a, b in zip(weights(undisturbed), weights(second), strict=True):
        assert torch.equal(a, b)
    assert second.progress.val == undisturbed.progress.val
