"""`trainer.batch_size=auto`: the largest batch that fits in memory, found by doubling."""

import gc
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from rich.console import Console

from seqtrain import host_memory
from seqtrain.batch import Batch, Examples
from seqtrain.config import RunConfig
from seqtrain.errors import ConfigError, OutOfMemoryError, TrainingError
from seqtrain.logs.runlog import RunLog
from seqtrain.models import build_model
from seqtrain.spec import Align
from seqtrain.tasks import Split
from seqtrain.training.loader import eval_plan, train_plan
from seqtrain.training.memory import out_of_memory_told
from seqtrain.training.progress import Window
from seqtrain.training.trainer import Trainer

SHARE = 0.8
"""The part of the memory at hand that a batch may be expected to take; others live on the machine too."""


class Room(ABC):
    """The memory that batches must fit in."""

    @abstractmethod
    def expects(self, size: int) -> bool:
        """Whether a batch of this size may be tried, going by those tried before."""

    @abstractmethod
    def holds(self, size: int, step: Callable[[int], None]) -> bool:
        """Tries a batch of this size; False if memory runs out."""


class DeviceRoom(Room):
    """The memory of an accelerator: whatever doesn't fit there fails, and does no harm."""

    def expects(self, size: int) -> bool:
        return True

    def holds(self, size: int, step: Callable[[int], None]) -> bool:
        try:
            step(size)
        except OutOfMemoryError:
            held = False
        else:
            held = True
        # Only here has the error let go of what the failed step had computed.
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return held


class HostRoom(Room):
    """The memory of the machine. To try what doesn't fit would end in swapping, or in the end of the process.

    A batch of n times the size takes at most n times what the last one took beyond what was there before.
    """

    def __init__(self) -> None:
        """Looks at what is there.

        Raises:
            ConfigError: If the system doesn't tell.
        """
        try:
            self.before = host_memory.resident()
            self.limit = self.before + int(SHARE * host_memory.available())
        except (OSError, KeyError):
            raise ConfigError(
                "trainer.batch_size=auto: this system doesn't tell how much memory is left; give a number"
            ) from None
        self.tried = self.taken = 0

    def expects(self, size: int) -> bool:
        return not self.tried or self.before + self.taken * size / self.tried <= self.limit

    def holds(self, size: int, step: Callable[[int], None]) -> bool:
        host_memory.forget_peak()
        try:
            step(size)
        except OutOfMemoryError:
            return False
        self.tried, self.taken = size, max(host_memory.peak() - self.before, 0)
        return self.before + self.taken <= self.limit


def largest_batch(step: Callable[[int], None], most: int, room: Room) -> int:
    """Doubles a batch for as long as it fits.

    Args:
        step: Trains on a batch of a size.
        most: Examples that there are: more can't be in a batch.
        room: What they must fit in.

    Raises:
        TrainingError: If not even one example fits.
    """
    size, largest = 1, 0
    while room.expects(size) and room.holds(size, step):
        largest = size
        if size == most:
            break
        size = min(2 * size, most)
    if not largest:
        raise TrainingError(
            "trainer.batch_size=auto: not even one sequence fits in memory; make sequences shorter or the model smaller"
        )
    return largest


def settle(config: RunConfig, device: torch.device, console: Console) -> RunConfig:
    """The configuration with the number in place of `auto`, as a model that is thrown away has it.

    Each size is tried on the longest sequences: one step of training, and the answers of an evaluation.

    Args:
        config: Its task is prepared.
        device: Where the run will compute.
        console: Where a terminal shows what is being tried.

    Raises:
        ConfigError: If the device can't tell what fits.
        TrainingError: If not even one example fits.
    """
    if config.trainer.batch_size != "auto":
        return config
    if device.type == "mps":
        raise ConfigError("trainer.batch_size=auto: an mps device shares its memory with the machine; give a number")
    with TemporaryDirectory(prefix="seqtrain-") as scratch, RunLog(Path(scratch), Console(quiet=True)) as log:
        probe = Probe(config, device, log)
        room = DeviceRoom() if device.type == "cuda" else HostRoom()
        with console.status("") as status:

            def step(size: int) -> None:
                status.update(f"do batches of {size:,} sequences fit in memory?")
                probe.step(size)

            size = largest_batch(step, len(probe.trainer.feed.train_examples), room)
    return replace(config, trainer=replace(config.trainer, batch_size=size))


class Probe:
    """A training that is only there to see what its steps take."""

    def __init__(self, config: RunConfig, device: torch.device, log: RunLog) -> None:
        model = build_model(config.model, config.task.spec, config.decoder)
        options = replace(config.trainer, batch_size=1)
        self.trainer = Trainer(
            options, model, config.task, config.optimizer, config.scheduler, device=device, seed=0, log=log
        )

    def step(self, size: int) -> None:
        """Trains on the longest training sequences, and answers the longest validation sequences."""
        trainer, evaluator = self.trainer, self.trainer.evaluator
        trainer.model.train()
        trainer.memory = None
        trainer.train_step([longest(trainer.feed.train_examples, size)])
        trainer.window = Window()
        trainer.guard.kept.clear()
        trainer.model.eval()
        val = trainer.feed.examples(Split.VAL)
        batch = longest(val, size).to(trainer.device)
        with torch.inference_mode(), out_of_memory_told(batch):
            evaluator.answer(batch, None, val)
            if trainer.task.spec.align is Align.FREE:
                evaluator.generate(batch)


def longest(examples: Examples, size: int) -> Batch:
    """A batch of the longest examples, or of all if there are fewer."""
    plan = train_plan(examples, size, 0, 0) if examples.successive else eval_plan(examples, size)
    return examples.batch(plan[0], 0)
