"""What a sweep shows while it runs: a line for each job that ends, and below, on a terminal, those that run."""

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

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
        self.live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None

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
        self.console.print(Text(text, style=style), soft_wrap=True)

    def started(self, job: Job) -> None:
        """Off a terminal a line says so; on one, the job is shown as long as it runs."""
        if self.live is None:
            self.say(f"started {job.folder}{self.words(job)}")

    def ended(self, job: Job, summary: dict[str, Any]) -> None:
        """A line on how a job ended, at once and for good."""
        done = sum(each.status in DONE for each in self.manifest.jobs)
        line = Text(f"[{done}/{self.total}] ", style="dim")
        line.append(job.status, style=STYLES.get(job.status, ""))
        line.append(f" {job.folder}{self.words(job)}", style="default not dim")
        metric = str(summary.get("metric", ""))
        best = summary.get("best", {}).get(metric.rpartition("/")[2])
        if job.status in ("failed", "stopped", "pruned"):
            line.append(f": {job.reason}", style=STYLES[job.status])
        elif best is not None:
            line.append(f"  {metric} {digits(best)}  {duration(float(summary.get('seconds', 0)))}", style="default")
        self.console.print(line, soft_wrap=True, highlight=False)

    def stop(self, signal: str, count: int) -> None:
        """Says that the sweep was asked to stop."""
        self.stopping = True
        self.say(f"{signal}: running jobs save and end ({count}); once more ends them at once", "yellow")

    def show(self, running: "Sequence[Running]") -> None:
        """Draws the jobs that run, on a terminal."""
        if self.live is None:
            return
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        for each in running:
            value = f"{each.metric} {digits(each.values[-1])}" if each.values and each.metric else ""
            progress = f"step {each.step}" if each.step else "starting"
            table.add_row(Text(each.job.folder, style="cyan"), Text(self.words(each.job).strip()), progress, value)
        done = sum(each.status in DONE for each in self.manifest.jobs)
        line = Text(f"{done} of {self.total} done, {len(running)} running", style="dim")
        self.live.update(Group(table, line), refresh=True)

    def words(self, job: Job) -> str:
        """What sets a job apart from the others, after a gap; nothing of a job that is alone."""
        told = " ".join(each for each in job.overrides if each not in self.manifest.overrides)
        return f"  {told}" if told else ""
