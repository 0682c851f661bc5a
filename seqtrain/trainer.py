"""The one training loop: fit, train_step, evaluate."""

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from seqtrain.batch import Batch
from seqtrain.checkpoint import rng_state, save, set_rng_state
from seqtrain.device import pick_precision
from seqtrain.errors import CheckpointError, TrainingError
from seqtrain.evaluator import Evaluator
from seqtrain.loader import train_loader
from seqtrain.model import Model, State
from seqtrain.optimizer import OptimizerSpec
from seqtrain.runlog import RunLog
from seqtrain.scheduler import Moment, SchedulerSpec
from seqtrain.signals import stop_on_signal
from seqtrain.tasks.task import Sample, Split, Task
from seqtrain.trainer_config import TrainerConfig


@dataclass
class Window:
    """Training sums since the last log line. Loss and norm stay on the device until the line is due."""

    loss: Tensor | float = 0.0
    grad_norm: Tensor | float = 0.0
    count: int = 0
    steps: int = 0
    examples: int = 0
    seconds: float = 0.0


@dataclass
class Progress:
    """How far a run has come; all of it is in the checkpoint.

    Attributes:
        step: Optimizer steps taken.
        epoch: Whole passes over the training data.
        batch: Batches read of the pass that has begun.
        seconds: Time spent in training and validation, over all resumptions.
        val: The latest validation's values.
        best: The values of the best validation, by the task's own metric.
        best_step: When that was.
        reference: The value that the next validation must beat by more than min_delta.
        stale: Validations since it was last beaten.
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    seconds: float = 0.0
    val: dict[str, float] = field(default_factory=dict)
    best: dict[str, float] = field(default_factory=dict)
    best_step: int = 0
    reference: float | None = None
    stale: int = 0


class Trainer:
    """Trains one model on one task."""

    def __init__(
        self,
        config: TrainerConfig,
        model: Model,
        task: Task,
        optimizer: OptimizerSpec,
        scheduler: SchedulerSpec,
        *,
        device: torch.device,
        seed: int,
        log: RunLog,
    ) -> None:
        self.config = config
        self.model = model.to(device)
        self.task = task
        self.scheduler = scheduler
        self.device = device
        self.seed = seed
        self.log = log
        self.precision = pick_precision(config.amp, device)
        self.evaluator = Evaluator(self.model, task, device, self.precision, config.batch_size, config.num_workers)
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = optimizer.build(self.parameters)
        self.base_lr = optimizer.lr
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.precision == torch.float16)
        self.train_examples = task.examples(Split.TRAIN)
        self.batches_per_epoch = math.ceil(len(self.train_examples) / config.batch_size)
        self.steps_per_epoch = math.ceil(self.batches_per_epoch / config.accumulate)
        epochs = None if config.max_epochs is None else config.max_epochs * self.steps_per_epoch
        self.total_steps = min((n for n in (config.max_steps, epochs) if n is not None), default=None)
        self.progress = Progress()
        self.memory: State | None = None
        self.window = Window()
        self.last_clock = 0.0

    # ---------------------------------------------------------------- the loop

    def fit(self) -> str:
        """Trains until a limit is reached or a signal asks to stop.

        Returns:
            Why it ended: max_steps, max_epochs, max_time, patience, or the name of the signal.

        Raises:
            TrainingError: If the loss or the gradient is no longer finite.
        """
        config, progress = self.config, self.progress
        self.model.train()
        self.log.start_progress(progress.step, self.total_steps, ("train/loss", self.metric))
        self.last_clock = time.perf_counter()
        with stop_on_signal() as stop:
            end = self.limit() or stop.received
            while end is None:
                for batches in grouped(self.epoch_loader(), config.accumulate):
                    self.train_step(batches)
                    limit, signal = self.limit(), stop.received

                    if due(progress.step, config.log_every):
                        self.record_training()
                    if self.validation_due() or limit:
                        self.validate()
                        limit = self.limit()  # patience may have run out
                    elif due(progress.step, config.checkpoint_every) or signal:
                        self.save()
                    self.log.advance(progress.step)
                    if end := limit or signal:
                        break
        self.log.stop_progress()
        return end

    def train_step(self, batches: list[Batch]) -> None:
        """One optimizer step over the batches, as if they were one: sums travel, one division."""
        count = sum(self.task.count(batch) for batch in batches)
        moment = Moment(
            step=self.progress.step, steps_per_epoch=self.steps_per_epoch, total_steps=self.total_steps, history=()
        )
        rate = self.base_lr * self.scheduler.factor(moment)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.model.at_step(self.progress.step)
        for batch in batches:
            batch = batch.to(self.device)
            outputs, self.memory = self.evaluator.answer(batch, self.memory, self.train_examples)
            loss = self.task.loss(outputs, batch)
            self.scaler.scale(loss / count).backward()
            self.window.loss += loss.detach()
        self.scaler.unscale_(self.optimizer)
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        norm = nn.utils.get_total_norm(gradients)
        if self.config.clip_norm is not None:
            nn.utils.clip_grads_with_norm_(self.parameters, self.config.clip_norm, norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)

        self.window.grad_norm += norm
        self.window.count += count
        self.window.steps += 1
        self.window.examples += sum(len(batch) for batch in batches)
        self.progress.step += 1
        self.progress.batch += len(batches)
        if self.progress.batch == self.batches_per_epoch:
            self.progress.epoch += 1
            self.progress.batch = 0
            self.memory = None

    def evaluate(self, split: Split) -> dict[str, float]:
        """Loss and metrics over one whole split, by names like `val/accuracy`."""
        values = self.evaluator.evaluate(self.task.examples(split))
        self.model.train()
        return {f"{split}/{name}": value for name, value in values.items()}

    def samples(self, split: Split) -> Iterator[Sample]:
        """One split, answered batch by batch as it is asked for; leaves the model in evaluation mode."""
        return self.evaluator.samples(self.task.examples(split))

    # ---------------------------------------------------------------- once in a while

    def validate(self) -> None:
        """Scores the validation split, remembers what is best, and saves."""
        self.tick(training=True)
        progress = self.progress
        progress.val = self.evaluate(Split.VAL)
        self.tick(training=False)
        self.log.scalars(progress.step, self.epoch, progress.seconds, progress.val)
        value = progress.val[self.metric]
        best = not progress.best or self.better(value, progress.best[self.metric])
        if best:
            progress.best, progress.best_step = progress.val, progress.step
        if progress.reference is None or self.better(value, progress.reference, self.config.min_delta):
            progress.reference, progress.stale = value, 0
        else:
            progress.stale += 1
        self.save(best)

    def validation_due(self) -> bool:
        """Whether this step is one to validate after."""
        if self.config.eval_every is not None:
            return due(self.progress.step, self.config.eval_every)
        return self.progress.batch == 0 and due(self.progress.epoch, self.config.eval_every_epochs or 1)

    def record_training(self) -> None:
        """Records the mean loss, the rate and the speed since the last record. The only sync of the loop."""
        self.tick(training=True)
        self.check_finite()
        window = self.window
        self.log.scalars(
            self.progress.step,
            self.epoch,
            self.progress.seconds,
            {
                "train/loss": float(window.loss) / window.count,
                "train/grad_norm": float(window.grad_norm) / window.steps,
                "train/lr": self.optimizer.param_groups[0]["lr"],
                "train/examples_per_second": window.examples / max(window.seconds, 1e-9),
            },
        )
        self.window = Window()

    def save(self, best: bool = False) -> None:
        """Writes a checkpoint, unless what would be saved is broken."""
        self.tick(training=True)
        self.check_finite()
        save(self.log.folder / "checkpoints", self.state_dict(), best)
        self.tick(training=False)

    def check_finite(self) -> None:
        """Raises TrainingError if the loss or the gradient since the last record wasn't finite."""
        window = self.window
        # fp16 meets infinite gradients by design: the scaler skips those steps and lowers its scale.
        finite_gradient = self.scaler.is_enabled() or math.isfinite(window.grad_norm)
        if math.isfinite(window.loss) and finite_gradient:
            return
        first, last = self.progress.step - window.steps + 1, self.progress.step
        what = "gradient" if math.isfinite(window.loss) else "loss"
        raise TrainingError(
            f"the {what} became infinite or NaN between steps {first} and {last}: try a lower optimizer.lr or "
            f"trainer.clip_norm; what {self.log.folder / 'checkpoints'} holds is from before"
        )

    def limit(self) -> str | None:
        """The limit that has been reached, or None."""
        config, progress = self.config, self.progress
        if config.max_steps is not None and progress.step >= config.max_steps:
            return "max_steps"
        if config.max_epochs is not None and progress.epoch >= config.max_epochs:
            return "max_epochs"
        if config.max_time is not None and progress.seconds + time.perf_counter() - self.last_clock >= config.max_time:
            return "max_time"
        if config.patience is not None and progress.stale >= config.patience:
            return "patience"
        return None

    # ---------------------------------------------------------------- small things

    @property
    def metric(self) -> str:
        """The validation metric that picks the best checkpoint."""
        return f"{Split.VAL}/{self.task.metric}"

    @property
    def epoch(self) -> float:
        """Passes over the training data, the one that has begun as a fraction."""
        return self.progress.epoch + self.progress.batch / self.batches_per_epoch

    def better(self, value: float, than: float, by: float = 0.0) -> bool:
        """Whether a value of the task's metric beats another by more than a margin."""
        return value > than + by if self.task.higher_is_better else value < than - by

    def tick(self, *, training: bool) -> None:
        """Adds the time since the last tick to the run's, and to the window's if it was spent training."""
        now = time.perf_counter()
        self.progress.seconds += now - self.last_clock
        if training:
            self.window.seconds += now - self.last_clock
        self.last_clock = now

    def epoch_loader(self) -> Iterable[Batch]:
        """What is left of the current pass over the training data."""
        return train_loader(
            self.train_examples,
            self.config.batch_size,
            self.seed,
            self.progress.epoch,
            skip=self.progress.batch,
            num_workers=self.config.num_workers,
            pin_memory=self.device.type == "cuda",
        )

    # ---------------------------------------------------------------- state

    def state_dict(self) -> dict[str, Any]:
        """All that the loop needs to go on bit for bit; plain containers and tensors."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "memory": self.memory,
            "progress": asdict(self.progress),
            "window": asdict(self.window)
            | {"loss": float(self.window.loss), "grad_norm": float(self.window.grad_norm)},
            "rng": rng_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes back to where `state_dict` was taken.

        Raises:
            CheckpointError: If the state is of another model, optimizer or format.
        """
        try:
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.scaler.load_state_dict(state["scaler"])
            memory = state["memory"]
            self.memory = None if memory is None else tuple(part.to(self.device) for part in memory)
            self.progress = Progress(**state["progress"])
            self.window = Window(**state["window"])
            set_rng_state(state["rng"])
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise CheckpointError(f"the checkpoint doesn't fit this run's configuration: {reason}") from error


def due(step: int, every: int | None) -> bool:
    """Whether something that happens every so many steps happens after this one."""
    return every is not None and step % every == 0


def grouped(batches: Iterable[Batch], size: int) -> Iterator[list[Batch]]:
    """The batches in lists of this size; the last may be shorter."""
    iterator = iter(batches)
    while group := list(islice(iterator, size)):
        yield group
