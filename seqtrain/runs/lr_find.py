"""The learning-rate range test: what rate the optimizer should have, told by a short training in which it rises.

Smith 2017, section 3.3: the rate rises from far too low to far too high, and the loss tells where between the two a
training would learn. Everything else is as the training will have it: model, data, precision, clipping, optimizer.
"""

import csv
import io
import math
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from jaxtyping import Float
from rich.console import Console

from seqtrain.batch import Batch
from seqtrain.config import RunConfig
from seqtrain.distributed.team import Team
from seqtrain.errors import ConfigError, TrainingError
from seqtrain.files import write_atomically
from seqtrain.logs.runlog import RunLog
from seqtrain.model import State
from seqtrain.picture import Picture
from seqtrain.runs.run import check, prepared
from seqtrain.runs.run_folder import reserve
from seqtrain.scheduler import Moment, SchedulerSpec
from seqtrain.tasks.drawing import ACCENT, FAINT, INK, figure
from seqtrain.training.progress import Window
from seqtrain.training.trainer import Trainer

DIVERGED = 4.0
"""How many times its least the running mean of the loss may be before it is given up, if it is above its start too."""

RECENT = 0.9
"""The decay of that running mean."""

BANDWIDTH = 1 / 40
"""The part of all steps over which the loss is smoothed for the suggestion: the deviation of a Gaussian."""

FALLEN = 0.9
"""The part of its fall that the smoothed loss has behind it at the suggested rate."""

CERTAIN = 4.0
"""How many standard errors a fall must be, to be told from noise: it is the largest among many."""

LEAST_FALL = 0.01
"""The part of the loss that a fall must be, to be worth following."""

LEAST_STEPS = 20
"""Steps without which there is no curve to speak of."""

CURVE, PLOT = "lr_find.csv", "lr_find.png"


@dataclass(frozen=True, kw_only=True)
class Range:
    """The rates to try: from `minimum` to `maximum`, in so many steps."""

    minimum: float = 1e-6
    maximum: float = 1.0
    steps: int = 200

    def __post_init__(self) -> None:
        if not 0 < self.minimum < self.maximum < math.inf:
            raise ConfigError(f"--min={self.minimum:g} --max={self.maximum:g}: must be above 0, and max above min")
        if self.steps < LEAST_STEPS:
            raise ConfigError(f"--steps={self.steps}: must be at least {LEAST_STEPS}")


@dataclass(frozen=True)
class Found:
    """What a range test came to.

    Attributes:
        folder: Holds the curve and its picture.
        curve: The loss at each rate.
        rate: The suggestion, in two digits.
        rates: The options that hold the optimizer's rates, with values that make the first of them the suggestion.
    """

    folder: Path
    curve: "Curve"
    rate: float
    rates: dict[str, float]


def find_lr(config: RunConfig, rates: Range, folder: Path, console: Console) -> Found:
    """Runs the test on a configuration, and leaves its curve in a folder of its own.

    Args:
        config: What is to be trained.
        rates: What to try.
        folder: Where to leave the curve; a number is appended if that is taken.
        console: Where progress is shown.

    Raises:
        ConfigError: If the configuration is senseless.
        TrainingError: If no rate can be suggested; says what to try instead.
    """
    lr = config.optimizer.lr
    if not lr:
        raise ConfigError("optimizer.lr=0.0: rates are told by their ratio to it; give any rate above 0")
    device = check(config)
    config, model = prepared(config, device, Team(), console)
    folder = reserve(folder)
    schedule = Rise(start=rates.minimum / lr, end=rates.maximum / lr, steps=rates.steps)
    with TemporaryDirectory(prefix="seqtrain-") as scratch, RunLog(Path(scratch), console) as log:
        trainer = Trainer(
            config.trainer,
            model,
            config.task,
            config.optimizer,
            schedule,
            device=device,
            seed=config.seed_of("order"),
            log=log,
        )
        curve = range_test(trainer, rates.steps)
    rate = suggested(curve)
    write_atomically(folder / CURVE, curve.table().encode())
    write_atomically(folder / PLOT, picture(curve, rate).file()[1])
    if rate is None:
        raise TrainingError(f"{folder / PLOT}: {refusal(curve, rates)}")
    scaled = {f"optimizer.{name}": two_digits(value * rate / lr) for name, value in config.optimizer.rates().items()}
    return Found(folder, curve, rate, scaled)


@dataclass(frozen=True, kw_only=True)
class Rise(SchedulerSpec):
    """From one factor to a larger one, by the same ratio at each of so many steps; at least two."""

    start: float
    end: float
    steps: int

    def curve(self, moment: Moment) -> float:
        return self.start * math.pow(self.end / self.start, moment.step / (self.steps - 1))


@dataclass(frozen=True)
class Curve:
    """The loss at each rate of a rise, and what the same batches would have cost an untrained model.

    Batches differ by more than a few steps can teach. To compare each with itself takes most of that away.

    Attributes:
        rates: In steps of one ratio, ascending.
        losses: The mean loss of the training step at each, before its update.
        untrained: That of the model as it was before the first step, over the same batches.
    """

    rates: list[float]
    losses: list[float]
    untrained: list[float]

    @cached_property
    def compared(self) -> Float[np.ndarray, " N"]:
        """The losses, as if all batches were equally hard."""
        hardness = np.array(self.untrained)
        compared: Float[np.ndarray, " N"] = np.array(self.losses) - hardness + hardness.mean()
        return compared

    @cached_property
    def smoothed(self) -> Float[np.ndarray, " N"]:
        """The same, each a mean over its neighbours on both sides, so that no dip moves to a higher rate."""
        places = np.arange(len(self.losses))
        weights = np.exp(-0.5 * ((places[:, None] - places) / self.width) ** 2)
        smoothed: Float[np.ndarray, " N"] = weights @ self.compared / weights.sum(1)
        return smoothed

    @property
    def width(self) -> float:
        """How many steps the deviation of the smoothing Gaussian is."""
        return max(BANDWIDTH * len(self.losses), 0.5)

    @property
    def noise(self) -> float:
        """The standard error of the smoothed loss, from what it leaves of the loss up to its minimum."""
        until = max(int(self.smoothed.argmin()) + 1, LEAST_STEPS)
        rest = (self.compared - self.smoothed)[:until]
        return float(rest.std() / math.sqrt(2 * math.sqrt(math.pi) * self.width))

    def table(self) -> str:
        """All of it as CSV."""
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("lr", "loss", "untrained", "smoothed"))
        writer.writerows(zip(self.rates, self.losses, self.untrained, self.smoothed.tolist(), strict=True))
        return file.getvalue()


def range_test(trainer: Trainer, steps: int) -> Curve:
    """Trains for so many steps, or until the loss is lost, with whatever schedule the trainer has.

    The model is not worth keeping afterwards.
    """
    curve = Curve([], [], [])
    untrained = Untrained(trainer)
    running, least = 0.0, math.inf
    trainer.model.train()
    trainer.log.start_progress(0, steps, ("train/loss",))
    for batches, step in zip(endless(trainer), range(1, steps + 1), strict=False):
        hardness = untrained.loss(batches)
        fault = trainer.train_step(batches)
        window, trainer.window = trainer.window, Window()
        loss = float(window.loss) / max(window.count, 1)
        if fault is not None or not math.isfinite(loss):
            break
        curve.rates.append(trainer.stepper.rate)
        curve.losses.append(loss)
        curve.untrained.append(hardness)
        running = RECENT * running + (1 - RECENT) * loss
        mean = running / (1 - RECENT**step)
        least = min(least, mean)
        if mean > DIVERGED * least and mean > np.mean(curve.untrained):
            break
        trainer.log.latest |= {"train/loss": mean}
        trainer.log.advance(step)
    trainer.log.stop_progress()
    return curve


class Untrained:
    """The model as it is now, kept to be asked what each batch would cost it."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.evaluator = replace(trainer.evaluator, model=deepcopy(trainer.model))
        self.memory: State | None = None

    @torch.no_grad()
    def loss(self, batches: list[Batch]) -> float:
        """The mean loss over batches that are to be trained on next."""
        trainer = self.trainer
        if not trainer.progress.batch:
            self.memory = None  # as the trainer's, at the beginning of a pass
        total, count = 0.0, 0
        for batch in batches:
            moved = batch.to(trainer.device)
            outputs, self.memory = self.evaluator.answer(moved, self.memory, trainer.feed.train_examples)
            total += float(trainer.task.loss(outputs, moved, trainer.config.label_smoothing))
            count += trainer.task.count(batch)
        return total / count


def endless(trainer: Trainer) -> Iterator[list[Batch]]:
    """The batches of one optimizer step after the other, through as many epochs as are asked for."""
    while True:
        progress = trainer.progress
        yield from trainer.feed.steps(progress.epoch, progress.batch)


def suggested(curve: Curve) -> float | None:
    """The least rate at which nearly all of the fall that the rise brings is over, in two digits; None without a fall.

    That is where the smoothed loss has `FALLEN` of its way from its start to its minimum behind it: just before the
    minimum, where the loss falls no more because steps have become too large. Unlike the steepest place (Smith 2017;
    fastai's `steep`), it is where it is on a curve of any slope, and unlike the middle of the longest fall (fastai's
    `valley`), it doesn't depend on how far below all reason the rise began.
    """
    if len(curve.losses) < LEAST_STEPS:
        return None
    smoothed: Float[np.ndarray, " N"] = curve.smoothed
    fall = smoothed[0] - smoothed.min()
    if not fall > max(CERTAIN * curve.noise, LEAST_FALL * abs(smoothed[0])):
        return None
    return two_digits(curve.rates[int(np.argmax(smoothed <= smoothed[0] - FALLEN * fall))])


def refusal(curve: Curve, rates: Range) -> str:
    """Why no rate can be suggested, and what to do."""
    if len(curve.losses) < LEAST_STEPS:
        last = f"{curve.rates[-1]:.2g}" if curve.rates else f"{rates.minimum:.2g}"
        return f"the loss was lost at a rate of {last} already; lower --min"
    return (
        f"from rate {rates.minimum:g} to {rates.maximum:g} the loss hardly fell, or by no more than chance; "
        f"raise --steps, --max or trainer.batch_size"
    )


def two_digits(value: float) -> float:
    """The value, rounded to two significant digits."""
    return float(f"{value:.2g}")


def picture(curve: Curve, suggested: float | None) -> Picture:
    """The loss over the rate, and the suggestion."""
    drawn, (axes,) = figure(7.0, 4.0)
    axes.plot(curve.rates, curve.compared, color=FAINT, linewidth=0.8, label="each step")
    axes.plot(curve.rates, curve.smoothed, color=INK, linewidth=1.6, label="smoothed")
    if suggested is not None:
        axes.axvline(suggested, color=ACCENT, linewidth=1.2, label=f"suggested: {suggested:g}")
    axes.set_xscale("log")
    low, high = curve.compared[: len(curve.losses) // 2].min(), curve.compared[: len(curve.losses) // 2].max()
    low = min(low, curve.smoothed.min())
    axes.set_ylim(low - 0.1 * (high - low), high + 0.4 * (high - low))
    axes.set_xlabel("learning rate", fontsize=9, color=INK)
    axes.set_ylabel("training loss", fontsize=9, color=INK)
    axes.legend(fontsize=8, frameon=False)
    return Picture("lr_find", drawn)
