"""The processes that train one run together, each on its share of every batch, as if they were one.

Gradients are summed by hand, in one `all_reduce` of a step, rather than by DistributedDataParallel: a process whose
share is empty joins with zeros, accumulation and carried memory need nothing of their own, and the sum is divided
once, by the count of all. What that forgoes is summing while the backward pass still runs.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn

from seqtrain.distributed.launcher import attempt, in_team, launcher_store
from seqtrain.errors import ConfigError, ProcessLostError
from seqtrain.signals import STOPPING, StopFlag

PATIENCE = timedelta(hours=2)
"""How long processes wait for one another: the first may be making data ready, or looking at pictures."""

T = TypeVar("T")


class Team:
    """One process's place among those that train a run together; one alone by default, to whom all of this is nothing.

    Every process must come by the same calls in the same order.

    Attributes:
        rank: Which of them it is; the first is 0, and writes.
        size: How many they are.
        local_rank: Which of those on its machine it is.
        heard: Raised by what this process alone has heard.
        stop: Raised on all of them at once, at the first agreement after one has heard a signal.
    """

    def __init__(self, rank: int = 0, size: int = 1, local_rank: int = 0) -> None:
        self.rank = rank
        self.size = size
        self.local_rank = local_rank
        self.stop = StopFlag()
        self.heard = self.stop
        self._now = 0.0
        self._parent = os.getppid()

    @property
    def first(self) -> bool:
        """Whether it is the one that writes."""
        return self.rank == 0

    @property
    def share(self) -> slice:
        """Which examples of each batch, and which streams of a carried memory, are its own."""
        return slice(None) if self.size == 1 else slice(self.rank, None, self.size)

    # ---------------------------------------------------------------- agreements

    def heed(self, heard: StopFlag) -> StopFlag:
        """The flag to look at, where each process listens for signals by itself."""
        self.heard = heard
        if self.size == 1:
            self.stop = heard
        return self.stop

    def agree(self, *numbers: float) -> list[float]:
        """The sums of numbers over all processes, whole ones exactly; and their common clock and stop flag go on."""
        if self.size == 1:
            return list(numbers)
        if os.getppid() != self._parent:  # whoever would forward signals is gone
            self.heard.received = self.heard.received or "SIGHUP"
        signals = [float(number.name == self.heard.received) for number in STOPPING]
        now = time.perf_counter() if self.first else 0.0
        sums = torch.tensor([*numbers, now, *signals], dtype=torch.float64)
        with together():
            distributed.all_reduce(sums)
        *agreed, self._now = sums[: len(numbers) + 1].tolist()
        asked = [number.name for number, count in zip(STOPPING, sums[len(numbers) + 1 :], strict=True) if count]
        self.stop.received = self.stop.received or next(iter(asked), None)
        return agreed

    def clock(self) -> float:
        """Seconds on a clock that all share: now, or of many processes, when they last agreed."""
        return time.perf_counter() if self.size == 1 else self._now

    def tell(self, find: Callable[[], T]) -> T:
        """What the first process finds, told to all; the others don't look."""
        if self.size == 1:
            return find()
        told: list[Any] = [find() if self.first else None]
        with together():
            distributed.broadcast_object_list(told, src=0, device=torch.device("cpu"))
        found: T = told[0]
        return found

    def gather(self, value: T) -> list[T]:
        """The values of all processes, in their order."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        with together():
            distributed.all_gather_object(values, value)
        return values

    @contextmanager
    def one_before_others(self) -> Iterator[None]:
        """A block that the first process of each machine leaves before the others enter: what it keeps, they find."""
        if self.local_rank:
            self.agree()
        yield
        if not self.local_rank:
            self.agree()

    # ---------------------------------------------------------------- sums

    def sum_gradients(self, parameters: Sequence[nn.Parameter], loss: Tensor) -> Tensor:
        """Puts the sum over all processes in place of each gradient, and returns that of the loss.

        A gradient that a process lacks, since its share was empty, counts as zeros.
        """
        if self.size == 1:
            return loss
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        flat = torch.cat([*(gradient.reshape(-1) for gradient in gradients), loss.reshape(1)])
        with together():
            distributed.all_reduce(flat)
        sums = flat[:-1].split([gradient.numel() for gradient in gradients])
        for parameter, gradient, total in zip(parameters, gradients, sums, strict=True):
            parameter.grad = total.view_as(gradient)
        return flat[-1]

    # ---------------------------------------------------------------- carried memory

    def own_memory(self, whole: tuple[Tensor, ...] | None) -> tuple[Tensor, ...] | None:
        """What the streams that are its own remember, of what all do; None if none is."""
        if whole is None or self.rank >= whole[0].shape[1]:
            return None
        return tuple(part[:, self.share].contiguous() for part in whole)

    def join_memories(self, memories: Sequence[tuple[Tensor, ...] | None]) -> tuple[Tensor, ...] | None:
        """What all streams remember, (L, B, D) each, of what each process's share of them does."""
        known = [memory for memory in memories if memory is not None]
        if not known:
            return None
        whole = [part.new_empty(part.shape[0], sum(m[0].shape[1] for m in known), *part.shape[2:]) for part in known[0]]
        for rank, memory in enumerate(memories):
            if memory is not None:
                for into, part in zip(whole, memory, strict=True):
                    into[:, rank :: self.size] = part
        return tuple(whole)


def placed(device: str) -> str:
    """The device of this process where several train together: on CUDA, each has its own.

    Raises:
        ConfigError: If they can't each have one of this kind.
    """
    if not in_team() or device == "cpu":
        return device
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if device == "auto" and not torch.cuda.is_available():
        return "cpu"
    if device not in ("auto", "cuda"):
        raise ConfigError(f"device={device}: several processes need one device each; use device=cuda, cpu or auto")
    wanted, found = int(os.environ.get("LOCAL_WORLD_SIZE", "1")), torch.cuda.device_count()
    if wanted > found:
        raise ConfigError(f"device={device}: {wanted} processes need as many CUDA devices, torch sees {found} here")
    return f"cuda:{local}"


@contextmanager
def gathered(device: torch.device) -> Iterator[Team]:
    """The team that the environment says this process belongs to, as torchrun sets it; one alone without.

    Args:
        device: Of this process. Numbers on the CPU travel by gloo, those on CUDA by NCCL.
    """
    if not in_team():
        yield Team()
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    with together():
        store = launcher_store(PATIENCE)
        if store is None:
            distributed.init_process_group(backend, timeout=PATIENCE)
        else:  # torch itself would take up what an attempt before this one left in it
            own = distributed.PrefixStore(attempt("group"), store)  # type: ignore[attr-defined]  # exported unsaid
            rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
            distributed.init_process_group(backend, store=own, rank=rank, world_size=size, timeout=PATIENCE)
    team = Team(distributed.get_rank(), distributed.get_world_size(), int(os.environ.get("LOCAL_RANK", "0")))
    try:
        yield team
    except ProcessLostError:
        if (name := team.heard.received) is not None:  # the launcher ends all because of one: there is no more to say
            raise SystemExit(128 + signal.Signals[name]) from None
        raise
    distributed.destroy_process_group()  # after a failure the others may not answer any more


@contextmanager
def together() -> Iterator[None]:
    """A block in which processes speak to one another.

    Raises:
        ProcessLostError: If one of them is gone.
    """
    try:
        yield
    except RuntimeError as error:  # gloo has no type of its own for it
        reason = " ".join(str(error).split())
        raise ProcessLostError(f"another process of this run is gone ({reason}); see what it said") from error
