"""What a run shows of itself on the terminal when it begins and when it ends."""

import json
import shlex
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.constrain import Constrain
from rich.markup import escape
from rich.measure import Measurement
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from seqtrain.config import RunConfig
from seqtrain.logs.numbers import leaf, number
from seqtrain.logs.runlog import METRICS
from seqtrain.model import Model
from seqtrain.models import Part, parts
from seqtrain.runs.leaderboard import duration
from seqtrain.runs.run_folder import CONFIG
from seqtrain.spec import Align
from seqtrain.tasks import Split, Task
from seqtrain.training.trainer import Trainer

WIDEST = 100
"""Columns of a panel: what is wider is no easier to read."""


def start_panel(config: RunConfig, model: Model, trainer: Trainer, baseline: dict[str, float]) -> RenderableType:
    """What is about to be trained."""
    data = facts_table()
    sizes = [f"{len(trainer.task.examples(split)):,} {split}" for split in (Split.TRAIN, Split.VAL)]
    data.add_row("data", ", ".join(sizes))
    for note in trainer.task.notes():
        data.add_row("note", note)
    metric = trainer.task.metric
    others = "".join(f", {name} {number(value)}" for name, value in baseline.items() if name != metric)
    data.add_row("to beat", f"{metric} {number(baseline[metric])}{others}  [dim]the trivial answer on val[/]")
    precision = str(trainer.precision or torch.float32).removeprefix("torch.")
    together = f", {trainer.team.size} processes" if trainer.team.size > 1 else ""
    data.add_row("device", f"{trainer.device}, {precision}, seed {config.seed}{together}")
    folder = "none: a dry run keeps nothing" if config.trainer.dry_run else str(shown(trainer.log.folder))
    data.add_row("run", folder)
    if trainer.progress.step:
        data.add_row("resumed", f"after step {trainer.progress.step}")
    title = f"[bold]{config.model_name}[/] on [bold]{config.task_name}[/]"
    return framed(Group(Parts(parts(model)), "", data), title, "cyan")


def end_panel(summary: dict[str, Any], folder: Path, task: Task) -> RenderableType:
    """How the run went beside the trivial answer, the curve it took, and what to do next."""
    watched, facts = summary["metric"], facts_table()
    values = curve(folder / METRICS, watched)
    if len(values) > 1:
        facts.add_row("curve", Sparkline(values))
        facts.add_row(
            "", f"[dim]{watched}, {number(values[0])} to {number(values[-1])} in {len(values)} validations[/]"
        )
    facts.add_row("took", took(summary))
    facts.add_row("run", str(shown(folder)))
    for name, command in next_commands(summary["status"], folder, task):
        facts.add_row(name, f"[cyan]{escape(command)}[/]")
    scores = scores_table(summary, leaf(watched))
    title = f"{summary['status']} ({summary['ended_by']})"
    style = "green" if summary["status"] == "finished" else "yellow"
    return framed(Group(*scores, facts), title, style)


def took(summary: dict[str, Any]) -> str:
    """`1,500 steps, 2.5 epochs, 0:12`: how long a run was."""
    steps, epochs = summary["steps"], f"{summary['epochs']:.4g}"
    return ", ".join(
        (
            f"{steps:,} step{'s' * (steps != 1)}",
            f"{epochs} epoch{'s' * (epochs != '1')}",
            duration(summary["seconds"]),
        )
    )


def framed(content: RenderableType, title: str, style: str) -> RenderableType:
    """A panel, as wide as the terminal up to a width that is still easy to read."""
    return Constrain(Panel(content, title=title, title_align="left", border_style=style), WIDEST)


def scores_table(summary: dict[str, Any], watched: str) -> list[RenderableType]:
    """A row for each metric, the watched one first; nothing where nothing was scored."""
    best = {name: value for name, value in summary["best"].items() if name != "step"}
    columns = {f"val, step {summary['best']['step']:,}": best, "test": summary["test"], "to beat": summary["baseline"]}
    columns = {name: values for name, values in columns.items() if values}
    names = sorted(dict.fromkeys([*best, *summary["test"]]), key=lambda name: name != watched)
    if not names:
        return []
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column()
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for name in names:
        cells = (number(values[name]) if name in values else "" for values in columns.values())
        table.add_row(name, *cells, style="bold" if name == watched else "")
    return [table, ""]


def next_commands(status: str, folder: Path, task: Task) -> list[tuple[str, str]]:
    """What to try with a run, and the command line that does it, as far as its task allows."""
    folder = folder.absolute()
    below = folder.is_relative_to(Path.cwd() / "outputs")
    name = "last" if below and is_newest(folder) else shlex.quote(str(shown(folder)))
    if status != "finished":
        return [("go on", f"seqtrain resume {name}")]
    found = [("score", f"seqtrain eval {name}")]
    if answers_new_input(task):
        found.append(("ask", f"seqtrain predict {name} " + ("--text '...'" if task.takes_text else "FILE")))
    if task.ahead is not None or task.outline.align is Align.FREE or task.outline.continues:
        found.append(("go on", f"seqtrain generate {name}"))
    found.append(("why", f"seqtrain explain {name}"))
    found.append(("look", f"tensorboard --logdir {'outputs' if below else shlex.quote(str(shown(folder)))}"))
    return found


def answers_new_input(task: Task) -> bool:
    """Whether a task reads what a user gives it."""
    return type(task).new_inputs is not Task.new_inputs


def is_newest(folder: Path) -> bool:
    """Whether it is what a command line calls `last`."""
    configs = {path.parent: path.stat().st_mtime_ns for path in (Path.cwd() / "outputs").rglob(CONFIG)}
    return bool(configs) and max(configs, key=configs.__getitem__) == folder


def curve(path: Path, name: str) -> list[float]:
    """The values of a name in the order in which a run's metrics file has them; none if it can't be read."""
    values: list[float] = []
    with suppress(OSError, ValueError, AttributeError):
        for line in path.read_text(encoding="utf-8").splitlines():
            value = json.loads(line).get(name)
            if isinstance(value, int | float):
                values.append(float(value))
    return values


class Sparkline:
    """Values as bars in one line, as wide as there is room, the lowest value lowest."""

    bars, plain_bars = "▁▂▃▄▅▆▇█", "_.-~=*#@"
    most = 48

    def __init__(self, values: Sequence[float]) -> None:
        self.values = values

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(self.drawn(min(options.max_width, self.most), self.plain_bars if options.ascii_only else self.bars))

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        width = min(len(self.values), self.most, options.max_width)
        return Measurement(min(width, 8), width)

    def drawn(self, width: int, bars: str) -> str:
        """A bar for each value; where there are too many, for the mean of each of so many neighbouring groups."""
        count = min(width, len(self.values))
        edges = [round(i * len(self.values) / count) for i in range(count + 1)]
        means = [mean(self.values[start:end]) for start, end in pairwise(edges)]
        low, high = min(means), max(means)
        return "".join(bars[round((len(bars) - 1) * (value - low) / (high - low or 1))] for value in means)


class Parts:
    """A table of a model's parts with what they are, their parameters and products a step, and the sums.

    Where it is narrow, parameters alone stand beside what each is.
    """

    wide = 68

    def __init__(self, built: Iterable[Part]) -> None:
        self.built = list(built)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        counts = ("parameters", "multiply-adds a step") if options.max_width >= self.wide else ("parameters",)
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for name in counts:
            table.add_column(name, justify="right", no_wrap=True)
        rows = [(part.parameters, part.multiply_adds)[: len(counts)] for part in self.built]
        for part, row in zip(self.built, rows, strict=True):
            table.add_row(f"[bold]{part.name}[/]", escape(part.description), *(f"{count:,}" for count in row))
        table.add_row("", "", *(f"{sum(column):,}" for column in zip(*rows, strict=True)), style="dim")
        yield table


def facts_table() -> Table:
    """An empty table of names and what they are."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    return table


def shown(folder: Path) -> Path:
    """A folder as the user would type it: relative, if it lies below the current one."""
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder
