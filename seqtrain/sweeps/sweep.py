"""The loop over a sweep's jobs: starts them where there is room, watches them, and keeps the manifest true."""

import signal
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from seqtrain.runs.compare import curve, read_json
from seqtrain.signals import STOPPING, StopFlag, stop_on_signal
from seqtrain.sweeps.board import Board
from seqtrain.sweeps.launchers import JOB_LOG, Crew, Process
from seqtrain.sweeps.manifest import Job, Manifest

SECONDS_BETWEEN_LOOKS = 0.2


class Source(ABC):
    """What chooses the jobs."""

    total: int
    """How many jobs there will be."""

    @abstractmethod
    def next(self) -> Job | None:
        """The next job to start; None if there is none until one that runs has ended, or none at all."""

    def watch(self, job: Job, values: list[float]) -> bool:
        """Whether a job isn't worth going on with, by what its validations gave so far."""
        return False

    def ended(self, job: Job, value: float | None) -> None:
        """Takes note of how a job ended.

        Args:
            job: It, with its status.
            value: Of the best validation, if it finished.
        """
        return


class Listed(Source):
    """Jobs that are all known beforehand: those of the manifest that haven't finished."""

    def __init__(self, manifest: Manifest) -> None:
        self.waiting = [job for job in manifest.jobs if job.status == "waiting"]
        self.total = len(manifest.jobs)

    def next(self) -> Job | None:
        return self.waiting.pop(0) if self.waiting else None


@dataclass
class Running:
    """A job under way, and how far it has come by its own account."""

    job: Job
    run: Path
    process: Process
    metric: str | None = None
    values: list[float] = field(default_factory=list)
    step: int = 0
    seen: tuple[int, int] = (0, 0)
    pruned: bool = False

    def look(self) -> None:
        """Reads what the run has recorded since the last look."""
        try:
            told = (self.run / "metrics.jsonl").stat()
        except OSError:
            return
        if self.seen == (told.st_mtime_ns, told.st_size):
            return
        self.seen = (told.st_mtime_ns, told.st_size)
        self.metric = self.metric or read_json(self.run / "summary.json").get("metric")
        points = curve(self.run, (self.metric or "").rpartition("/")[2])
        self.values = [value for _, value in points]
        self.step = points[-1][0] if points else 0


def run_jobs(manifest: Manifest, source: Source, crew: Crew, console: Console) -> str | None:
    """Runs jobs until there are no more, or a signal asks to stop: then each that runs saves first.

    Returns:
        The name of the signal, or None.
    """
    running: dict[int, Running] = {}
    with stop_on_signal() as stop, Board(manifest, source.total, console) as board:
        try:
            while True:
                if stop.received is None:
                    start_jobs(manifest, source, crew, running, board)
                if not running:
                    return stop.received
                time.sleep(SECONDS_BETWEEN_LOOKS)
                look_at_jobs(manifest, source, running, board, stop)
                board.show(list(running.values()))
        finally:
            for each in running.values():
                each.process.kill()


def start_jobs(manifest: Manifest, source: Source, crew: Crew, running: dict[int, Running], board: Board) -> None:
    """Starts a job in every free place, as long as there are jobs."""
    for place in range(crew.places):
        if place in running:
            continue
        job = source.next()
        if job is None:
            return
        job.status, job.reason = "running", ""
        manifest.save()
        run = manifest.path(job)
        running[place] = Running(job, run, crew.start(run, place))
        board.started(job)


def look_at_jobs(manifest: Manifest, source: Source, running: dict[int, Running], board: Board, stop: StopFlag) -> None:
    """Takes note of those that ended, and asks those to end that should."""
    for place, each in list(running.items()):
        code = each.process.poll()
        each.look()
        if code is None:
            if not each.pruned and source.watch(each.job, each.values):
                each.pruned = True
                each.process.stop()
            continue
        del running[place]
        each.job.status, each.job.reason = outcome(each, code)
        summary = read_json(each.run / "summary.json")
        best = summary.get("best", {}).get(str(summary.get("metric")).rpartition("/")[2])
        source.ended(each.job, best if each.job.status == "finished" else None)
        manifest.save()
        board.ended(each.job, summary)
    if stop.received is not None and not board.stopping:
        board.stop(stop.received, len(running))
        for each in running.values():
            each.process.stop()


def outcome(ended: Running, code: int) -> tuple[str, str]:
    """A job's status and the reason for it, by its summary, its exit code and its last words."""
    summary = read_json(ended.run / "summary.json")
    status, told = summary.get("status"), str(summary.get("ended_by") or "")
    if code == 0 and status == "finished":
        return "finished", ""
    if ended.pruned:
        return "pruned", f"after {len(ended.values)} validations"
    if status == "stopped" or -code in STOPPING or code - 128 in STOPPING:
        return "stopped", told or "before training began"
    if status == "failed" and told:
        return "failed", told
    if code < 0:
        name = signal.Signals(-code).name
        return "failed", f"killed by {name}" + (", as when memory runs out" if name == "SIGKILL" else "")
    return "failed", last_words(ended.run / JOB_LOG) or f"exit code {code}"


def last_words(log: Path) -> str:
    """The last line that a process printed, which of one that failed says why."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return last.removeprefix("seqtrain: ")
