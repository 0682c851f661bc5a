"""The validation metric that a run is steered by: which value is better, and what follows from it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from seqtrain.errors import ConfigError
from seqtrain.tasks.task import Split, Task
from seqtrain.training.trainer_config import TrainerConfig

if TYPE_CHECKING:
    from seqtrain.training.progress import Progress


@dataclass(frozen=True)
class Monitor:
    """Judges validations by one of their values.

    Attributes:
        name: Of the value, like `val/accuracy`.
        higher_is_better: Whether a larger one is better.
        min_delta: What is better by no more than this is no improvement for the patience.
        keep_best: How many of the best are remembered.
    """

    name: str
    higher_is_better: bool
    min_delta: float
    keep_best: int

    @classmethod
    def of(cls, config: TrainerConfig, task: Task) -> "Monitor":
        """The one that a run asks for.

        Raises:
            ConfigError: If the task has no such metric, or nobody knows which of its values are better.
        """
        name = config.monitor or task.metric
        higher = config.mode == "max" if config.mode != "auto" else known_direction(name, task)
        return cls(f"{Split.VAL}/{name}", higher, config.min_delta, config.keep_best)

    def judge(self, progress: "Progress", values: dict[str, float]) -> bool:
        """Notes a validation in the run's progress; whether it is the best so far."""
        value, step = values[self.name], progress.step
        best = not progress.best or self.better(value, progress.best[self.name])
        if best:
            progress.best, progress.best_step = values, step
        if progress.reference is None or self.better(value, progress.reference, self.min_delta):
            progress.reference, progress.stale = value, 0
        else:
            progress.stale += 1
        progress.val, progress.validated = values, step
        progress.history.append(-value if self.higher_is_better else value)
        ranked = sorted([*progress.top, (value, step)], key=lambda entry: entry[0], reverse=self.higher_is_better)
        progress.top = ranked[: self.keep_best]
        return best

    def better(self, value: float, than: float, by: float = 0.0) -> bool:
        """Whether a value beats another by more than a margin."""
        return value > than + by if self.higher_is_better else value < than - by


def known_direction(name: str, task: Task) -> bool:
    """Whether a larger value of a task's metric is better, where that is known."""
    if name == task.metric:
        return task.higher_is_better
    if name == "loss":
        return False
    metrics = dict(task.metrics().items())
    if name not in metrics:
        raise ConfigError(
            f"trainer.monitor={name}: no such metric; choose from {', '.join(sorted({'loss', *metrics}))}"
        )
    higher = metrics[name].higher_is_better
    if higher is None:
        raise ConfigError(f"trainer.monitor={name}: say by trainer.mode which of its values is best, min or max")
    return bool(higher)
