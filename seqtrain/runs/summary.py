"""What summary.json tells of a run: its end, its figures, and what they may depend on."""

import platform
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from seqtrain.config import RunConfig
from seqtrain.logs.numbers import leaf
from seqtrain.training.trainer import Trainer


def summarize(
    config: RunConfig,
    trainer: Trainer,
    baseline: dict[str, float],
    status: str,
    end: str | None,
    test: dict[str, float],
) -> dict[str, Any]:
    """What summary.json holds."""
    progress = trainer.progress
    return {
        "status": status,
        "ended_by": end,
        "model": config.model_name,
        "task": config.task_name,
        "seed": config.seed,
        "device": str(trainer.device),
        "processes": trainer.team.size,
        "precision": str(trainer.precision or "float32").removeprefix("torch."),
        "parameters": sum(p.numel() for p in trainer.model.parameters()),
        "steps": progress.step,
        "steps_left_out": len(progress.left_out),
        "epochs": round(trainer.epoch, 4),
        "seconds": round(progress.seconds, 3),
        "metric": trainer.monitor.name,
        "higher_is_better": trainer.monitor.higher_is_better,
        "best": {"step": progress.best_step, **bare(progress.best)},
        "val": bare(progress.val),
        "test": bare(test),
        "baseline": baseline,
        "versions": versions(),
        "git_commit": git_commit(),
    }


def bare(values: dict[str, float]) -> dict[str, float]:
    """Metrics by name alone, without the split they are of."""
    return {leaf(name): value for name, value in values.items()}


def versions() -> dict[str, str]:
    """The versions that a result may depend on."""
    packages = ("seqtrain", "torch", "numpy", "hydra-core", "torchmetrics")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


@cache
def git_commit() -> str | None:
    """The commit of the checkout that seqtrain runs from, `+` where it has been edited; None outside one."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        edited = subprocess.run([*git, "status", "--porcelain", "."], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.stdout.strip() + ("+" if edited.stdout else "")
