"""Starting several processes for one run, by torch's own launcher, and speaking with one voice when they fail.

Imports torch only where it is needed: the command line asks `in_team` first of all.
"""

import logging
import os
import signal
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from seqtrain.errors import ProcessLostError, UserError

if TYPE_CHECKING:
    from torch.distributed import TCPStore  # type: ignore[attr-defined]  # exported unsaid

LEAD = 1.0
"""Seconds for which the first process may tell of a failure that all share before another does."""
LINGER = 10.0
"""Seconds for which a process that has lost another waits: for that one to be heard, and for the launcher to see that
it was the first to end."""
GRACE = "300"
"""Seconds for which the launcher lets processes finish their step and save, once it is asked to stop."""


def in_team() -> bool:
    """Whether this process is one of several of a run, as torchrun and its like say in the environment."""
    return "RANK" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1


def is_first() -> bool:
    """Whether this process is the one that writes: the first of several, or one alone."""
    return not in_team() or os.environ["RANK"] == "0"


def launch(arguments: list[str], processes: int) -> int:
    """Runs `seqtrain` with these arguments as several processes of one run on this machine.

    Returns:
        0, or the exit code of the first process that failed.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    quieten()
    threads = max(1, cores() // processes)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    os.environ.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", GRACE)
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        local_addr="localhost",
        max_restarts=0,
    )

    def forward(number: int, frame: object) -> None:  # noqa: ARG001  # Python's signature
        raise SignalException("asked to stop", sigval=signal.Signals(number))

    if hasattr(signal, "SIGUSR1"):  # the launcher minds the other signals by itself
        signal.signal(signal.SIGUSR1, forward)
    try:
        elastic_launch(config, sys.executable)("-m", "seqtrain", *arguments)
    except SignalException as stop:
        return 128 + stop.sigval
    except ChildFailedError as error:
        rank, failure = next(iter(error.failures.items()))
        if failure.exitcode >= 0:
            return failure.exitcode
        name = signal.Signals(-failure.exitcode).name
        sys.stderr.write(f"seqtrain: process {rank} of {processes} was ended by {name}; if memory ran out, lower ")
        sys.stderr.write("trainer.batch_size or trainer.devices. `seqtrain resume` goes on with the run\n")
        return 128 - failure.exitcode
    return 0


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def quieten() -> None:
    """Leaves it to the processes to say what is wrong: the launcher would say it again, with a traceback."""
    logging.disable(logging.CRITICAL)
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")


# -------------------------------------------------------------------- one voice


@contextmanager
def one_voice() -> Iterator[None]:
    """A block whose failure is told by one of several processes: the one that failed, the first if all did."""
    try:
        yield
    except Exception as error:
        if not in_team():
            raise
        if not is_spokesman(lost=isinstance(error, ProcessLostError)):
            raise SystemExit(2 if isinstance(error, UserError) else 1) from None
        rank, size = os.environ["RANK"], os.environ["WORLD_SIZE"]
        if isinstance(error, UserError) and rank != "0":
            raise UserError(f"process {rank} of {size}: {error}") from error
        raise


def is_spokesman(*, lost: bool) -> bool:
    """Whether this process is to tell of a failure, after waiting for one with more to say.

    Args:
        lost: Whether all that it knows is that another process has gone.
    """
    store = launcher_store(timedelta(seconds=LINGER))
    if store is None:
        return is_first()
    key = attempt("told")
    deadline = time.monotonic() + (LINGER if lost else 0 if is_first() else LEAD)
    while not store.check([key]):
        if time.monotonic() >= deadline:
            return bool(store.add(key, 1) == 1)
        time.sleep(0.05)
    if lost:
        time.sleep(LINGER)  # the launcher ends this process as soon as it sees the other's end
    return False


def attempt(name: str) -> str:
    """A name in the launcher's store, which stays the same one when the launcher starts its processes again."""
    return f"seqtrain/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}/{name}"


def launcher_store(patience: timedelta) -> "TCPStore | None":
    """Where processes can leave word for one another even when they are in no group, if a launcher keeps one."""
    from torch.distributed import TCPStore  # type: ignore[attr-defined]  # exported unsaid

    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return None
    try:
        address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        return TCPStore(address, port, is_master=False, timeout=patience)
    except (RuntimeError, KeyError):  # the launcher has gone
        return None
