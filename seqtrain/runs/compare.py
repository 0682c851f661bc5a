"""Runs side by side: read from their folders, grouped by what was chosen differently, with mean and spread over seeds.

Reads small text files only, so that a hundred runs are compared before torch would be loaded.
"""

import json
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from seqtrain.errors import CheckpointError, ConfigError
from seqtrain.typos import did_you_mean, join

SEED = "seed"
NO_MATTER = {
    SEED,
    *("seeds.init", "seeds.order", "seeds.dropout", "seeds.data"),
    *("device", "deterministic", "data_dir", "run_dir"),
    *("trainer.devices", "trainer.compile", "trainer.num_workers", "trainer.tune_allocator"),
    *("trainer.checkpoint_every", "trainer.checkpoint_every_epochs", "trainer.checkpoint_every_minutes"),
    *("trainer.keep_best", "trainer.on_save_error"),
    *("trainer.log_every", "trainer.watch_every", "trainer.pictures_every"),
}
"""Keys that make no other experiment: runs that differ in these alone are repeats of one another."""

LOWER_IS_BETTER = ("loss", "mse", "mae", "rmse", "bits", "perplexity", "error_rate")
"""How the names of metrics end of which less is better; of the one that picks the best checkpoint, the run tells."""

SWEEP = "sweep.json"
"""What makes a folder one of a sweep; it tells of jobs that ended before they could say why."""


@dataclass(frozen=True)
class Run:
    """What a run folder tells.

    Attributes:
        folder: Where it lives.
        config: Its resolved configuration by dotted keys.
        typed: The keys that its command line named.
        status: `finished`, or how it hasn't: `running`, `stopped`, `failed`, `pruned`, `waiting`.
        reason: Why it ended as it did, where that is known.
        summary: What summary.json holds; empty before training begins.
    """

    folder: Path
    config: dict[str, Any]
    typed: tuple[str, ...]
    status: str
    reason: str
    summary: dict[str, Any]

    def value(self, split: str, metric: str) -> float | None:
        """A metric of the best checkpoint, which is the best by validation."""
        values = self.summary.get("best" if split == "val" else split) or {}
        value = values.get(metric)
        return None if value is None else float(value)


@dataclass(frozen=True)
class Score:
    """What a metric comes to over the runs of a group.

    Attributes:
        mean: Over its finished runs.
        std: The sample's standard deviation; None of a single run.
        of_best: The value of the run with the best validation, also on the test split: that one chooses nothing.
    """

    mean: float
    std: float | None
    of_best: float | None


@dataclass(frozen=True)
class Group:
    """Runs that were asked for the same, but for the seed.

    Attributes:
        choice: What was chosen, by column.
        runs: Those that finished.
        unfinished: How many others there are.
        scores: By split.
        best: The run with the best validation.
    """

    choice: dict[str, Any]
    runs: tuple[Run, ...]
    unfinished: int
    scores: dict[str, Score]
    best: Run

    @property
    def parameters(self) -> list[int]:
        """How many parameters its models have: one number, unless options that change it are pooled."""
        return sorted({int(run.summary.get("parameters", 0)) for run in self.runs})

    @property
    def seconds(self) -> float:
        """The mean time of training and validation."""
        return statistics.fmean(float(run.summary.get("seconds", 0)) for run in self.runs)


@dataclass(frozen=True)
class Comparison:
    """All that a leaderboard shows.

    Attributes:
        task: What all runs are of.
        metric: By its name alone.
        higher_is_better: Its direction.
        columns: The choices that differ, as a user would type them.
        groups: Best first, by the mean on validation.
        unfinished: The runs that aren't counted.
    """

    task: str
    metric: str
    higher_is_better: bool
    columns: tuple[str, ...]
    groups: tuple[Group, ...]
    unfinished: tuple[Run, ...]


def compare(paths: Sequence[Path], metric: str | None = None, by: Sequence[str] = ()) -> Comparison:
    """Gathers the runs below some folders and ranks what was tried.

    Args:
        paths: Run folders, and folders that hold some at any depth.
        metric: What to rank by, as `f1`; None is what picked the best checkpoints.
        by: The choices that make a group, as `model` or `optimizer.lr`; empty: all that differ.

    Raises:
        CheckpointError: For a folder that holds no run, or a damaged one.
        ConfigError: For runs of several tasks, an unknown metric or an unknown key.
    """
    runs = [read_run(folder) for folder in find_runs(paths)]
    task = common_task(runs)
    finished = [run for run in runs if run.status == "finished"]
    name = metric.rpartition("/")[2] if metric else common_metric(runs)
    for run in finished:
        check_metric(run, name)
    higher = higher_is_better(name, runs)
    columns = chosen(runs, by) if by else differing(runs)
    found = [make_group(choice, members, name, higher) for choice, members in split_up(runs, columns)]
    groups = sorted((group for group in found if group is not None), key=lambda group: rank(group, higher))
    shown = tuple(shown_key(column, columns) for column in columns)
    return Comparison(task, name, higher, shown, tuple(groups), tuple(run for run in runs if run.status != "finished"))


# -------------------------------------------------------------------- reading


def find_runs(paths: Iterable[Path]) -> list[Path]:
    """The run folders among and below some folders, each once."""
    found: dict[Path, None] = {}
    for path in paths:
        if not path.is_dir():
            raise CheckpointError(f"{path}: " + ("a file, not a run folder" if path.exists() else "no such run folder"))
        below = [path] if (path / "config.yaml").exists() else [file.parent for file in path.rglob("config.yaml")]
        if not below:
            raise CheckpointError(f"{path}: holds no run (no config.yaml below it)")
        found |= dict.fromkeys(sorted((folder.resolve() for folder in below), key=natural))
    return list(found)


def natural(path: Path) -> list[Any]:
    """A key that sorts 10-sine after 9-sine."""
    head, _, rest = path.name.partition("-")
    return [str(path.parent), not head.isdigit(), int(head) if head.isdigit() else 0, rest, path.name]


def read_run(folder: Path) -> Run:
    """What a run folder tells; all but its configuration may be missing."""
    path = folder / "config.yaml"
    try:
        tree = yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise CheckpointError(f"{path}: damaged ({type(error).__name__})") from None
    if not isinstance(tree, dict):
        raise CheckpointError(f"{path}: damaged (holds no configuration)")
    summary = read_json(folder / "summary.json")
    status, reason = state_of(folder, summary)
    return Run(folder, dict(flat(tree)), typed_keys(folder), status, reason, summary)


def read_json(path: Path) -> dict[str, Any]:
    """An object in a file; empty where it isn't there yet or can't be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def state_of(folder: Path, summary: dict[str, Any]) -> tuple[str, str]:
    """How far a run is, and why it ended; what its sweep knows helps where the run itself could say nothing."""
    status = str(summary.get("status", "waiting"))
    if status == "finished":
        return status, str(summary.get("ended_by"))
    known = [job for job in read_json(folder.parent / SWEEP).get("jobs", []) if job.get("folder") == folder.name]
    for job in known:
        if job.get("status") in ("failed", "pruned"):
            return str(job["status"]), str(job.get("reason") or "")
    if status == "running":
        return status, "still at it, or cut off"
    return status, str(summary.get("ended_by") or "")


def typed_keys(folder: Path) -> tuple[str, ...]:
    """The keys of the overrides that a run was started with."""
    try:
        content = yaml.safe_load((folder / "overrides.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return ()
    return tuple(str(each).lstrip("+~").partition("=")[0] for each in content or [])


def flat(tree: dict[Any, Any], path: str = "") -> Iterable[tuple[str, Any]]:
    """Every value of a tree with its dotted key; lists are values."""
    for key, value in tree.items():
        where = join(path, str(key))
        if isinstance(value, dict):
            yield from flat(value, where)
        else:
            yield where, tuple(value) if isinstance(value, list) else value


def curve(folder: Path, metric: str) -> list[tuple[int, float]]:
    """The validations of a run: optimizer step and value."""
    points: dict[int, float] = {}
    try:
        lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:  # the last line of a run that is still writing
            continue
        if row.get(f"val/{metric}") is not None:
            points[int(row["step"])] = float(row[f"val/{metric}"])
    return sorted(points.items())


# -------------------------------------------------------------------- what is compared


def common_task(runs: Sequence[Run]) -> str:
    """The one task of all runs."""
    first: dict[str, Run] = {}
    for run in runs:
        first.setdefault(str(run.config.get("task_name")), run)
    if len(first) > 1:
        told = ", ".join(f"{task} ({run.folder.name})" for task, run in first.items())
        raise ConfigError(f"these runs are of different tasks and can't be ranked together: {told}")
    return next(iter(first))


def common_metric(runs: Sequence[Run]) -> str:
    """The metric that picked the best checkpoint of every run."""
    first: dict[str, Run] = {}
    for run in runs:
        if "metric" in run.summary:
            first.setdefault(str(run.summary["metric"]).rpartition("/")[2], run)
    if len(first) > 1:
        told = ", ".join(f"{name} ({run.folder.name})" for name, run in first.items())
        raise ConfigError(f"these runs picked their best by different metrics, {told}: name one with --metric")
    return next(iter(first), "loss")


def check_metric(run: Run, metric: str) -> None:
    """Raises ConfigError if a finished run didn't measure it."""
    measured = [name for name in run.summary.get("best", {}) if name != "step"]
    if metric not in measured:
        hint = did_you_mean(metric, measured) or f"; it measured {', '.join(measured) or 'nothing'}"
        raise ConfigError(f"--metric {metric}: {run.folder.name} has no such value{hint}")


def higher_is_better(metric: str, runs: Sequence[Run]) -> bool:
    """A metric's direction: as the runs tell it of their own, else by its name."""
    for run in runs:
        told = run.summary.get("higher_is_better")
        if isinstance(told, bool) and str(run.summary.get("metric")).rpartition("/")[2] == metric:
            return told
    return not metric.endswith(LOWER_IS_BETTER)


def differing(runs: Sequence[Run]) -> list[str]:
    """The keys that tell what was tried: what was typed and differs, and what else is needed to tell groups apart.

    `model=rnn,lstm` changes a dozen keys; the model's name alone says as much.
    """
    keys = dict.fromkeys(key for run in runs for key in run.config if key not in NO_MATTER)
    differ = [key for key in keys if len({repr(run.config.get(key)) for run in runs}) > 1]
    typed = {key_of_choice(key, keys) for run in runs for key in run.typed}
    differ.sort(key=lambda key: (key != "model_name", key not in typed))
    columns: list[str] = []
    for key in differ:
        if key in typed or len(split_up(runs, [*columns, key])) > len(split_up(runs, columns)):
            columns.append(key)
    return columns


def key_of_choice(typed: str, keys: Iterable[str]) -> str:
    """The key of the configuration that tells what was chosen by a typed one: `model_name` of `model`."""
    known = set(keys)
    candidates = (f"{typed}_name", f"{typed}._target_")
    return typed if typed in known else next((each for each in candidates if each in known), typed)


def chosen(runs: Sequence[Run], by: Sequence[str]) -> list[str]:
    """The keys of --by."""
    keys = dict.fromkeys(key for run in runs for key in run.config)
    columns = [key_of_choice(key, keys) for key in by]
    for typed, column in zip(by, columns, strict=True):
        if column not in keys:
            raise ConfigError(
                f"--by {typed}: no run has such a key{did_you_mean(typed, [*keys, *map(shown_key, keys)])}"
            )
    return columns


def shown_key(key: str, columns: Sequence[str] = ()) -> str:
    """A column as a user would type it: `model` for model_name."""
    short = key.removesuffix("_name").removesuffix("._target_")
    return key if [each.removesuffix("_name").removesuffix("._target_") for each in columns].count(short) > 1 else short


def shown_value(key: str, value: Any) -> Any:
    """A choice without what nobody types: the class of a dotted name."""
    return str(value).rpartition(".")[2] if key.endswith("_target_") else value


# -------------------------------------------------------------------- groups


def split_up(runs: Sequence[Run], columns: Sequence[str]) -> list[tuple[dict[str, Any], list[Run]]]:
    """The runs by what they have in some columns, in the order in which they come."""
    groups: dict[str, tuple[dict[str, Any], list[Run]]] = {}
    for run in runs:
        values = [run.config.get(column) for column in columns]
        choice = {
            shown_key(column, columns): shown_value(column, value)
            for column, value in zip(columns, values, strict=True)
        }
        groups.setdefault(repr(values), (choice, []))[1].append(run)
    return list(groups.values())


def make_group(choice: dict[str, Any], members: Sequence[Run], metric: str, higher: bool) -> Group | None:
    """The statistics of a group; None if none of its runs has finished."""
    finished = [run for run in members if run.status == "finished"]
    if not finished:
        return None
    best = min(finished, key=lambda run: order(run.value("val", metric), higher))
    scores = {}
    for split in ("val", "test"):
        values = [value for run in finished if (value := run.value(split, metric)) is not None]
        if values:
            scores[split] = score(values, best.value(split, metric))
    return Group(choice, tuple(finished), len(members) - len(finished), scores, best)


def score(values: Sequence[float], of_best: float | None) -> Score:
    """Mean and sample standard deviation; what isn't finite has no spread."""
    std = statistics.stdev(values) if len(values) > 1 and all(map(math.isfinite, values)) else None
    return Score(sum(values) / len(values), std, of_best)


def rank(group: Group, higher: bool) -> tuple[bool, float]:
    """Sorts groups best first."""
    return order(group.scores["val"].mean if "val" in group.scores else None, higher)


def order(value: float | None, higher: bool) -> tuple[bool, float]:
    """Sorts values best first, and those that aren't numbers last."""
    if value is None or math.isnan(value):
        return True, 0.0
    return False, -value if higher else value
