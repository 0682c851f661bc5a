"""What a sweep shows while it runs: a line for each job that ends, and below, on a terminal, those that run."""

import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from seqtrain.logs.bar import BarLine
from seqtrain.logs.numbers import clock
from seqtrain.runs.leaderboard import digits, duration
from seqtrain.sweeps.manifest import Job, Manifest

if TYPE_CHECKING:
    from seqtrain.sweeps.sweep import Running

STYLES = {"finished": "green", "failed": "bold red", "stopped": "yellow", "pruned": "dim"}
DONE = ("finished", "failed", "pruned")


class Board:
    """The progress of a sweep on the console."""

    def __init__(self, manifest: Manifest, total: int, console: Console) -> None:
        """Shows nothing yet.

        Args:
            manifest: The sweep's.
            total: How many jobs there will be.
            console: Where to.
        """
        self.manifest = manifest
        self.total = total
        self.console = console
        self.stopping = False
        self.bar = BarLine(total)
        self.start = self.latest = (time.perf_counter(), self.done)
        self.live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None

    @property
    def done(self) -> int:
        """How many jobs there is nothing more to do for."""
        return sum(each.status in DONE for each in self.manifest.jobs)

    def __enter__(self) -> "Board":
        if self.live is not None:
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live is not None:
            self.live.stop()

    def say(self, text: str, style: str = "") -> None:
        """Prints a line above what is shown of running jobs."""
        self.line(Text(text, style=style))

    def line(self, text: Text) -> None:
        """Prints a line: on a terminal broken between words, elsewhere not at all."""
        self.console.print(text, soft_wrap=not self.console.is_terminal, highlight=False)

    def started(self, job: Job) -> None:
        """Off a terminal a line says so; on one, the job is shown as long as it runs."""
        if self.live is None:
            self.say(f"started {job.folder}{self.words(job)}")

    def ended(self, job: Job, summary: dict[str, Any]) -> None:
        """A line on how a job ended, at once and for good."""
        line = Text(f"[{self.done}/{self.total}] ", style="dim")
        line.append(job.status, style=STYLES.get(job.status, ""))
        line.append(f" {job.folder}{self.words(job)}", style="default not dim")
        metric = str(summary.get("metric", ""))
        best = summary.get("best", {}).get(metric.rpartition("/")[2])
        if job.status in ("failed", "stopped", "pruned"):
            line.append(f": {job.reason}", style=STYLES[job.status])
        elif best is not None:
            line.append(f"  {metric} {digits(best)}  {duration(float(summary.get('seconds', 0)))}", style="default")
        self.line(line)

    def stop(self, signal: str, count: int) -> None:
        """Says that the sweep was asked to stop."""
        self.stopping = True
        self.say(f"{signal}: running jobs save and end ({count}); once more ends them at once", "yellow")

    def show(self, running: "Sequence[Running]") -> None:
        """Draws the jobs that run, on a terminal."""
        if self.live is None:
            return
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        for _ in range(4):
            table.add_column(no_wrap=True)
        for each in running:
            value = f"{each.metric} {digits(each.values[-1])}" if each.values and each.metric else ""
            progress = f"step {each.step}" if each.step else "starting"
            table.add_row(Text(each.job.folder, style="cyan"), Text(self.words(each.job).strip()), progress, value)
        pieces = {"pace": f"{len(running)} running"}
        if (left := self.seconds_left(time.perf_counter())) is not None:
            pieces["left"] = f"{clock(left)} left"
        self.bar.show(self.done, pieces)
        self.live.update(Group(table, self.bar), refresh=True)

    def seconds_left(self, now: float) -> float | None:
        """How long the rest would take if jobs went on to end as often as up to the latest that did; None before one.

        It counts down until the next one ends, however long that takes.
        """
        if self.done != self.latest[1]:
            self.latest = (now, self.done)
        (began, before), (then, done) = self.start, self.latest
        if done <= before:
            return None
        return max((self.total - done) * (then - began) / (done - before) - (now - then), 0.0)

    def words(self, job: Job) -> str:
        """What sets a job apart from the others, after a gap; nothing of a job that is alone."""
        told = " ".join(each for each in job.overrides if each not in self.manifest.overrides)
        return f"  {told}" if told else ""
