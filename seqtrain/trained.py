"""A trained model taken out of its run folder: to look at, to ask, to score."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from seqtrain import checkpoint as checkpoints
from seqtrain.config import RunConfig, build_config
from seqtrain.device import pick_device
from seqtrain.errors import CheckpointError, ConfigError
from seqtrain.model import Model
from seqtrain.models import build_model
from seqtrain.run_folder import read_tree
from seqtrain.tasks import Task

CHECKPOINTS = {"best": checkpoints.BEST, "last": checkpoints.LAST}
"""The checkpoints that a run keeps, by what a user calls them, and their files."""


@dataclass
class Trained:
    """A model with the weights of a checkpoint, and all that reads new input for it.

    Attributes:
        folder: The run folder.
        config: The run's options, `device` replaced by the one in use.
        task: Restored: it knows its vocabulary, classes and scales, and has read no data.
        model: On its device, in evaluation mode.
        device: Where the model is.
        step: Optimizer steps that the weights have behind them.
    """

    folder: Path
    config: RunConfig
    task: Task
    model: Model
    device: torch.device
    step: int


def load(run: str | Path, checkpoint: str = "best", device: str = "auto") -> Trained:
    """Takes the model out of a run folder; reads no data.

    Args:
        run: The folder, or "last" for the newest one below `outputs`.
        checkpoint: "best" by the validation metric, or the "last" that was saved.
        device: auto, cpu, cuda, cuda:N or mps.

    Raises:
        CheckpointError: If the folder is no run, lacks what the model or the task needs, or its parts don't fit
            together; names the file.
        ConfigError: If the checkpoint is neither of the two, or the device isn't there.
    """
    from seqtrain.cli.resume import find_run

    if checkpoint not in CHECKPOINTS:
        raise ConfigError(f"checkpoint={checkpoint}: choose from {', '.join(CHECKPOINTS)}")
    folder = find_run(str(run))
    config = build_config(read_tree(folder))
    where = pick_device(device)
    path = folder / "checkpoints" / CHECKPOINTS[checkpoint]
    if not path.exists():
        raise CheckpointError(_missing(path))
    state = checkpoints.load(path)
    task = config.task
    try:
        task.restore(Assets(folder))
    except CheckpointError as error:
        raise CheckpointError(str(error) if str(folder) in str(error) else f"{folder}: {error}") from None
    model = _with_weights(build(config), state, path)
    step = state["progress"].get("step", 0)
    return Trained(folder, replace(config, device=str(where)), task, model.to(where).eval(), where, step)


def build(config: RunConfig) -> Model:
    """The model that a configuration and its restored task describe; takes nothing from the global generator."""
    with torch.random.fork_rng(devices=[]):
        return build_model(config.model, config.task.spec, config.decoder)


class Assets(dict[str, Any]):
    """What a run folder keeps of its task's assets; a file is read when it is asked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def get(self, name: str, default: Any = None) -> Any:
        """The content of one file.

        Raises:
            CheckpointError: If it is missing or damaged.
        """
        path = self._folder / name
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise CheckpointError(f"{path}: is missing, and without it the model can't be used") from None
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{path}: damaged ({type(error).__name__})") from None


def _with_weights(model: Model, state: dict[str, Any], path: Path) -> Model:
    """The model with a checkpoint's weights.

    Raises:
        CheckpointError: If they are of another model, or of another vocabulary.
    """
    weights = state.get("model")
    if not isinstance(weights, dict) or not isinstance(state.get("progress"), dict):
        raise CheckpointError(f"{path}: not a checkpoint of a run (it holds no model)")
    try:
        model.load_state_dict(weights)
    except RuntimeError:
        raise CheckpointError(f"{path}: {_misfit(model, weights)}") from None
    return model


def _misfit(model: Model, weights: dict[str, Any]) -> str:
    """The first way in which weights don't fit a model."""
    own = model.state_dict()
    for name in sorted(own.keys() | weights.keys()):
        if name not in own or name not in weights:
            lacking = "the checkpoint" if name not in weights else "the model of config.yaml"
            return f"its weights are of another model: {lacking} has no {name}"
    shapes = {name: (tuple(own[name].shape), tuple(weights[name].shape)) for name in own}
    name, (wanted, found) = next((name, pair) for name, pair in shapes.items() if pair[0] != pair[1])
    return (
        f"its weights don't fit: {name} is {' x '.join(map(str, found))}, where the folder's configuration and "
        f"vocabulary make it {' x '.join(map(str, wanted))}"
    )


def _missing(path: Path) -> str:
    """What to say of a checkpoint that isn't there."""
    others = [name for name, file in CHECKPOINTS.items() if (path.parent / file).exists()]
    if others:
        return f"{path}: no such checkpoint; the run has checkpoint={others[0]}"
    return f"{path}: no such checkpoint; the run has saved none yet"
