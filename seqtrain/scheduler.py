"""Learning-rate schedules: what the optimizer's lr is multiplied by at each step.

A schedule is a pure function of the step, so resuming needs no state of it.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

from seqtrain import limits
from seqtrain.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class SchedulerSpec(ABC):
    """A warm-up, then a curve that each schedule defines.

    Attributes:
        warmup_steps: Optimizer steps in which the factor rises linearly from 1 / warmup_steps to 1.
    """

    warmup_steps: int = 0

    def __post_init__(self) -> None:
        limits.at_least("scheduler", 0, warmup_steps=self.warmup_steps)

    def factor(self, step: int, steps_per_epoch: int, total_steps: int | None) -> float:
        """What lr is multiplied by in optimizer step `step`, counted from 0."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        after = step - self.warmup_steps
        left = None if total_steps is None else max(total_steps - self.warmup_steps, 1)
        return self.curve(after, steps_per_epoch, left)

    @abstractmethod
    def curve(self, step: int, steps_per_epoch: int, total_steps: int | None) -> float:
        """The factor after the warm-up, with steps counted from its end."""


@dataclass(frozen=True, kw_only=True)
class Constant(SchedulerSpec):
    """The same learning rate throughout."""

    def curve(self, step: int, steps_per_epoch: int, total_steps: int | None) -> float:
        return 1.0


@dataclass(frozen=True, kw_only=True)
class Cosine(SchedulerSpec):
    """Half a cosine from 1 down to `final`. Loshchilov & Hutter 2017, equation 5, without restarts.

    Attributes:
        final: The factor at the last step.
    """

    final: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        limits.chance("scheduler", final=self.final)

    def curve(self, step: int, steps_per_epoch: int, total_steps: int | None) -> float:
        if total_steps is None:
            raise ConfigError(
                "scheduler=cosine needs to know its end: set trainer.max_steps or trainer.max_epochs, "
                "or take scheduler=constant"
            )
        progress = min(step / total_steps, 1.0)
        return self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * progress))


@dataclass(frozen=True, kw_only=True)
class InverseTime(SchedulerSpec):
    """1 / (1 + decay * epoch), the epoch counted in whole epochs after the warm-up.

    Attributes:
        decay: How fast; 1.0 halves the learning rate after the first epoch.
    """

    decay: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        limits.at_least("scheduler", 0, decay=self.decay)

    def curve(self, step: int, steps_per_epoch: int, total_steps: int | None) -> float:
        return 1 / (1 + self.decay * (step // steps_per_epoch))
