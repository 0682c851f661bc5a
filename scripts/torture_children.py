"""Runs of seqtrain in forked children, which can be killed, and what their folders hold afterwards.

Starting Python and torch takes seconds, and there are thousands of runs to torture: everything that a run imports is
imported here once, and each attempt is a fork that calls the command line's `main`.
"""

import atexit
import io
import json
import logging
import os
import resource
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
import yaml

from seqtrain.cli import main
from seqtrain.errors import CheckpointError
from seqtrain.runs.summary import git_commit
from seqtrain.training import checkpoint

TINY = [
    "task=translation", "task.kind=reverse", "task.length=4", "task.train_size=320", "task.val_size=32",
    "task.test_size=32", "model=seq2seq", "model.hidden_size=8", "model.num_layers=2", "model.dropout=0.2",
    "device=cpu", "trainer.batch_size=16", "trainer.accumulate=2", "trainer.log_every=1", "trainer.eval_every=50",
    "trainer.pictures_every=1000000", "trainer.ema=0.9", "trainer.checkpoint_every=3", "trainer.keep_best=2",
    "trainer.max_epochs=null",
]  # fmt: skip
"""A run that saves often and stops anywhere: within an epoch, with dropout, accumulation, averaged weights and a
vocabulary. Its pictures are texts: drawing others would take most of the time."""

PAGE_BYTES = resource.getpagesize()


@dataclass
class Child:
    """A process that runs one command line; its output goes to files.

    Attributes:
        pid: Its process id.
        output: Where it writes; `.err` beside it holds what it says on standard error.
        code: As a shell tells it, 128 + the signal for a killed one; None while it runs.
    """

    pid: int
    output: Path
    code: int | None = None

    def wait(self, seconds: float = 600.0) -> int | None:
        """The exit code, or None if it is still running after so long."""
        if self.code is None:
            handle = os.pidfd_open(self.pid)
            try:
                ended, _, _ = select.select([handle], [], [], seconds)
            finally:
                os.close(handle)
            if ended:
                code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
                self.code = code if code >= 0 else 128 - code
                self.signalled = code < 0
        return self.code

    def running(self) -> bool:
        """Whether it hasn't ended yet."""
        return self.wait(0.0) is None

    def kill(self, number: signal.Signals) -> None:
        """Sends a signal."""
        os.kill(self.pid, number)

    def error(self) -> str:
        """What it said on standard error."""
        return self.output.with_suffix(".err").read_text(errors="replace")

    def until(self, happened: Callable[[], bool], seconds: float = 120.0) -> bool:
        """Waits for something as closely as can be; False if the child ends before, or it takes too long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if happened():
                return True
            if not self.running():
                return False
            time.sleep(0.0002)
        return False


def fork(arguments: list[str], output: Path, *, cwd: Path, more_bytes: int | None = None) -> Child:
    """Starts a command line in a child.

    Args:
        arguments: After `seqtrain`.
        output: The file for its standard output.
        cwd: Its current folder.
        more_bytes: How much its address space may grow; None is no limit.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return Child(pid, output)
    code = 1
    try:
        os.chdir(cwd)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, path in ((1, output), (2, output.with_suffix(".err"))):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), number)
        if more_bytes is not None:
            limit = resident_or_virtual(os.getpid(), 0) + more_bytes
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        code = main(arguments)
        threading._shutdown()  # as the interpreter does: what is still being saved is waited for
        atexit._run_exitfuncs()
    except SystemExit as asked:
        code = asked.code if isinstance(asked.code, int) else int(asked.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def resident_or_virtual(pid: int, column: int) -> int:
    """Bytes of a process: column 0 of its address space, 1 in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[column]) * PAGE_BYTES


def warm_up(folder: Path) -> None:
    """Imports all that a run imports, as told by a run in a child, so that a fork starts in no time."""
    torch.set_num_threads(1)
    names = folder / "modules.txt"
    pid = os.fork()
    if not pid:
        try:
            os.chdir(folder)
            os.dup2(os.open(folder / "warm_up.out", os.O_WRONLY | os.O_CREAT), 1)
            code = main([*TINY, "trainer.max_steps=2", "run_dir=warm_up"])
            names.write_text("\n".join(sys.modules))
        finally:
            os._exit(code)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
        raise SystemExit(f"the plain run fails already: see {folder / 'warm_up.out'}")
    for name in names.read_text().split("\n"):
        if name not in sys.modules and not name.startswith("__"):
            try:
                import_module(name)
            except ImportError:  # a name that is no module by itself
                continue
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained")  # the first one looks for fonts
    figure.subplots().set_title("warm")
    figure.savefig(io.BytesIO())
    git_commit()  # is remembered
    assert threading.active_count() == 1, "a process with threads must not be forked"


# -------------------------------------------------------------------- what a folder holds


def last_step(run: Path) -> int:
    """The step of the last whole row of metrics.jsonl that is not of the test; 0 if there is none."""
    try:
        lines = (run / "metrics.jsonl").read_bytes().split(b"\n")
    except FileNotFoundError:
        return 0
    return next((json.loads(line)["step"] for line in reversed(lines[:-1]) if line and b"test/" not in line), 0)


def has_finished(run: Path) -> bool:
    """Whether a run has come to its end."""
    path = run / "summary.json"
    return path.exists() and json.loads(path.read_text())["status"] == "finished"


def saved_step(run: Path) -> int:
    """The step of the last checkpoint."""
    return int(checkpoint.load(run / "checkpoints" / "last.pt")["progress"]["step"])


def unreadable(run: Path) -> Iterator[str]:
    """What in a run folder can't be read, but for files that are still being written and a last line cut short."""
    for path in sorted(run.rglob("*")):
        if path.is_dir() or path.name.endswith(".tmp"):
            continue
        try:
            if path.suffix == ".pt":
                checkpoint.load(path)
            elif path.suffix == ".yaml":
                yaml.safe_load(path.read_text())
            elif path.suffix == ".json":
                json.loads(path.read_text())
            elif path.suffix == ".jsonl":
                for line in path.read_bytes().split(b"\n")[:-1]:
                    json.loads(line)
        except (CheckpointError, ValueError, yaml.YAMLError) as error:
            yield f"{path}: {error}"


def differences(run: Path, reference: Path, *, gaps: bool = False) -> Iterator[str]:
    """In what two finished runs differ that should be alike bit for bit; times are left out.

    Args:
        run: What was disturbed.
        reference: What was not.
        gaps: Whether the run has said that points are missing from TensorBoard's curves.
    """
    for name in ("last.pt", "best.pt"):
        try:
            found, wanted = (checkpoint.load(folder / "checkpoints" / name) for folder in (run, reference))
        except CheckpointError as error:
            yield str(error)
            continue
        for part in found.keys() | wanted.keys():
            if not same(found.get(part), wanted.get(part)):
                yield f"{name}: another {part}"
    if rows(run) != rows(reference):
        yield f"metrics.jsonl: {len(rows(run))} rows, not the {len(rows(reference))} of the undisturbed run"
    found, wanted = scalars(run), scalars(reference)
    if found != wanted and not (gaps and all(found[name].items() <= wanted[name].items() for name in found)):
        yield "tensorboard: other curves"
    left = [path.name for path in run.rglob("*.tmp")]
    if left:
        yield f"left behind: {', '.join(left)}"


def same(one: Any, other: Any) -> bool:
    """Whether two values of a checkpoint are the same bits, but for times."""
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(key == "seconds" or same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def rows(run: Path) -> list[dict[str, Any]]:
    """What metrics.jsonl holds, without times."""
    timed = ("seconds", "_per_second")
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [{key: value for key, value in json.loads(line).items() if not key.endswith(timed)} for line in lines]


def scalars(run: Path) -> dict[str, dict[int, float]]:
    """The curves as TensorBoard shows them, without times."""
    logging.getLogger("tensorboard").setLevel(logging.ERROR)  # it tells of each purge
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    tags = [tag for tag in events.Tags()["scalars"] if "per_second" not in tag]
    return {tag: {event.step: event.value for event in events.Scalars(tag)} for tag in tags}
