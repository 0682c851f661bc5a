"""What a run folder keeps, put back where it came from: a task's assets and a model's weights."""

import json
from pathlib import Path
from typing import Any

from seqtrain.errors import CheckpointError, ConfigError
from seqtrain.model import Model
from seqtrain.tasks import Task
from seqtrain.training import checkpoint as checkpoints

CHECKPOINTS = {"best": checkpoints.BEST, "last": checkpoints.LAST}
"""The checkpoints that a run keeps, by what a user calls them, and their files."""


def restore_task(task: Task, folder: Path) -> None:
    """Gives a task its assets back, so that it reads new input as the run did.

    Raises:
        CheckpointError: If one is missing, damaged, or not what the task wants; names the file or the folder.
    """
    try:
        task.restore(Assets(folder))
    except CheckpointError as error:
        raise CheckpointError(str(error) if str(folder) in str(error) else f"{folder}: {error}") from None


def restore_weights(model: Model, folder: Path, checkpoint: str) -> int:
    """Gives a model the weights of a run's checkpoint, "best" or "last"; returns the steps they were trained for.

    Raises:
        ConfigError: If the checkpoint is neither of the two.
        CheckpointError: If there is none, it can't be read, or is of another model or vocabulary.
    """
    if checkpoint not in CHECKPOINTS:
        raise ConfigError(f"checkpoint={checkpoint}: choose from {', '.join(CHECKPOINTS)}")
    path = folder / "checkpoints" / CHECKPOINTS[checkpoint]
    if not path.exists():
        raise CheckpointError(_missing(path))
    state = checkpoints.load(path)
    try:
        model.load_state_dict(state["model"])
    except RuntimeError:
        raise CheckpointError(f"{path}: {_misfit(model, state['model'])}") from None
    step: int = state["progress"]["step"]
    return step


class Assets(dict[str, Any]):
    """The assets in a run folder; a file is read when it is asked for."""

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
