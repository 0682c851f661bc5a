"""One run from its configuration to its summary, in a folder of its own."""

import os
from collections.abc import Callable
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from rich.console import Console
from rich.text import Text

from seqtrain.config import RunConfig, Tree, build_config, build_word
from seqtrain.device import make_deterministic, pick_device, pick_precision, tune_allocator
from seqtrain.distributed.launcher import in_team
from seqtrain.distributed.silent_log import SilentLog
from seqtrain.distributed.team import Team, gathered, placed
from seqtrain.errors import ConfigError, TrainingError
from seqtrain.logs.gallery import gallery, graph_batch
from seqtrain.logs.runlog import RunLog
from seqtrain.model import Model
from seqtrain.models import DecoderSpec, ModelSpec, build_model, refusal
from seqtrain.runs.batch_size import settle
from seqtrain.runs.cover import conclude, describe
from seqtrain.runs.report import end_panel, start_panel
from seqtrain.runs.resuming import changed
from seqtrain.runs.run_folder import held, keep_assets, read_finished, read_overrides, read_tree, reserve, write_config
from seqtrain.runs.summary import summarize
from seqtrain.scheduler import Moment
from seqtrain.seeding import seed_torch
from seqtrain.signals import stop_on_signal
from seqtrain.spec import TaskSpec
from seqtrain.tasks import Split
from seqtrain.training import checkpoint
from seqtrain.training.evaluator import Interrupted
from seqtrain.training.trainer import Trainer
from seqtrain.training.trainer_config import TrainerConfig
from seqtrain.words import words

BEST_PICTURES = "best"
"""What TensorBoard shows the best checkpoint's pictures among; those drawn on the way stand in a group of their own."""
DRY_RUN_DONE = "dry run: one batch went through training, validation, checkpoint and test; nothing was kept"

FINISHED = "finished already; to train on, say until when: seqtrain resume RUN trainer.max_epochs=20"


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

    def claim(stack: ExitStack, settled: RunConfig) -> Path:
        claimed = reserve(folder)
        stack.enter_context(held(claimed))
        write_config(claimed, settled, with_batch_size(tree, settled), overrides)
        return claimed

    device = check(config)
    with gathered(device) as team:
        console = console if team.first else Console(quiet=True)
        if not config.trainer.dry_run:
            return train(config, device, team, claim, console, state=None)
        with TemporaryDirectory(prefix="seqtrain-") as scratch:
            outcome = train(config, device, team, lambda *_: Path(scratch), console, state=None)
        console.print(DRY_RUN_DONE)
        return outcome


def resume(folder: Path, console: Console, overrides: list[str] | None = None) -> Outcome:
    """Goes on with a run from its newest checkpoint, in the same folder, as if it had never stopped.

    A run that has finished is only shown, unless something is to be different from now on.

    Args:
        folder: The run folder.
        console: Where the run tells of itself.
        overrides: What is to be different, as `key=value`.

    Raises:
        CheckpointError: If the folder holds no run, another process trains it, or its data is no longer what it was.
        ConfigError: If a change can't be continued with.
    """
    tree = read_tree(folder)
    finished = read_finished(folder)
    if finished is not None and not overrides:
        console.print(end_panel(finished, folder, build_config(tree).task))
        console.print(FINISHED, style="dim", highlight=False)
        return Outcome(folder, finished, None)
    tree = changed(tree, overrides or [])
    config = build_config(tree)

    def claim(stack: ExitStack, settled: RunConfig) -> Path:  # noqa: ARG001  # held since its checkpoint was read
        if overrides or settled.trainer != config.trainer:
            typed = [*read_overrides(folder), *(overrides or [])]
            write_config(folder, settled, with_batch_size(tree, settled), typed)
        return folder

    device = check(config)
    with gathered(device) as team, held(folder) if team.first else nullcontext():
        console = console if team.first else Console(quiet=True)
        state, warnings = team.tell(lambda: checkpoint.load_newest(folder / checkpoint.FOLDER))
        for warning in warnings:
            console.print(Text(f"warning: {warning}; using an earlier checkpoint", style="yellow"))
        return train(config, device, team, claim, console, state)


def train(
    config: RunConfig,
    device: torch.device,
    team: Team,
    claim: Callable[[ExitStack, RunConfig], Path],
    console: Console,
    state: checkpoint.Checkpoint | None,
) -> Outcome:
    """Prepares data and model, claims the folder, trains, and tests the best checkpoint."""
    if config.trainer.devices > team.size:
        raise ConfigError(
            f"trainer.devices={config.trainer.devices}: a call from Python trains in its own process; "
            f"use the command line, or torchrun"
        )
    asked = config.trainer.batch_size
    config, model = prepared(config, device, team, console)
    task = config.task
    with ExitStack() as stack:
        folder = team.tell(lambda: claim(stack, config))
        if team.first:
            keep_assets(folder, task.assets(), resumed=state is not None)
        stop = stack.enter_context(stop_on_signal())
        tolerant = config.trainer.on_save_error == "continue"
        log: RunLog | SilentLog = SilentLog(folder)
        if team.first:
            step = 0 if state is None else state["progress"]["step"]
            log = stack.enter_context(RunLog(folder, console, step, tolerant=tolerant))
        trainer = Trainer(
            one_batch(config.trainer) if config.trainer.dry_run else config.trainer,
            model,
            task,
            config.optimizer,
            config.scheduler,
            device=device,
            seed=config.seed_of("order"),
            log=log,
            stop=stop,
            team=team,
        )
        if state is not None:
            trainer.load_state_dict(state)
            if (before := 1 + len(state.get("rng_of_others", []))) != team.size:
                log.warn(
                    f"{before} processes wrote the checkpoint and {team.size} go on from it: all is as it was, but "
                    f"dropout draws other numbers than it would have"
                )
        baseline = task.baseline()
        log.say(start_panel(config, model, trainer, baseline))
        if asked == "auto":
            log.say(f"trainer.batch_size=auto: {config.trainer.batch_size} sequences fit in memory")
        if isinstance(log, RunLog):
            describe(log, model, [task.metric, *baseline])
        return finish(config, trainer, baseline)


def prepared(config: RunConfig, device: torch.device, team: Team, console: Console) -> tuple[RunConfig, Model]:
    """Reads the data, settles the batch size and builds the model."""
    if config.trainer.tune_allocator:
        tune_allocator()
    if config.deterministic:
        make_deterministic()
    with team.one_before_others():
        config.task.prepare(config.data_dir, config.seed_of("data"))
    config = settle(config, device, console)
    seed_torch(config.seed_of("init"), "init")
    model = build_model(config.model, config.task.spec, config.decoder)
    seed_torch(config.seed_of("dropout"), "dropout" if team.first else f"dropout of process {team.rank}")
    return config, model


def finish(config: RunConfig, trainer: Trainer, baseline: dict[str, float]) -> Outcome:
    """Runs the loop and writes the summary, whatever comes of it."""
    log, stop = trainer.log, trainer.stop
    log.summary(summarize(config, trainer, baseline, "running", None, {}))
    test: dict[str, float] = {}
    try:
        end = trainer.fit()
        if not stop.received:
            test = test_best(trainer)
    except Interrupted:
        pass
    except BaseException as error:
        reason = str(error) or type(error).__name__
        with suppress(TrainingError):  # a full disk may be the reason itself
            log.summary(summarize(config, trainer, baseline, "failed", reason, test))
        if told := explained(error, config):
            raise told from error
        raise
    status, end = ("stopped", stop.received) if stop.received else ("finished", end)
    summary = summarize(config, trainer, baseline, status, end, test)
    log.summary(summary)
    if isinstance(log, RunLog):
        conclude(log, summary)
    if not config.trainer.dry_run:
        log.say(end_panel(summary, log.folder, config.task))
    return Outcome(log.folder, summary, stop.received)


def with_batch_size(tree: Tree, config: RunConfig) -> Tree:
    """The tree with the batch size as it was settled, so that a resumed run has the same."""
    return {**tree, "trainer": {**tree["trainer"], "batch_size": config.trainer.batch_size}}


def test_best(trainer: Trainer) -> dict[str, float]:
    """Scores the best checkpoint on the test split: the one time that it is read.

    Raises:
        Interrupted: If the run is asked to stop meanwhile; a resumed one tests anew.
    """
    trainer.take_best()
    if trainer.config.overfit_batches:  # there is nothing to be seen but what was learned by heart
        return {}
    progress, log = trainer.progress, trainer.log
    with log.doing("testing the best weights"):
        test = trainer.evaluate(Split.TEST)
    log.scalars(progress.best_step, progress.best_step / trainer.feed.steps_per_epoch, progress.seconds, test)
    model, task, device = trainer.model, trainer.task, trainer.device
    drawn = gallery(model, task, trainer.samples(Split.VAL), device, trainer.config.sequences)
    with log.doing("drawing pictures for TensorBoard"):
        log.pictures(progress.best_step, drawn, BEST_PICTURES)
        if isinstance(log, RunLog) and (reason := log.tensorboard.graph(model, graph_batch(task, device))):
            log.note(f"the model's graph isn't drawn: {reason}")
    return test


def explained(error: BaseException, config: RunConfig) -> TrainingError | None:
    """What an error of torch's says of an option that can't be honoured here."""
    reason = " ".join(str(error).split())
    if "does not have a deterministic implementation" in reason:
        return TrainingError(f"deterministic=true: {reason.partition('. ')[0]}; leave it out, or choose another model")
    if config.trainer.compile and type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
        return TrainingError(f"trainer.compile=true: torch.compile fails here ({reason[:200]}); leave it out")
    return None


def one_batch(config: TrainerConfig) -> TrainerConfig:
    """The same loop over one batch of everything, with nothing running in the background."""
    return replace(
        config, max_steps=1, max_epochs=None, accumulate=1, limit_batches=1, overfit_batches=None, log_every=1
    )


# -------------------------------------------------------------------- checks


def check(config: RunConfig) -> torch.device:
    """Finds what can be wrong before data is read; the device of this process.

    Raises:
        ConfigError: For whatever is wrong.
    """
    check_pair(config)
    check_smoothing(config)
    device = pick_device(placed(config.device))
    pick_precision(config.trainer.amp, device)
    check_end(config)
    check_processes(config.trainer)
    return device


def check_processes(config: TrainerConfig) -> None:
    """Raises ConfigError if the processes that are there are not those asked for, or can't share a batch."""
    processes = int(os.environ["WORLD_SIZE"]) if in_team() else config.devices
    if config.devices not in (1, processes):
        raise ConfigError(
            f"trainer.devices={config.devices}: {processes} processes were started; say trainer.devices={processes}, "
            f"or start one process and leave the others to it"
        )
    if config.batch_size == "auto":
        if processes > 1:
            raise ConfigError(
                "trainer.batch_size=auto: what fits is found for one process alone; give a number where several train"
            )
    elif config.batch_size < processes:
        raise ConfigError(
            f"trainer.batch_size={config.batch_size}: {processes} processes share each batch; "
            f"set it to at least {processes}"
        )


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


def check_smoothing(config: RunConfig) -> None:
    """Raises ConfigError if labels are to be smoothed where there are none."""
    if config.trainer.label_smoothing and not config.task.smoothable:
        raise ConfigError(
            f"trainer.label_smoothing={config.trainer.label_smoothing}: task={config.task_name} has no "
            f"cross-entropy over symbols to smooth"
        )


def check_end(config: RunConfig) -> None:
    """Raises ConfigError if the schedule must know the run's last step and nothing tells it."""
    told = config.trainer.max_steps is not None or config.trainer.max_epochs is not None
    config.scheduler.factor(Moment(step=0, steps_per_epoch=1, total_steps=1 if told else None))


def models_that_fit(decoder: DecoderSpec, task: TaskSpec) -> list[str]:
    """The words of the models that take such a task."""
    specs = {word: build_word(ModelSpec, file, "model") for word, file in words("model").items()}
    return [word for word, spec in specs.items() if refusal(spec, decoder, task) is None]
