"""What chooses the jobs of a sweep: all combinations, or a search that learns from what it tried."""

import math
from abc import ABC
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, final

from seqtrain import limits
from seqtrain.errors import ConfigError
from seqtrain.sweeps.manifest import Job, Manifest
from seqtrain.sweeps.sweep import Source

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import Trial


class Choice(ABC):  # noqa: B024  # what the kinds have in common is that a YAML file of conf/sweep names them
    """How the jobs of a sweep are chosen, as a user configures it."""


@final
@dataclass(frozen=True, kw_only=True)
class Grid(Choice):
    """Every combination of the values given."""


@dataclass(frozen=True)
class Axis:
    """One option of a search.

    Attributes:
        values: What it may be, as typed; empty if it is any number of a range.
        low: The range's ends, both included.
        high: As above.
        step: Between the numbers of the range; None: any.
        log: Whether numbers are drawn by their logarithm.
        whole: Whether they are whole.
    """

    values: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    step: float | None = None
    log: bool = False
    whole: bool = False


@final
@dataclass(frozen=True, kw_only=True)
class Optuna(Choice):
    """A search by Optuna; each trial is one run.

    Attributes:
        trials: How many there will be in all, those that failed left out.
        sampler: tpe (Bergstra et al. 2011) or random.
        pruner: median: end a run whose best validation is worse than the median of the others' at the same
            validation; none.
        startup_trials: Drawn at random, and never ended early.
        warmup: Validations that a run has at least.
        seed: Of what is drawn; null: another every time.
        storage: A file or a database's URL that several workers share; null: `study.log` in the sweep's folder.
        study: The study's name there.
    """

    trials: int = 20
    sampler: Literal["tpe", "random"] = "tpe"
    pruner: Literal["median", "none"] = "median"
    startup_trials: int = 5
    warmup: int = 1
    seed: int | None = 0
    storage: str | None = None
    study: str = "sweep"

    def __post_init__(self) -> None:
        limits.at_least("sweep", 1, trials=self.trials)
        limits.at_least("sweep", 0, startup_trials=self.startup_trials, warmup=self.warmup, seed=self.seed)
        if find_spec("optuna") is None:
            raise ConfigError("sweep=optuna: needs Optuna; pip install 'seqtrain[optuna]' brings it")

    def open(self, folder: Path, *, higher_is_better: bool, parallel: bool) -> "Study":
        """The study, with all that was tried before.

        Raises:
            ConfigError: If the storage can't be used.
        """
        import optuna
        from optuna.storages import JournalStorage, RDBStorage
        from optuna.storages.journal import JournalFileBackend

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        pruner: optuna.pruners.BasePruner = optuna.pruners.NopPruner()
        if self.pruner == "median":
            pruner = optuna.pruners.MedianPruner(self.startup_trials, self.warmup)
        try:
            if self.storage is not None and "://" in self.storage:
                storage: optuna.storages.BaseStorage = RDBStorage(self.storage)
            else:
                storage = JournalStorage(JournalFileBackend(str(self.storage or folder / "study.log")))
            study = optuna.create_study(
                study_name=self.study,
                storage=storage,
                pruner=pruner,
                direction="maximize" if higher_is_better else "minimize",
                load_if_exists=True,
            )
        except Exception as error:  # of the many databases behind a URL
            raise ConfigError(f"sweep.storage={self.storage}: {' '.join(str(error).split())}") from error
        study.sampler = self.new_sampler(len(study.get_trials(deepcopy=False)), parallel=parallel)
        return study

    def new_sampler(self, trials: int, *, parallel: bool) -> "BaseSampler":
        """A sampler that draws anew: one that began with the same seed again would repeat its first draws."""
        from optuna.samplers import RandomSampler, TPESampler

        seed = None if self.seed is None else (self.seed * 100_003 + trials) % 2**32
        if self.sampler == "random":
            return RandomSampler(seed=seed)
        # The liar keeps jobs that run side by side from being drawn at the same spot.
        return TPESampler(seed=seed, n_startup_trials=self.startup_trials, constant_liar=parallel)


class Searched(Source):
    """Jobs that a study asks for, one at a time, knowing what became of those before."""

    def __init__(
        self,
        options: Optuna,
        study: "Study",
        axes: Mapping[str, Axis],
        manifest: Manifest,
        make_job: Callable[[Sequence[str], int], Job],
    ) -> None:
        """Takes up a study where it stands.

        Args:
            options: How many trials there may be.
            study: What the options opened.
            axes: The options searched, by key.
            manifest: The sweep's; jobs of it that were cut off come first, those that failed are asked for anew.
            make_job: Adds a job of these overrides and trial to the manifest, or finds it there.
        """
        from optuna.trial import TrialState

        self.study = study
        self.distributions = {key: distribution(axis) for key, axis in axes.items()}
        self.axes = axes
        self.manifest = manifest
        self.make_job = make_job
        self.trials: dict[str, Trial] = {}
        self.waiting: list[Job] = []
        states = {trial.number: trial for trial in study.get_trials(deepcopy=False)}
        for job in manifest.jobs:
            trial = None if job.trial is None else states.get(job.trial)
            if job.status != "waiting" or trial is None:
                continue
            if trial.state == TrialState.RUNNING:
                self.trials[job.folder] = self.again(trial)
                self.waiting.append(job)
            elif trial.state == TrialState.FAIL:
                study.enqueue_trial(trial.params)
        failed = sum(trial.state == TrialState.FAIL for trial in states.values())
        self.total = options.trials
        self.limit = options.trials + failed

    def again(self, trial: Any) -> "Trial":
        """A trial that another process began."""
        from optuna.trial import Trial

        return Trial(self.study, trial._trial_id)

    def next(self) -> Job | None:
        """A job of the next trial; what was tried already is told at once instead of being run again."""
        if self.waiting:
            return self.waiting.pop(0)
        while self.asked() < self.limit:
            trial = self.study.ask(self.distributions)
            overrides = [f"{key}={self.typed(key, value)}" for key, value in trial.params.items()]
            job = self.make_job(overrides, trial.number)
            self.trials[job.folder] = trial
            if job.status == "waiting":
                job.trial = trial.number
                return job
            self.ended(job, value_of(self.study, job))
        return None

    def asked(self) -> int:
        """Trials that there are, of all workers; those put in line but not begun don't count yet."""
        from optuna.trial import TrialState

        return sum(trial.state != TrialState.WAITING for trial in self.study.get_trials(deepcopy=False))

    def typed(self, key: str, value: Any) -> str:
        """A drawn value as the command line has it."""
        return str(value) if self.axes[key].values else repr(value)

    def watch(self, job: Job, values: list[float]) -> bool:
        trial = self.trials.get(job.folder)
        if trial is None or not values:
            return False
        known = self.study.get_trials(deepcopy=False)[trial.number].intermediate_values
        new = [number for number in range(len(values)) if number not in known]
        for number in new:
            trial.report(values[number], number)
        return bool(new) and bool(trial.should_prune())

    def ended(self, job: Job, value: float | None) -> None:
        from optuna.trial import TrialState

        trial = self.trials.get(job.folder)
        if trial is None or job.status == "stopped":  # goes on another time
            return
        del self.trials[job.folder]
        if job.status == "pruned":
            self.study.tell(trial, state=TrialState.PRUNED)
        elif value is None or math.isnan(value):
            self.study.tell(trial, state=TrialState.FAIL)
        else:
            self.study.tell(trial, value)


def value_of(study: "Study", job: Job) -> float | None:
    """What the study knows of a job that was tried before."""
    trials = study.get_trials(deepcopy=False)
    return trials[job.trial].value if job.trial is not None and job.trial < len(trials) else None


def distribution(axis: Axis) -> "BaseDistribution":
    """An axis in Optuna's words."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if axis.values:
        return CategoricalDistribution(axis.values)
    if axis.whole:
        return IntDistribution(int(axis.low), int(axis.high), log=axis.log, step=int(axis.step or 1))
    return FloatDistribution(axis.low, axis.high, log=axis.log, step=axis.step)
