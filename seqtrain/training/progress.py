"""How far a run has come, and what it has seen since it last told of it. Imports nothing of ours."""

from dataclasses import dataclass, field

from torch import Tensor


@dataclass
class Window:
    """Training sums since the last log line.

    Attributes:
        loss: Over all targets; like the norms it stays on the device until the line is due.
        grad_norm: Over all steps, before clipping.
        count: Targets, as the task counts them.
        steps: Optimizer steps, also those that were left out.
        examples: Sequences.
        read: Steps of all sequences.
        seconds: Time spent training.
    """

    loss: Tensor | float = 0.0
    grad_norm: Tensor | float = 0.0
    count: int = 0
    steps: int = 0
    examples: int = 0
    read: int = 0
    seconds: float = 0.0

    def means(self, unit: str) -> dict[str, float]:
        """Loss, norm and speed, by the names they are recorded under; waits for the device.

        Args:
            unit: What a step of a sequence is, in the plural.
        """
        taken, seconds = max(self.count, 1), max(self.seconds, 1e-9)  # every step may have been left out
        return {
            "train/loss": float(self.loss) / taken,
            "train/grad_norm": float(self.grad_norm) / self.steps,
            "train/examples_per_second": self.examples / seconds,
            f"train/{unit}_per_second": self.read / seconds,
        }

    def state_dict(self) -> dict[str, float]:
        """What the window comes back from."""
        return {name: float(value) if isinstance(value, Tensor) else value for name, value in vars(self).items()}


@dataclass
class Progress:
    """How far a run has come; all of it is in the checkpoint.

    Attributes:
        step: Optimizer steps taken, or left out.
        epoch: Whole passes over the training data.
        batch: Batches read of the pass that has begun.
        seconds: Time spent in training and validation, over all resumptions.
        val: The latest validation's values.
        validated: The step of the latest validation.
        best: The values of the best validation, by the metric that is watched.
        best_step: When that was.
        history: The watched value of every validation, turned so that lower is better.
        top: The watched value and the step of each of the several best validations, the best first.
        reference: The value that the next validation must beat by more than min_delta.
        stale: Validations since it was last beaten.
        left_out: The steps, counted from 0, whose loss or gradient wasn't finite: skipped, or passed over when they
            came again.
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    seconds: float = 0.0
    val: dict[str, float] = field(default_factory=dict)
    validated: int = 0
    best: dict[str, float] = field(default_factory=dict)
    best_step: int = 0
    history: list[float] = field(default_factory=list)
    top: list[tuple[float, int]] = field(default_factory=list)
    reference: float | None = None
    stale: int = 0
    left_out: list[int] = field(default_factory=list)

    def check(self, batches_per_epoch: int) -> None:
        """Raises ValueError if no run of such epochs can have come to be here."""
        places = (self.step, self.epoch, self.batch)
        possible = all(type(place) is int and place >= 0 for place in places) and self.batch < batches_per_epoch
        if not possible or self.step > self.epoch * batches_per_epoch + self.batch:
            raise ValueError(f"step {self.step}, epoch {self.epoch} and batch {self.batch} are no place in this run")
