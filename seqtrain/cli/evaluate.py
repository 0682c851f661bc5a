"""`seqtrain eval RUN`: how well a trained model does on a split, or on a labelled file."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqtrain.cli.asking import loaded, parser_of

if TYPE_CHECKING:
    from rich.table import Table

    from seqtrain.runs.trained import Scores, Trained


def main(arguments: list[str]) -> int:
    """Prints loss and metrics, and for tasks with classes how well each is told."""
    parser = parser_of("eval", "Scores a trained model on a split of its data, which is read anew, or on a file.")
    data = parser.add_mutually_exclusive_group()
    data.add_argument(
        "--split",
        choices=["train", "val", "test"],
        help="default: val; train is read as in training, with dropped words and changed sounds",
    )
    data.add_argument(
        "--file", nargs="+", type=Path, metavar="F", help="labelled data instead; of translations, texts and targets"
    )
    parser.add_argument("--json", action="store_true", help="for programs: one JSON object")
    options = parser.parse_intermixed_args(arguments)

    trained = loaded(options)
    split = options.split or "val"  # no default of the parser's: it would take `--split val` for not given
    scores = trained.evaluate(options.file or split, options.batch_size)
    name = " ".join(map(str, options.file)) if options.file else split
    if options.json:
        sys.stdout.write(json.dumps(content(trained, scores, name, options.checkpoint), indent=2) + "\n")
        return 0

    from rich.console import Console

    console = Console()
    config = trained.config
    console.print(
        f"[bold]{config.model_name}[/] on [bold]{config.task_name}[/], {options.checkpoint} checkpoint (step "
        f"{trained.step:,}), {name}: {scores.examples:,} examples",
        highlight=False,
    )
    for table in tables(scores):
        console.print(table)
    return 0


def content(trained: "Trained", scores: "Scores", data: str, checkpoint: str) -> dict[str, Any]:
    """What a program is told."""
    return {
        "run": str(trained.folder),
        "checkpoint": checkpoint,
        "step": trained.step,
        "data": data,
        "examples": scores.examples,
        "metrics": scores.metrics,
        "classes": [asdict(each) for each in scores.classes],
    }


def tables(scores: "Scores") -> "list[Table]":
    """The metrics, and the classes if there are any."""
    from rich.table import Table

    from seqtrain.logs.numbers import number

    metrics = Table(box=None, show_header=False, pad_edge=False)
    metrics.add_column(style="bold")
    metrics.add_column(justify="right")
    for name, value in scores.metrics.items():
        metrics.add_row(name, number(value))
    if not scores.classes:
        return [metrics]
    classes = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    classes.add_column("class", overflow="fold")
    for name in ("precision", "recall", "F1", "support"):
        classes.add_column(name, justify="right")
    for each in scores.classes:
        shares = (f"{share:.4f}" for share in (each.precision, each.recall, each.f1))
        classes.add_row(each.name, *shares, f"{each.support:,}")
    return [metrics, classes]
