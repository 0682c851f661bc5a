"""What a user asks of the training loop."""

from dataclasses import dataclass

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
        batch_size: Sequences per batch.
        accumulate: Batches per optimizer step; equals one batch of all their sequences.
        amp: Precision of matrix products: auto, off, bf16 or fp16.
        clip_norm: Largest global norm of the gradient; null leaves it alone.
        eval_every: Validate this often; null: at the end of epochs.
        eval_every_epochs: Without eval_every: validate at the end of every so many epochs.
        log_every: Record training loss and speed this often.
        checkpoint_every: Save this often, besides after each validation.
        patience: End after this many validations without improvement; null: never.
        min_delta: What is better by no more than this is no improvement for `patience`.
        num_workers: Processes that prepare batches; 0 prepares them in the loop.
        tune_allocator: Keep freed memory in the process: faster, and resident memory stays at its peak.
    """

    max_steps: int | None = None
    max_epochs: int | None = 10
    max_time: float | None = None
    batch_size: int = 64
    accumulate: int = 1
    amp: Amp = "auto"
    clip_norm: float | None = 1.0
    eval_every: int | None = None
    eval_every_epochs: int | None = None
    log_every: int = 50
    checkpoint_every: int | None = None
    patience: int | None = None
    min_delta: float = 0.0
    num_workers: int = 0
    tune_allocator: bool = True

    def __post_init__(self) -> None:
        limits.at_least("trainer", 1, batch_size=self.batch_size, accumulate=self.accumulate, patience=self.patience)
        limits.at_least("trainer", 1, eval_every=self.eval_every, eval_every_epochs=self.eval_every_epochs)
        limits.at_least("trainer", 1, log_every=self.log_every)
        limits.at_least("trainer", 1, checkpoint_every=self.checkpoint_every)
        limits.at_least("trainer", 1, max_steps=self.max_steps, max_epochs=self.max_epochs)
        limits.above_zero("trainer", max_time=self.max_time)
        limits.at_least("trainer", 0, min_delta=self.min_delta, num_workers=self.num_workers)
        limits.above_zero("trainer", clip_norm=self.clip_norm)
        if self.eval_every is not None and self.eval_every_epochs is not None:
            raise ConfigError(
                f"trainer.eval_every_epochs={self.eval_every_epochs}: trainer.eval_every={self.eval_every} counts "
                f"steps already; set one of them"
            )
        if self.max_steps is self.max_epochs is self.max_time is None:
            raise ConfigError("the run has no end: set trainer.max_steps, trainer.max_epochs or trainer.max_time")
