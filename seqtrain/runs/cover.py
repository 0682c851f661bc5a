"""What TensorBoard shows of a run besides curves and pictures: its options, its parts, and how it ended."""

from collections.abc import Iterable
from typing import Any

from omegaconf import OmegaConf

from seqtrain.logs.hyperparameters import hyperparameters
from seqtrain.logs.runlog import RunLog
from seqtrain.model import Model
from seqtrain.models import Part, parts
from seqtrain.runs.run_folder import CONFIG, read_overrides, read_tree


def describe(log: RunLog, model: Model, metrics: Iterable[str]) -> None:
    """Enters a run in the table of runs, with its configuration and its parts as text.

    Args:
        log: Of the run; its folder holds the configuration, or else there is nothing to describe.
        model: As it was built.
        metrics: What the task measures, the most important first; of the test, the best validation and the last one
            there are columns.
    """
    if not (log.folder / CONFIG).exists():
        return
    tree = read_tree(log.folder)
    names = dict.fromkeys([*metrics, "loss"])
    columns = [f"{of}{name}" for of in ("test/", "val/best_", "val/") for name in names]
    with log.writing():
        log.tensorboard.hyperparameters(hyperparameters(tree, read_overrides(log.folder)), columns)
        config = f"```yaml\n{OmegaConf.to_yaml(OmegaConf.create(tree))}```"
        log.tensorboard.texts(0, {"run/config": config, "run/parts": parts_markdown(parts(model))})


def conclude(log: RunLog, summary: dict[str, Any]) -> None:
    """Adds the metrics of the best validation to the table of runs."""
    best = {f"val/best_{name}": value for name, value in summary["best"].items() if name != "step"}
    with log.writing():
        log.tensorboard.scalars(summary["best"]["step"], best)


def parts_markdown(built: Iterable[Part]) -> str:
    """The parts of a model as a table of Markdown, with the sums below."""
    rows = list(built)
    sums = (sum(part.parameters for part in rows), sum(part.multiply_adds for part in rows))
    lines = ["| part | built as | parameters | multiply-adds a step |", "| --- | --- | ---: | ---: |"]
    lines += [f"| {name} | {what} | {count:,} | {work:,} |" for name, what, count, work in rows]
    return "\n".join([*lines, f"| | | {sums[0]:,} | {sums[1]:,} |"]) + "\n"
