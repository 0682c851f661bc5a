"""What a run says of itself in its folder: its figures, its command line, and how its training went."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqtrain.explain.charts import Axes, Dot, Line, plot
from seqtrain.explain.markup import bar, table, text
from seqtrain.logs.numbers import leaf, number
from seqtrain.logs.runlog import METRICS, SUMMARY

Points = list[tuple[int, float]]


@dataclass(frozen=True)
class History:
    """A training as it was recorded.

    Attributes:
        summary: What summary.json holds; empty if it can't be read.
        points: By name, as `val/loss`, the steps and values in their order.
    """

    summary: dict[str, Any]
    points: dict[str, Points]

    @property
    def metric(self) -> str:
        """The metric that picked the best checkpoint, by its name alone; nothing if the run doesn't tell."""
        return leaf(str(self.summary.get("metric", "")))

    def values(self, of: str) -> dict[str, float]:
        """The metrics of `best`, `test` or `baseline` by name; none if the run doesn't tell."""
        found = self.summary.get(of)
        if not isinstance(found, dict):
            return {}
        return {
            name: float(value) for name, value in found.items() if isinstance(value, int | float) and name != "step"
        }


def read_history(folder: Path) -> History:
    """Reads a run folder; what is missing or damaged is left out."""
    try:
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        summary = {}
    points: dict[str, Points] = {}
    try:
        lines = (folder / METRICS).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        lines = []
    for line in lines:
        try:
            row = json.loads(line)
            step = int(row["step"])
        except (ValueError, TypeError, KeyError):
            continue
        for name, value in row.items():
            if "/" in name and isinstance(value, int | float):
                points.setdefault(name, []).append((step, float(value)))
    return History(summary if isinstance(summary, dict) else {}, points)


def figures(history: History, trivial: str) -> str:
    """Best and test metrics beside those of the trivial answer, as bars and as a table; nothing where there are none.

    Args:
        history: Of the run.
        trivial: What the trivial answer is, in a sentence.
    """
    best, test, baseline = (history.values(of) for of in ("best", "test", "baseline"))
    metric, columns = history.metric, {"validation": best, "test": test, "to beat": baseline}
    if metric not in best:
        return ""
    shown = {name: values[metric] for name, values in columns.items() if metric in values}
    most = max(shown.values()) or 1.0
    if history.summary.get("higher_is_better") and 0 <= most <= 1:
        most = 1.0
    rows = [bar(name, value / most, number(value), good=False) for name, value in shown.items()]
    direction = "more" if history.summary.get("higher_is_better") else "less"
    names = sorted(best | test, key=lambda name: name != metric)
    used = {name: values for name, values in columns.items() if values}
    cells = [[name, *(number(part[name]) if name in part else "" for part in used.values())] for name in names]
    told = f'<p class="small"><b>To beat.</b> {text(trivial)}</p>' if baseline and trivial else ""
    verdict = _verdict(metric, best, baseline, higher=bool(history.summary.get("higher_is_better")))
    return (
        f'<p>{text(verdict)}</p><div class="bars wide"><p class="small">{text(metric)}, {direction} is better</p>'
        f"{''.join(rows)}</div>{told}{table(cells, ['', *used], 'strong')}"
    )


def _verdict(metric: str, best: dict[str, float], baseline: dict[str, float], *, higher: bool) -> str:
    """One sentence on the model and the trivial answer."""
    if metric not in baseline:
        return f"The best checkpoint has {metric} {number(best[metric])} on validation data."
    mine, other = best[metric], baseline[metric]
    begin = f"On validation data the model's {metric} is {number(mine)}, the trivial answer's {number(other)}"
    if (mine <= other) if higher else (mine >= other):
        return f"{begin}: so far it has learned nothing that the trivial answer doesn't know."
    if higher:
        return f"{begin}."
    return f"{begin}: {number(other / mine)} times as much." if mine > 0 else f"{begin}."


def curves(history: History) -> str:
    """The loss in training and on validation data, and the watched metric with its best; nothing of a run too short."""
    drawn = []
    losses = [Line(name, *_line(history.points[name])) for name in ("train/loss", "val/loss") if name in history.points]
    if any(len(line.xs) > 1 for line in losses):
        drawn.append(plot(losses, Axes("step")))
    watched, metric = f"val/{history.metric}", history.metric
    points = history.points.get(watched, [])
    if len(points) > 1 and metric != "loss":
        lines, dots = [Line(watched, *_line(points), colour=1)], []
        level = history.values("baseline").get(metric)
        if level is not None:
            lines.append(Line("to beat", [points[0][0], points[-1][0]], [level, level], dashed=True, colour=3))
        step = history.summary.get("best", {}).get("step")
        dots = [Dot(at, value, f"best: {number(value)} after step {at}") for at, value in points if at == step]
        drawn.append(plot(lines, Axes("step"), dots[-1:]))
    return f'<div class="pair">{"".join(drawn)}</div>' if drawn else ""


def _line(points: Points) -> tuple[list[float], list[float]]:
    return [float(step) for step, _ in points], [value for _, value in points]
