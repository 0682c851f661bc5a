"""Writes a run's checkpoints beside its training, and says what couldn't be written."""

import errno
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from seqtrain.errors import TrainingError
from seqtrain.training import checkpoint

NICENESS = 5
"""How far the thread that writes gives way to the steps beside it, where they share the processors."""


class Saver:
    """One checkpoint at a time, copied at once and written while training goes on.

    What a write came to is known when the next one begins, or at `wait`.
    """

    def __init__(self, folder: Path, *, background: bool, warn: Callable[[str], None] | None = None) -> None:
        """Writes nothing yet.

        Args:
            folder: Where checkpoints go.
            background: Whether a thread writes. A process that forks should wait for the write instead: the fork
                would inherit a thread's locks without the thread.
            warn: Told of what couldn't be written; None raises instead.
        """
        self.folder = folder
        self.background = background
        self.warn = warn
        self.saved: int | None = None
        self._thread: threading.Thread | None = None
        self._failed: OSError | None = None
        self._unsaved: OSError | None = None

    def save(self, state: checkpoint.Checkpoint, *, best: bool, top: list[int]) -> None:
        """Takes a copy of the state and writes it; the state may change as soon as this returns.

        Raises:
            TrainingError: If the checkpoint before this one couldn't be written.
        """
        self.wait()
        if not self.background:
            self._write(state, best, top)
            self.wait()
            return
        self._thread = threading.Thread(target=self._write_aside, args=(copied(state), best, top), name="saver")
        self._thread.start()

    @property
    def unsaved(self) -> bool:
        """Whether the latest checkpoint that was to be written couldn't be."""
        return self._unsaved is not None

    @property
    def busy(self) -> bool:
        """Whether something is being written now."""
        return self._thread is not None and self._thread.is_alive()

    def wait(self) -> None:
        """Returns when nothing is being written.

        Raises:
            TrainingError: If what was being written couldn't be, and nobody is to be told instead.
        """
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        failed, self._failed = self._failed, None
        if failed is None:
            return
        self._unsaved = failed
        kept = f"the last one is of step {self.saved}" if self.saved else "none was written before"
        message = f"no checkpoint could be written to {self.folder} ({failed.strerror or failed}); {kept}"
        if self.warn is None:
            raise TrainingError(f"{message}. Make room and resume, or go on without by trainer.on_save_error=continue")
        self.warn(message)

    def best(self) -> checkpoint.Checkpoint:
        """The best checkpoint that was written.

        Raises:
            CheckpointError: If it is missing or damaged.
            TrainingError: If it is missing because it couldn't be written.
        """
        path = self.folder / checkpoint.BEST
        if self._unsaved is not None and not path.exists():
            reason = self._unsaved.strerror or self._unsaved
            raise TrainingError(f"nothing was tested: {path} couldn't be written ({reason}). Make room and resume")
        return checkpoint.load(path)

    def _write_aside(self, state: checkpoint.Checkpoint, best: bool, top: list[int]) -> None:
        if sys.platform == "linux":  # elsewhere niceness is the whole process's
            own = os.getpriority(os.PRIO_PROCESS, 0)
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), min(own + NICENESS, 19))
        self._write(state, best, top)

    def _write(self, state: checkpoint.Checkpoint, best: bool, top: list[int]) -> None:
        try:
            checkpoint.save(self.folder, state, best=best, top=top)
            self.saved = state["progress"]["step"]
            self._unsaved = None
        except OSError as error:
            self._failed = error
        except Exception as error:  # a fault of ours must not die with the thread
            self._failed = OSError(errno.EIO, f"{type(error).__name__}: {error}")


def copied(value: Any) -> Any:
    """Containers and tensors with storage of their own, on the CPU."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone() if value.device.type == "cpu" else value.detach().cpu()
    if isinstance(value, dict):
        return {key: copied(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(copied(each) for each in value)
    return value
