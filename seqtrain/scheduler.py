"""Learning-rate schedules: what the optimizer's lr is multiplied by at each step.

A schedule is a pure function of the moment, so resuming needs no state of it.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

from seqtrain import limits
from seqtrain.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Moment:
    """Where in its run an optimizer step stands: all that a schedule may know.

    Attributes:
        step: Optimizer steps taken before this one.
        steps_per_epoch: Optimizer steps in a whole pass over the training data.
        total_steps: Optimizer steps of the whole run; None if nothing tells them.
        history: The monitored validation values so far, oldest first, each turned so that lower is better.
    """

    step: int
    steps_per_epoch: int
    total_steps: int | None = None
    history: Sequence[float] = ()


@dataclass(frozen=True, kw_only=True)
class SchedulerSpec(ABC):
    """A warm-up, then a curve that each schedule defines.

    Attributes:
        warmup_steps: Optimizer steps in which the factor rises linearly to where the curve begins.
    """

    warmup_steps: int = 0

    def __post_init__(self) -> None:
        limits.at_least("scheduler", 0, warmup_steps=self.warmup_steps)

    def factor(self, moment: Moment) -> float:
        """What lr is multiplied by in the optimizer step of this moment."""
        warmup, step, total = self.warmup_steps, moment.step, moment.total_steps
        rise = min((step + 1) / warmup, 1.0) if warmup else 1.0
        left = None if total is None else max(total - warmup, 1)
        return rise * self.curve(replace(moment, step=max(step - warmup, 0), total_steps=left))

    @abstractmethod
    def curve(self, moment: Moment) -> float:
        """The factor after the warm-up, in a moment whose steps are counted from its end."""


@dataclass(frozen=True, kw_only=True)
class Constant(SchedulerSpec):
    """The same learning rate throughout."""

    def curve(self, moment: Moment) -> float:
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

    def curve(self, moment: Moment) -> float:
        progress = min(moment.step / known_end("cosine", moment), 1.0)
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

    def curve(self, moment: Moment) -> float:
        return 1 / (1 + self.decay * (moment.step // moment.steps_per_epoch))


def known_end(word: str, moment: Moment) -> int:
    """The run's total steps.

    Raises:
        ConfigError: If nothing tells them; `word` names the schedule that needs them.
    """
    if moment.total_steps is None:
        raise ConfigError(
            f"scheduler={word} needs to know its end: set trainer.max_steps or trainer.max_epochs, "
            f"or take scheduler=constant"
        )
    return moment.total_steps
