"""One run from its configuration to its summary, in a folder of its own."""

import itertools
import json
import platform
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from rich.console import Console
from rich.text import Text

from seqtrain import checkpoint
from seqtrain.config import RunConfig, Tree, build_config, build_word, pin_paths
from seqtrain.device import pick_device, pick_precision, tune_allocator
from seqtrain.errors import CheckpointError, ConfigError
from seqtrain.models import DecoderSpec, ModelSpec, build_model, refusal
from seqtrain.report import end_panel, start_panel
from seqtrain.runlog import SUMMARY, RunLog, leaf
from seqtrain.scheduler import Moment
from seqtrain.seeding import seed_torch
from seqtrain.spec import TaskSpec
from seqtrain.tasks import Split
from seqtrain.trainer import Trainer
from seqtrain.words import words

CONFIG, OVERRIDES = "config.yaml", "overrides.yaml"
"""What a run folder holds to repeat the run: the resolved tree, and what the user typed."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        folder: The run folder.
        summary: What summary.json holds.
        signal: The signal that stopped it, or None.
    """

    folder: Path
    summary: dict[str, Any]
    signal: str | None


def start(tree: Tree, overrides: list[str], folder: Path, console: Console) -> Outcome:
    """Trains a new run. Everything that can be wrong is found before the folder is made.

    Args:
        tree: The composed configuration, resolved.
        overrides: What the user typed.
        folder: Where the run should live; a number is appended if that is taken.
        console: Where the run tells of itself.
    """
    config = build_config(tree)

    def claim() -> Path:
        claimed = reserve(folder)
        write_config(claimed, config, tree, overrides)
        return claimed

    return train(config, claim, console, state=None)


def resume(folder: Path, console: Console) -> Outcome:
    """Goes on with a run from its newest checkpoint, in the same folder, as if it had never stopped.

    A run that has finished is only shown.

    Raises:
        CheckpointError: If the folder holds no run, or its data is no longer what it was.
    """
    tree = read_tree(folder)
    finished = read_finished(folder)
    if finished is not None:
        console.print(end_panel(finished, folder))
        return Outcome(folder, finished, None)
    state, warnings = checkpoint.load_newest(folder / "checkpoints")
    for warning in warnings:
        console.print(Text(f"warning: {warning}; using an earlier checkpoint", style="yellow"))
    return train(build_config(tree), lambda: folder, console, state)


def train(config: RunConfig, claim: Callable[[], Path], console: Console, state: dict[str, Any] | None) -> Outcome:
    """Prepares data and model, claims the folder, trains, and tests the best checkpoint."""
    if config.trainer.tune_allocator:
        tune_allocator()
    check_pair(config)
    device = pick_device(config.device)
    pick_precision(config.trainer.amp, device)
    check_end(config)
    task = config.task
    task.prepare(config.data_dir, config.seed)
    seed_torch(config.seed, "init")
    model = build_model(config.model, task.spec, config.decoder)
    seed_torch(config.seed, "dropout")

    folder = claim()
    keep_assets(folder, task.assets(), resumed=state is not None)
    with RunLog(folder, console, None if state is None else state["progress"]["step"]) as log:
        trainer = Trainer(
            config.trainer,
            model,
            task,
            config.optimizer,
            config.scheduler,
            device=device,
            seed=config.seed,
            log=log,
        )
        if state is not None:
            trainer.load_state_dict(state)
        baseline = task.baseline()
        log.say(start_panel(config, model, trainer, baseline))
        return finish(config, trainer, baseline, log)


def finish(config: RunConfig, trainer: Trainer, baseline: dict[str, float], log: RunLog) -> Outcome:
    """Runs the loop and writes the summary, whatever comes of it."""
    log.summary(summarize(config, trainer, baseline, "running", None, {}))
    test: dict[str, float] = {}
    try:
        end = trainer.fit()
        stopped = end.startswith("SIG")
        if not stopped:
            test = test_best(trainer)
    except BaseException as error:
        reason = str(error) or type(error).__name__
        log.summary(summarize(config, trainer, baseline, "failed", reason, test))
        raise
    summary = summarize(config, trainer, baseline, "stopped" if stopped else "finished", end, test)
    log.summary(summary)
    log.say(end_panel(summary, log.folder))
    return Outcome(log.folder, summary, end if stopped else None)


def test_best(trainer: Trainer) -> dict[str, float]:
    """Scores the best checkpoint on the test split: the one time that it is read."""
    path = trainer.log.folder / "checkpoints" / checkpoint.BEST
    trainer.model.load_state_dict(checkpoint.load(path)["model"])
    test = trainer.evaluate(Split.TEST)
    progress = trainer.progress
    trainer.log.scalars(progress.best_step, progress.best_step / trainer.steps_per_epoch, progress.seconds, test)
    trainer.log.pictures(progress.best_step, trainer.task.pictures(trainer.samples(Split.VAL)))
    return test


# -------------------------------------------------------------------- the folder


def reserve(folder: Path) -> Path:
    """Makes a folder that no other run has: the one asked for, or its name with the next free number.

    Raises:
        ConfigError: If it can't be made.
    """
    candidates = itertools.chain([folder], (folder.with_name(f"{folder.name}-{n}") for n in itertools.count(2)))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        return next(candidate for candidate in candidates if made(candidate))
    except OSError as error:
        raise ConfigError(f"run_dir={folder}: can't be made ({error.strerror})") from None


def made(folder: Path) -> bool:
    """Makes a folder; False if its name is taken."""
    try:
        folder.mkdir()
    except FileExistsError:
        return False
    return True


def read_tree(folder: Path) -> Tree:
    """The configuration that a run folder holds."""
    path = folder / CONFIG
    try:
        tree = OmegaConf.to_container(OmegaConf.load(path))
    except OSError:
        raise CheckpointError(f"{folder}: not a run folder (it has no {CONFIG})") from None
    except Exception as error:  # the parser of a damaged file raises nearly anything
        raise CheckpointError(f"{path}: damaged ({type(error).__name__})") from None
    if not isinstance(tree, dict):
        raise CheckpointError(f"{path}: damaged (holds no configuration)")
    return {str(key): value for key, value in tree.items()}


def read_finished(folder: Path) -> dict[str, Any] | None:
    """The summary of a run that has finished; None if it hasn't."""
    try:
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # not there yet, or damaged: the checkpoints tell how far the run is
        return None
    return summary if isinstance(summary, dict) and summary.get("status") == "finished" else None


def write_config(folder: Path, config: RunConfig, tree: Tree, overrides: list[str]) -> None:
    """Writes what repeats the run from any folder; config.yaml last, since it is what makes a run folder."""
    for name, content in ((OVERRIDES, overrides), (CONFIG, pin_paths(tree, config))):
        text = OmegaConf.to_yaml(OmegaConf.create(content))
        checkpoint.write_atomically(folder / name, text.encode())


def keep_assets(folder: Path, assets: dict[str, Any], *, resumed: bool) -> None:
    """Writes what reading new input needs; of a resumed run, checks that the data still gives the same."""
    for name, content in assets.items():
        text = json.dumps(content, ensure_ascii=False, indent=1).encode() + b"\n"
        path = folder / name
        if resumed and path.exists() and path.read_bytes() != text:
            raise CheckpointError(f"{path}: the data gives another {name} than when the run began; it has changed")
        checkpoint.write_atomically(path, text)


# -------------------------------------------------------------------- checks and reports


def check_pair(config: RunConfig) -> None:
    """Raises ConfigError if the model makes no sense on the task, naming those that do."""
    reason = refusal(config.model, config.decoder, config.task.outline)
    if reason is None:
        return
    pair = f"model={config.model_name} doesn't fit task={config.task_name}: it {reason}"
    fitting = models_that_fit(config.decoder, config.task.outline)
    if config.model_name in fitting:  # but for the option that the reason names
        raise ConfigError(pair)
    raise ConfigError(f"{pair}; models that fit: {', '.join(fitting) or 'none yet'}")


def check_end(config: RunConfig) -> None:
    """Raises ConfigError if the schedule must know the run's last step and nothing tells it."""
    told = config.trainer.max_steps is not None or config.trainer.max_epochs is not None
    config.scheduler.factor(Moment(step=0, steps_per_epoch=1, total_steps=1 if told else None))


def models_that_fit(decoder: DecoderSpec, task: TaskSpec) -> list[str]:
    """The words of the models that take such a task."""
    specs = {word: build_word(ModelSpec, file, "model") for word, file in words("model").items()}
    return [word for word, spec in specs.items() if refusal(spec, decoder, task) is None]


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
        "parameters": sum(p.numel() for p in trainer.model.parameters()),
        "steps": progress.step,
        "epochs": round(trainer.epoch, 4),
        "seconds": round(progress.seconds, 3),
        "metric": trainer.metric,
        "higher_is_better": trainer.task.higher_is_better,
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
