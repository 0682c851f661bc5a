"""What a run shows of itself on the terminal when it begins and when it ends."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from rich.console import Group
from rich.panel import Panel
from rich.table import Table

from seqtrain.config import RunConfig
from seqtrain.model import Model
from seqtrain.models import Part, parts
from seqtrain.runlog import number
from seqtrain.tasks import Split
from seqtrain.trainer import Trainer


def start_panel(config: RunConfig, model: Model, trainer: Trainer, baseline: dict[str, float]) -> Panel:
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
    data.add_row("run", str(shown(trainer.log.folder)))
    if trainer.progress.step:
        data.add_row("resumed", f"after step {trainer.progress.step}")
    title = f"[bold]{config.model_name}[/] on [bold]{config.task_name}[/]"
    return Panel(Group(parts_table(parts(model)), "", data), title=title, title_align="left", border_style="cyan")


def end_panel(summary: dict[str, Any], folder: Path) -> Panel:
    """How the run went, and what to do next."""
    folder = shown(folder)
    body = facts_table()
    best = {name: value for name, value in summary["best"].items() if name != "step"}
    for name, values in (("best val", best), ("test", summary["test"])):
        if values:
            body.add_row(name, "  ".join(f"{metric} {number(value)}" for metric, value in values.items()))
    body.add_row("trained", f"{summary['steps']:,} steps, {summary['epochs']:g} epochs, {summary['seconds']:.1f} s")
    body.add_row("run", str(folder))
    if summary["status"] == "stopped":
        body.add_row("go on", f"seqtrain resume {folder}")
    body.add_row("look", f"tensorboard --logdir {folder}")
    title = f"{summary['status']} ({summary['ended_by']})"
    return Panel(
        body, title=title, title_align="left", border_style="green" if summary["status"] == "finished" else "yellow"
    )


def parts_table(parts: Iterable[Part]) -> Table:
    """A table of a model's parts with what they are, their parameters and products a step, and the sums."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column()
    table.add_column()
    table.add_column("parameters", justify="right")
    table.add_column("multiply-adds a step", justify="right")
    built = list(parts)
    for part in built:
        table.add_row(f"[bold]{part.name}[/]", part.description, f"{part.parameters:,}", f"{part.multiply_adds:,}")
    sums = (sum(part.parameters for part in built), sum(part.multiply_adds for part in built))
    table.add_row("", "", *(f"{total:,}" for total in sums), style="dim")
    return table


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
