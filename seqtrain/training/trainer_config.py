"""What a user asks of the training loop."""

from dataclasses import dataclass
from typing import Literal

from seqtrain import limits
from seqtrain.device import Amp
from seqtrain.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class TrainerConfig:
    """How long and how a model is trained. Intervals count optimizer steps.

    Attributes:
        max_steps: End after this many optimizer steps.
        max_epochs: End after this many passes over the training data.
        max_time: End after this many seconds of training and validation.
        batch_size: Sequences per batch, which processes that train together share; auto: as many as fit in memory,
            a number once training begins.
        accumulate: Batches per optimizer step; equals one batch of all their sequences.
        amp: Precision of matrix products: auto, off, bf16 or fp16.
        clip_norm: Largest global norm of the gradient; null leaves it alone.
        clip_value: Largest size of any one number of the gradient; null leaves it alone.
        label_smoothing: How much of the truth is spread over all symbols in training. Szegedy et al. 2016, section 7.
        ema: Decay of the averaged weights that are validated, tested and kept; null averages nothing.
        compile: Whether torch.compile rewrites the model before it trains.
        eval_every: Validate this often; null: at the end of epochs.
        eval_every_epochs: Without eval_every: validate at the end of every so many epochs.
        monitor: The validation metric that is watched; null takes the task's.
        mode: Whether the least or the largest value of it is best; auto knows the task's metrics.
        log_every: Record training loss and speed this often.
        watch_every: Record gradients, weights, updates and gates layer by layer this often, and draw how far back the
            gradient reaches; null: never.
        pictures_every: Draw the task's pictures after every so many validations, besides at the end; null: after the
            1st, 2nd, 4th, 8th and so on.
        checkpoint_every: Save this often, besides after each validation.
        checkpoint_every_epochs: Save at the end of every so many epochs.
        checkpoint_every_minutes: Save when so many minutes have passed since the last time.
        keep_best: How many of the best checkpoints are kept; the best alone is best.pt.
        on_save_error: Whether the run stops or goes on when a checkpoint can't be written.
        on_nonfinite: What happens when the loss or the gradient is infinite or NaN: stop; skip the step; or roll
            back to the last checkpoint and leave that step out.
        patience: End after this many validations without improvement; null: never.
        min_delta: What is better by no more than this is no improvement for `patience`.
        limit_batches: Read no more than so many batches of each pass over each split.
        overfit_batches: Train on the first so many batches alone, and validate on them; no test.
        dry_run: Try one batch of everything, keep nothing.
        devices: Processes that train together on this machine, each on its share of every batch, and on a device of
            its own where there are such.
        num_workers: Processes that prepare batches; 0 prepares them in the loop.
        tune_allocator: Keep freed memory in the process: faster, and resident memory stays at its peak.
    """

    max_steps: int | None = None
    max_epochs: int | None = 10
    max_time: float | None = None
    batch_size: int | Literal["auto"] = 64
    accumulate: int = 1
    amp: Amp = "auto"
    clip_norm: float | None = 1.0
    clip_value: float | None = None
    label_smoothing: float = 0.0
    ema: float | None = None
    compile: bool = False
    eval_every: int | None = None
    eval_every_epochs: int | None = None
    monitor: str | None = None
    mode: Literal["auto", "min", "max"] = "auto"
    log_every: int = 50
    watch_every: int | None = None
    pictures_every: int | None = None
    checkpoint_every: int | None = None
    checkpoint_every_epochs: int | None = None
    checkpoint_every_minutes: float | None = None
    keep_best: int = 1
    on_save_error: Literal["stop", "continue"] = "stop"
    on_nonfinite: Literal["stop", "skip", "rollback"] = "stop"
    patience: int | None = None
    min_delta: float = 0.0
    limit_batches: int | None = None
    overfit_batches: int | None = None
    dry_run: bool = False
    devices: int = 1
    num_workers: int = 0
    tune_allocator: bool = True

    def __post_init__(self) -> None:
        if self.batch_size != "auto":
            limits.at_least("trainer", 1, batch_size=self.batch_size)
        limits.at_least("trainer", 1, accumulate=self.accumulate, patience=self.patience)
        limits.at_least("trainer", 1, eval_every=self.eval_every, eval_every_epochs=self.eval_every_epochs)
        limits.at_least("trainer", 1, log_every=self.log_every, keep_best=self.keep_best)
        limits.at_least("trainer", 1, watch_every=self.watch_every, pictures_every=self.pictures_every)
        limits.at_least("trainer", 1, checkpoint_every=self.checkpoint_every)
        limits.at_least("trainer", 1, checkpoint_every_epochs=self.checkpoint_every_epochs)
        limits.at_least("trainer", 1, max_steps=self.max_steps, max_epochs=self.max_epochs)
        limits.at_least("trainer", 1, limit_batches=self.limit_batches, overfit_batches=self.overfit_batches)
        limits.at_least("trainer", 1, devices=self.devices)
        limits.above_zero("trainer", max_time=self.max_time, checkpoint_every_minutes=self.checkpoint_every_minutes)
        limits.at_least("trainer", 0, min_delta=self.min_delta, num_workers=self.num_workers)
        limits.above_zero("trainer", clip_norm=self.clip_norm, clip_value=self.clip_value)
        limits.decay("trainer", ema=self.ema, label_smoothing=self.label_smoothing)
        if self.eval_every is not None and self.eval_every_epochs is not None:
            raise ConfigError(
                f"trainer.eval_every_epochs={self.eval_every_epochs}: trainer.eval_every={self.eval_every} counts "
                f"steps already; set one of them"
            )
        if self.clip_norm is not None and self.clip_value is not None:
            raise ConfigError(
                f"trainer.clip_value={self.clip_value}: trainer.clip_norm={self.clip_norm} clips already; "
                f"set trainer.clip_norm=null"
            )
        if self.limit_batches is not None and self.overfit_batches is not None:
            raise ConfigError(
                f"trainer.limit_batches={self.limit_batches}: trainer.overfit_batches={self.overfit_batches} limits "
                f"already; set one of them"
            )
        if self.monitor is None and self.mode != "auto":
            raise ConfigError(
                f"trainer.mode={self.mode}: the task knows its own metric; name another by trainer.monitor"
            )
        if self.max_steps is self.max_epochs is self.max_time is None:
            raise ConfigError("the run has no end: set trainer.max_steps, trainer.max_epochs or trainer.max_time")

    @property
    def sequences(self) -> int:
        """The batch size, once it is a number."""
        assert self.batch_size != "auto", "settled before anything is trained"
        return self.batch_size
