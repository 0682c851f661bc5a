"""`seqtrain -m key=a,b ...`: many runs from one command, each in a process of its own, and a leaderboard at the end."""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import hydra
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep, Transformer
from hydra.types import RunMode
from omegaconf import OmegaConf, open_dict, read_write

from seqtrain.cli.train import Flags, composing, errors_of_hydra, plain
from seqtrain.config import build_config, construct, pin_paths
from seqtrain.errors import ConfigError, UserError
from seqtrain.sweeps import (
    Axis,
    Choice,
    Crew,
    Grid,
    Job,
    Launcher,
    Listed,
    Manifest,
    Optuna,
    Searched,
    Source,
    key_of,
    locked,
    run_jobs,
)

if TYPE_CHECKING:
    from rich.console import Console

    from seqtrain.config import RunConfig, Tree

OURS = ("sweep", "launcher")
"""The groups of a command line that are of the whole sweep, not of a run."""


@dataclass
class Planned:
    """A job as it was composed; nothing of it is written yet.

    Attributes:
        key: The hash of its resolved configuration.
        sweep: The sweep's folder.
        folder: Its own, below that.
        given: All overrides that it was composed from.
        overrides: Those that are of the run.
        tree: Its resolved configuration.
        config: What that builds.
    """

    key: str
    sweep: Path
    folder: str
    given: list[str]
    overrides: list[str]
    tree: "Tree"
    config: "RunConfig"


def sweep(flags: Flags) -> int:
    """Starts a sweep, or goes on with the one in its folder; everything that can be wrong is found before that."""
    check_arguments(flags)
    with errors_of_hydra(flags), composing(flags):
        parsed = parse(flags.overrides)
        choice, launcher = chosen(flags.overrides)
        planned = [plan(overrides, number) for number, overrides in enumerate(jobs_told(parsed, choice))]
        folder = planned[0].sweep
    folders = {each.key: each.folder for each in planned}
    for each in planned:
        if list(folders.values()).count(each.folder) > 1:
            raise shared(each.folder)
    if any(override.startswith("hydra.sweep.dir=") for override in flags.overrides):
        folder.mkdir(parents=True, exist_ok=True)
    else:
        from seqtrain.runs.run_folder import reserve

        folder = reserve(folder)
    with locked(folder) as lock:
        manifest = taken_up(folder, flags, choice)
        if isinstance(choice, Grid):
            for each in planned:
                add(manifest, each, flags)
        return launch(manifest, flags, choice, launcher, lock)


def resume_sweep(folder: Path, overrides: Sequence[str]) -> int:
    """Goes on with a sweep: skips what finished, resumes what was cut off, runs again what failed.

    Args:
        folder: The sweep's.
        overrides: What is different from now on, of how it is chosen and launched.
    """
    for override in overrides:
        if override.partition("=")[0].partition(".")[0] not in OURS:
            raise ConfigError(
                f"{override}: a sweep goes on with the runs that it has; only launcher and sweep may change"
            )
    with locked(folder) as lock:
        manifest = Manifest.load(folder)
        manifest.settle()
        manifest.overrides += [each for each in overrides if each not in manifest.overrides]
        config_dir = None if manifest.config_dir is None else Path(manifest.config_dir)
        flags = Flags(manifest.overrides, True, config_dir)
        with errors_of_hydra(flags), composing(flags):
            choice, launcher = chosen(flags.overrides)
        return launch(manifest, flags, choice, launcher, lock)


def launch(manifest: Manifest, flags: Flags, choice: Choice, launcher: Launcher, lock: int) -> int:
    """Runs what is left of a sweep, and shows what came of all of it; its exit code."""
    from rich.console import Console

    console = Console()
    manifest.save()
    crew = launcher.open(manifest.folder, lock)
    try:
        source = source_of(manifest, flags, choice, parallel=crew.places > 1)
        signal = run_crew(manifest, source, crew, console)
    finally:
        crew.close()
    return finish(manifest, signal, console)


def run_crew(manifest: Manifest, source: Source, crew: Crew, console: "Console") -> str | None:
    """Says what is about to run, and runs it; the signal that stopped it, or None."""
    from seqtrain.runs.report import shown

    done = sum(job.status in ("finished", "pruned") for job in manifest.jobs)
    told = f"{source.total} job{'s' * (source.total != 1)}" + (f", {done} of them done" if done else "")
    line = f"{told}, {crew.describe()}; sweep {shown(manifest.folder)}"
    console.print(line, highlight=False, soft_wrap=not console.is_terminal)
    return run_jobs(manifest, source, crew, console)


def source_of(manifest: Manifest, flags: Flags, choice: Choice, *, parallel: bool) -> Source:
    """What hands out the jobs."""
    if not isinstance(choice, Optuna):
        return Listed(manifest)
    with errors_of_hydra(flags), composing(flags):
        parsed = parse(flags.overrides)
        axes = {each.get_key_element(): axis(each) for each in parsed if each.is_sweep_override()}
        first = plan(jobs_told(parsed, choice)[0], 0)
    fixed = [each.input_line or "" for each in parsed if not each.is_sweep_override()]

    def make_job(overrides: Sequence[str], trial: int) -> Job:
        number = len(manifest.jobs)
        try:
            with errors_of_hydra(flags), composing(flags):
                planned = plan([*fixed, *overrides], number)
            return add(manifest, planned, flags)
        except UserError as error:  # this combination makes no run; others may
            job = Job(f"refused-{trial}", f"{number}-refused", [*fixed, *overrides], "failed", str(error), trial)
            manifest.jobs.append(job)
            sys.stderr.write(f"seqtrain: {' '.join(overrides)}: {error}\n")
            return job

    study = choice.open(manifest.folder, higher_is_better=direction(first.config), parallel=parallel)
    return Searched(choice, study, axes, manifest, make_job)


def direction(config: "RunConfig") -> bool:
    """Whether more of what picks the best checkpoint is better, as far as the options tell it."""
    if config.trainer.mode != "auto":
        return config.trainer.mode == "max"
    if config.trainer.monitor not in (None, config.task.metric):
        raise ConfigError(
            f"trainer.monitor={config.trainer.monitor}: a search needs to know; say trainer.mode=min or max"
        )
    return config.task.higher_is_better


def finish(manifest: Manifest, signal: str | None, console: "Console") -> int:
    """Prints and writes the leaderboard, and says what failed; the sweep's exit code."""
    import signal as signals

    from seqtrain.runs.report import shown
    from seqtrain.sweeps.results import write_leaderboards

    write_leaderboards(manifest.folder, console)
    folder = shown(manifest.folder)
    left = [job for job in manifest.jobs if job.status not in ("finished", "pruned")]
    if signal is not None:
        console.print(f"go on  [cyan]seqtrain resume {folder}[/]", highlight=False, soft_wrap=True)
        return 128 + signals.Signals[signal]
    console.print(f"look   [cyan]tensorboard --logdir {folder}[/]", highlight=False, soft_wrap=True)
    if not left:
        return 0
    told = ", ".join(job.folder for job in left)
    what = "failed" if all(job.status == "failed" for job in left) else "didn't finish"
    sys.stderr.write(
        f"seqtrain: {len(left)} of {len(manifest.jobs)} jobs {what}: {told}; "
        f"seqtrain resume {folder} starts them again\n"
    )
    return 1


# -------------------------------------------------------------------- what a command line asks for


def check_arguments(flags: Flags) -> None:
    """Raises ConfigError for what a sweep would silently ignore."""
    for argument in flags.rest:
        raise ConfigError(f"{argument}: a sweep doesn't take this; write key=value")
    for override in flags.overrides:
        key, _, value = override.partition("=")
        if (key, value) == ("trainer.dry_run", "true"):
            raise ConfigError(f"{override}: keeps nothing, and a sweep keeps all; try a single run")
        if key == "run_dir":
            raise ConfigError(f"{override}: a sweep has a folder of its own; say hydra.sweep.dir={value}")
        if key.startswith(("hydra/launcher", "hydra.launcher", "hydra/sweeper", "hydra.sweeper")):
            ours = "launcher" if "launcher" in key else "sweep"
            raise ConfigError(f"{override}: seqtrain runs its own sweeps; say {ours}=WORD (seqtrain list {ours}s)")


def parse(overrides: Sequence[str]) -> list[Override]:
    """The overrides in Hydra's grammar.

    Raises:
        ConfigError: For several values of what is one of the whole sweep, or for none of an option.
    """
    parsed = OverridesParser.create(GlobalHydra.instance().config_loader()).parse_overrides(list(overrides))
    for each in parsed:
        group = each.key_or_group.partition(".")[0]
        if each.is_sweep_override() and group in (*OURS, "hydra"):
            raise ConfigError(f"{each.input_line}: is of the whole sweep, and has one value")
        if each.is_sweep_override() and each.is_discrete_sweep() and not list(each.sweep_string_iterator()):
            raise ConfigError(f"{each.input_line}: gives no value, so the sweep is empty")
    return parsed


def chosen(overrides: Sequence[str]) -> tuple[Choice, Launcher]:
    """What chooses the jobs, and where they run."""
    ours = [each for each in overrides if each.lstrip("+~").partition("=")[0].partition(".")[0] in OURS]
    cfg = hydra.compose("config", overrides=ours)
    trees = OmegaConf.to_container(cfg, resolve=False)
    assert isinstance(trees, dict)
    choice = construct(Choice, trees["sweep"], "sweep")
    launcher = construct(Launcher, trees["launcher"], "launcher")
    return choice, launcher


def jobs_told(parsed: Sequence[Override], choice: Choice) -> list[list[str]]:
    """The overrides of each job of a grid; of a search, jobs that together show every value once.

    Raises:
        ConfigError: For a range without steps where all values must be told, or for seeds that would be searched.
    """
    swept = [each for each in parsed if each.is_sweep_override()]
    if isinstance(choice, Grid):
        for each in swept:
            if not each.is_discrete_sweep():
                raise ConfigError(f"{each.input_line}: has no end of values; list some, or search with sweep=optuna")
        (jobs,) = BasicSweeper.split_arguments(list(parsed), None)
        return [list(job) for job in jobs]
    if not swept:
        raise ConfigError(
            "sweep=optuna: nothing to search; give values, as 'optimizer.lr=tag(log,interval(1e-4,1e-1))'"
        )
    if any(each.get_key_element() == "seed" for each in swept):
        raise ConfigError("seed: is no option to search; find the best with one seed, then run that with seed=1,2,3")
    fixed = [each.input_line or "" for each in parsed if not each.is_sweep_override()]
    shown = {each.get_key_element(): examples(axis(each)) for each in swept}
    return [
        [*fixed, *(f"{key}={values[min(place, len(values) - 1)]}" for key, values in shown.items())]
        for place in range(max(map(len, shown.values())))
    ]


def axis(override: Override) -> Axis:
    """An override's values as an option of a search."""
    value = override.value()
    if isinstance(value, IntervalSweep):
        assert value.start is not None
        assert value.end is not None
        whole = isinstance(value.start, int)
        if value.start > value.end or ("log" in value.tags and value.start <= 0):
            raise ConfigError(f"{override.input_line}: the interval begins at {value.start} and ends at {value.end}")
        return Axis((), value.start, value.end, None, "log" in value.tags, whole)
    if isinstance(value, RangeSweep) and not value.shuffle:
        numbers = [float(each) for each in override.sweep_string_iterator()]
        whole = all(number.is_integer() for number in numbers)
        if len(numbers) > 1 and numbers[1] > numbers[0] and math.isfinite(numbers[-1]):
            return Axis((), numbers[0], numbers[-1], float(value.step), False, whole)
    return Axis(tuple(str(each) for each in override.sweep_iterator(transformer=Transformer.encode)))


def examples(axis: Axis) -> list[str]:
    """Values of an axis that are tried before the search begins: all, or the ends."""
    if axis.values:
        return list(axis.values)
    return [repr(int(end) if axis.whole else end) for end in (axis.low, axis.high)]


def plan(overrides: Sequence[str], number: int) -> Planned:
    """Composes and checks one job."""
    cfg = hydra.compose("config", overrides=list(overrides), return_hydra_config=True)
    with open_dict(cfg):
        cfg.hydra.mode = RunMode.MULTIRUN
        cfg.hydra.job.num = number
        cfg.hydra.job.id = str(number)
    HydraConfig.instance().set_config(cfg)
    sweep, folder = Path(cfg.hydra.sweep.dir).absolute(), str(cfg.hydra.sweep.subdir)
    with read_write(cfg.hydra), open_dict(cfg):
        cfg.hydra.runtime.output_dir = str(sweep / folder)
    HydraConfig.instance().set_config(cfg)
    composed = plain(cfg)
    config = build_config(composed.tree)
    tree = pin_paths(composed.tree, config)
    typed = [each for each in composed.overrides if each.partition("=")[0].partition(".")[0] not in OURS]
    return Planned(key_of(tree), sweep, folder, list(overrides), typed, tree, config)


# -------------------------------------------------------------------- its folder


def taken_up(folder: Path, flags: Flags, choice: Choice) -> Manifest:
    """The manifest of a folder: the one that it has, brought up to date, or a new one."""
    kind = type(choice).__name__.lower()
    config_dir = None if flags.config_dir is None else str(flags.config_dir.absolute())
    from seqtrain.runs.compare import SWEEP

    if not (folder / SWEEP).exists():
        return Manifest(folder, flags.overrides, config_dir, kind)
    manifest = Manifest.load(folder)
    if manifest.kind != kind:
        raise ConfigError(f"{folder}: holds a sweep of another kind ({manifest.kind}); name another hydra.sweep.dir")
    manifest.settle()
    manifest.overrides, manifest.config_dir = flags.overrides, config_dir
    return manifest


def shared(folder: str) -> ConfigError:
    """Says that a sub-folder's name doesn't tell jobs apart."""
    return ConfigError(f"hydra.sweep.subdir={folder}: two jobs would share it; let it hold ${{hydra:job.num}}")


def add(manifest: Manifest, planned: Planned, flags: Flags) -> Job:
    """The job of this configuration: the manifest's, or a new one with a folder of its own."""
    known = manifest.find(planned.key)
    if known is not None:
        return known
    taken = {job.folder for job in manifest.jobs}
    if planned.folder in taken:  # the numbers of an earlier command
        with errors_of_hydra(flags), composing(flags):
            planned = plan(planned.given, len(manifest.jobs))
    if planned.folder in taken:
        raise shared(planned.folder)
    from seqtrain.runs.run_folder import write_config

    job = Job(planned.key, planned.folder, planned.overrides)
    manifest.path(job).mkdir(parents=True, exist_ok=True)
    write_config(manifest.path(job), planned.config, planned.tree, planned.overrides)
    manifest.jobs.append(job)
    return job
