"""Learning-rate schedules: what the optimizer's lr is multiplied by at each step.

A schedule is a pure function of the moment, so resuming needs no state of it.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

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
class Fall(SchedulerSpec, ABC):
    """A way down from 1 to a fraction at the run's last step.

    Attributes:
        final: The factor at the last step.
    """

    final: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        limits.chance("scheduler", final=self.final)


@dataclass(frozen=True, kw_only=True)
class Cosine(Fall):
    """Half a cosine from 1 down to `final`. Loshchilov & Hutter 2017, equation 5, without restarts."""

    def curve(self, moment: Moment) -> float:
        progress = min(moment.step / known_end("cosine", moment), 1.0)
        return self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * progress))


@dataclass(frozen=True, kw_only=True)
class Linear(Fall):
    """A straight line from 1 down to `final`."""

    def curve(self, moment: Moment) -> float:
        progress = min(moment.step / known_end("linear", moment), 1.0)
        return 1 + (self.final - 1) * progress


@dataclass(frozen=True, kw_only=True)
class OneCycle(SchedulerSpec):
    """Up from `initial` to 1, then down to `final`. Smith & Topin 2019, section 3, with one fall instead of two.

    The rise is a warm-up already: warmup_steps lead to `initial`. Momentum stays as it is.

    Attributes:
        rise: The part of the steps in which the factor rises.
        initial: The factor at the first step.
        final: The factor at the last step.
        shape: Whether rise and fall are half cosines or straight lines.
    """

    rise: float = 0.3
    initial: float = 0.04
    final: float = 4e-6
    shape: Literal["cosine", "linear"] = "cosine"

    def __post_init__(self) -> None:
        super().__post_init__()
        limits.fraction("scheduler", rise=self.rise)
        limits.chance("scheduler", initial=self.initial, final=self.final)

    def curve(self, moment: Moment) -> float:
        last = known_end("onecycle", moment) - 1
        top = max(self.rise * (last + 1) - 1, 0.0)
        if moment.step < top:
            return self.between(self.initial, 1.0, moment.step / top)
        return self.between(1.0, self.final, min((moment.step - top) / max(last - top, 1.0), 1.0))

    def between(self, start: float, end: float, progress: float) -> float:
        """The factor on the way from start to end."""
        way = progress if self.shape == "linear" else (1 - math.cos(math.pi * progress)) / 2
        return start + (end - start) * way


@dataclass(frozen=True, kw_only=True)
class Plateau(SchedulerSpec):
    """Lower, each time that validation has stopped improving; as torch's ReduceLROnPlateau.

    Validations during the warm-up count as well.

    Attributes:
        gamma: What the factor is multiplied by each time.
        patience: Validations without improvement that are let pass; the next one lowers.
        threshold: What is better by no more than this part of the best value is no improvement.
        cooldown: Validations after a lowering that don't count.
        min_factor: It is never lowered below this.
    """

    gamma: float = 0.5
    patience: int = 2
    threshold: float = 1e-4
    cooldown: int = 0
    min_factor: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        limits.fraction("scheduler", gamma=self.gamma)
        limits.at_least("scheduler", 0, patience=self.patience, cooldown=self.cooldown)
        limits.decay("scheduler", threshold=self.threshold)
        limits.chance("scheduler", min_factor=self.min_factor)

    def curve(self, moment: Moment) -> float:
        return max(self.gamma ** self.lowerings(moment.history), self.min_factor)

    def lowerings(self, history: Sequence[float]) -> int:
        """How often the factor has been lowered after these validations; lower values are better."""
        best, stale, rest, count = math.inf, 0, 0, 0
        for value in history:
            margin = 1 - self.threshold if best > 0 else 1 + self.threshold
            if value < best * margin:
                best, stale = value, 0
            else:
                stale += 1
            if rest > 0:
                rest, stale = rest - 1, 0
            if stale > self.patience:
                count, rest, stale = count + 1, self.cooldown, 0
        return count


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
