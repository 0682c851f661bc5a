"""A comparison to look at: a table for the terminal, Markdown, CSV and JSON, and the curves as a picture."""

import csv
import io
import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from seqtrain.runs.compare import Comparison, Group, Run, Score, curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from rich.console import Console
    from rich.table import Table

SPLITS = ("val", "test")
"""What is shown; the first ranks, always: the test split chooses nothing."""

COLOURS = ("#1f6f8b", "#d1495b", "#edae49", "#5a9367", "#7d5ba6", "#2e4057", "#f08a5d", "#8d99ae", "#a3b18a", "#b56576")
"""Of the curves, the best group first."""

LONGEST_REASON = 120
"""Characters on the terminal of why a run isn't counted; the run's summary has all of it."""

INK, FAINT = "#20303c", "#c9d3da"


def show(found: Comparison, console: "Console", splits: Sequence[str] = SPLITS) -> None:
    """Prints the leaderboard, and why some runs aren't on it. A narrow terminal gets fewer columns."""
    from rich.measure import Measurement

    unbounded = console.options.update(max_width=10_000)
    left_out: list[str] = []
    for dispensable in ("best val", "time", "parameters"):
        if Measurement.get(console, unbounded, table(found, splits, left_out)).maximum <= console.width:
            break
        left_out.append(dispensable)
    if found.groups:
        console.print(table(found, splits, left_out))
    else:
        console.print("no run has finished yet")
    for line in unfinished(found):
        told = shorten(f"not counted: {line}", LONGEST_REASON, placeholder=" ...")
        console.print(told, markup=False, highlight=False, soft_wrap=not console.is_terminal)


def table(found: Comparison, splits: Sequence[str] = SPLITS, left_out: Sequence[str] = ()) -> "Table":
    """The leaderboard for a terminal, without some columns."""
    from rich.table import Table
    from rich.text import Text

    arrow = "higher" if found.higher_is_better else "lower"
    drawn = Table(
        title=f"{found.task}: by val/{found.metric}, {arrow} is better",
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
        header_style="dim",
    )
    names = header(found, splits)
    kept = [place for place, name in enumerate(names) if name not in left_out]
    for place in kept:
        if place < len(found.columns):
            drawn.add_column(names[place], style="cyan", overflow="fold")
        elif place == len(names) - 1:
            drawn.add_column(names[place], overflow="fold")
        else:
            drawn.add_column(names[place], justify="right", no_wrap=True)
    for row, cells in enumerate(rows(found, splits)):
        drawn.add_row(*(Text(cells[place]) for place in kept), style="bold" if row == 0 else "")
    return drawn


def markdown(found: Comparison, splits: Sequence[str] = SPLITS) -> str:
    """The leaderboard as a page of Markdown."""
    arrow = "higher" if found.higher_is_better else "lower"
    lines = [
        f"# {found.task}",
        "",
        f"Ranked by `val/{found.metric}`, {arrow} is better; mean ± sample standard deviation.",
        "",
    ]
    names = header(found, splits)
    left = {*range(len(found.columns)), len(names) - 1}
    lines += [pipes(names), "|" + "".join("---|" if place in left else "---:|" for place in range(len(names)))]
    lines += [pipes(cells) for cells in rows(found, splits)]
    if found.unfinished:
        lines += ["", "Not counted:", "", *(f"- {line}" for line in unfinished(found))]
    return "\n".join(lines) + "\n"


def pipes(cells: Iterable[str]) -> str:
    """A row of a Markdown table."""
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"


def header(found: Comparison, splits: Sequence[str]) -> list[str]:
    """What stands above the columns; a key by its last part, where that is enough."""
    last = [column.rpartition(".")[2] for column in found.columns]
    choices = [column if last.count(short) > 1 else short for column, short in zip(found.columns, last, strict=True)]
    return [*choices, *splits, "best val", "runs", "parameters", "time", "best run"]


def rows(found: Comparison, splits: Sequence[str]) -> list[list[str]]:
    """The cells of each group, best first."""
    root = common_folder(found)
    told = []
    for group in found.groups:
        best = group.best.value("val", found.metric)
        count = (
            f"{len(group.runs)} of {len(group.runs) + group.unfinished}" if group.unfinished else str(len(group.runs))
        )
        told.append(
            [
                *(word(value) for value in group.choice.values()),
                *(spread(group.scores.get(split)) for split in splits),
                "" if best is None else digits(best),
                count,
                " to ".join(f"{number:,}" for number in sorted({group.parameters[0], group.parameters[-1]})),
                duration(group.seconds),
                str(Path(os.path.relpath(group.best.folder, root))),
            ]
        )
    return told


def unfinished(found: Comparison) -> list[str]:
    """A line on each run that isn't counted, and one on all that haven't begun."""
    root = common_folder(found)
    begun = [run for run in found.unfinished if run.status != "waiting"]
    lines = [
        f"{os.path.relpath(run.folder, root)}: {run.status}" + (f" ({run.reason})" if run.reason else "")
        for run in begun
    ]
    waiting = len(found.unfinished) - len(begun)
    return [*lines, f"{waiting} that haven't begun"] if waiting else lines


def common_folder(found: Comparison) -> Path:
    """The folder below which all runs lie."""
    runs = [run for group in found.groups for run in group.runs] + list(found.unfinished)
    return Path(os.path.commonpath([run.folder.parent for run in runs]))


# -------------------------------------------------------------------- for programs


def as_csv(found: Comparison) -> str:
    """The leaderboard as CSV, with every digit."""
    scores = [f"{split}/{found.metric}{what}" for split in SPLITS for what in ("", "_std", "_of_best_run")]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*found.columns, *scores, "runs", "unfinished", "parameters", "seconds", "best_run"])
    for group in found.groups:
        told = [group.scores.get(split) for split in SPLITS]
        writer.writerow(
            [
                *(word(value) for value in group.choice.values()),
                *(
                    cell
                    for each in told
                    for cell in (("", "", "") if each is None else (each.mean, each.std, each.of_best))
                ),
                len(group.runs),
                group.unfinished,
                " to ".join(str(number) for number in sorted({group.parameters[0], group.parameters[-1]})),
                round(group.seconds, 3),
                str(group.best.folder),
            ]
        )
    return file.getvalue()


def as_object(found: Comparison) -> dict[str, Any]:
    """The leaderboard as plain containers, for JSON."""
    return {
        "task": found.task,
        "metric": found.metric,
        "higher_is_better": found.higher_is_better,
        "groups": [group_object(group, found.metric) for group in found.groups],
        "unfinished": [
            {"folder": str(run.folder), "status": run.status, "reason": run.reason} for run in found.unfinished
        ],
    }


def group_object(group: Group, metric: str) -> dict[str, Any]:
    """A group as plain containers; what isn't a number is null."""
    return {
        "choice": group.choice,
        **{
            split: {"mean": finite(each.mean), "std": each.std, "of_best_run": finite(each.of_best)}
            for split, each in group.scores.items()
        },
        "runs": [run_object(run, metric) for run in group.runs],
        "unfinished": group.unfinished,
        "parameters": group.parameters,
        "seconds": round(group.seconds, 3),
        "best_run": str(group.best.folder),
    }


def run_object(run: Run, metric: str) -> dict[str, Any]:
    """A run as plain containers."""
    values = {split: finite(run.value(split, metric)) for split in SPLITS}
    return {"folder": str(run.folder), "seed": run.config.get("seed"), **values}


def finite(value: float | None) -> float | None:
    """The value, or None where JSON has no word for it."""
    return value if value is not None and math.isfinite(value) else None


# -------------------------------------------------------------------- the picture


def picture(found: Comparison) -> "Figure":
    """The validation curves: each run faint, a group's mean over it, and a band of one standard deviation."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(8.5, 4.8), dpi=120, layout="constrained")
    axes = drawn.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8, colors=INK)
    for place in reversed(range(len(found.groups))):  # the best on top
        draw_group(axes, found, place)
    axes.set_xlabel("optimizer step", fontsize=9, color=INK)
    axes.set_ylabel(f"val/{found.metric}", fontsize=9, color=INK)
    title = found.task + ": " + ", ".join(found.columns) if found.columns else found.task
    axes.set_title(title, fontsize=10, color=INK, loc="left")
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        axes.legend(
            handles[::-1], labels[::-1], fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5)
        )
    return drawn


def draw_group(axes: "Axes", found: Comparison, place: int) -> None:
    """One group's curves; those past the ten best are gray and without a name."""
    import numpy as np

    group = found.groups[place]
    named = place < len(COLOURS)
    colour = COLOURS[place] if named else FAINT
    curves = [points for run in group.runs if (points := curve(run.folder, found.metric))]
    if not curves:
        return
    for points in curves:
        axes.plot(*zip(*points, strict=True), color=colour, linewidth=0.7, alpha=0.45 if len(curves) > 1 else 0)
    # A mean is drawn as far as all of its runs come: it would jump where one ends.
    first, last = max(points[0][0] for points in curves), min(points[-1][0] for points in curves)
    steps = sorted({step for points in curves for step, _ in points if first <= step <= last})
    if not steps:
        return
    values = np.array([np.interp(steps, [step for step, _ in run], [value for _, value in run]) for run in curves])
    mean = values.mean(0)
    label = f"{place + 1}. {label_of(group)}" if named else None
    marker = "o" if len(steps) == 1 else None
    axes.plot(steps, mean, color=colour, linewidth=1.8, marker=marker, label=label)
    if len(curves) > 1:
        std = values.std(0, ddof=1)
        axes.fill_between(steps, mean - std, mean + std, color=colour, alpha=0.18, linewidth=0)


def png(found: Comparison) -> bytes:
    """The picture as a file's content."""
    file = io.BytesIO()
    picture(found).savefig(file, format="png")
    return file.getvalue()


def label_of(group: Group) -> str:
    """What tells a group from the others."""
    named = ((key.rpartition(".")[2], value) for key, value in group.choice.items())
    told = ", ".join(value if isinstance(value, str) else f"{key} {word(value)}" for key, value in named) or "all"
    return f"{told[:40]} (n={len(group.runs)})"


# -------------------------------------------------------------------- small things


def word(value: Any) -> str:
    """A choice as YAML would have it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(word(each) for each in value) + "]"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def spread(score: Score | None) -> str:
    """`0.350 ± 0.012`: the spread in two digits, the mean to the same place."""
    if score is None:
        return ""
    if score.std is None or score.std == 0 or not math.isfinite(score.mean):
        return digits(score.mean) + (" ± 0" if score.std == 0 else "")
    places = max(0, 1 - math.floor(math.log10(score.std)))
    if places > 8:
        return f"{score.mean:.4g} ± {score.std:.1g}"
    return f"{score.mean:.{places}f} ± {score.std:.{places}f}"


def digits(value: float) -> str:
    """A value in four significant digits."""
    return f"{value:.4g}" if abs(value) < 10_000 else f"{value:,.0f}"


def duration(seconds: float) -> str:
    """A time as 1:23:45, 23:45, or 12.3 s below a minute."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
