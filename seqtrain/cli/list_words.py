"""`seqtrain list [GROUP]`: the words that a command line may choose, with one line on each."""

import json
import sys
from importlib.resources.abc import Traversable
from typing import Any

from seqtrain.cli.parser import Parser
from seqtrain.words import GROUPS, header, summary, words


def singular(name: str) -> str:
    """A group's name, also where it is asked for in the plural."""
    return name.removesuffix("s")


def main(arguments: list[str]) -> int:
    """Prints the words of one group or of all."""
    parser = Parser(prog="seqtrain list", description="Lists the words of each group, with one line on each.")
    parser.add_argument(
        "group", nargs="?", metavar="GROUP", type=singular, choices=GROUPS, help=f"only {', '.join(GROUPS)}"
    )
    parser.add_argument("--json", action="store_true", help="for programs: a list of objects for each group")
    options = parser.parse_args(arguments)
    groups = [options.group] if options.group else [group for group in GROUPS if words(group)]
    if options.json:
        sys.stdout.write(json.dumps({group: objects(group) for group in groups}, indent=2) + "\n")
        return 0

    from rich.console import Console
    from rich.table import Table

    for group in groups:
        table = Table(title=group, title_justify="left", title_style="bold", box=None, show_header=False)
        table.add_column(style="cyan", no_wrap=True)
        table.add_column()
        for word, file in words(group).items():
            table.add_row(word, summary(file))
        Console().print(table)
    return 0


def objects(group: str) -> list[dict[str, Any]]:
    """What programs may know of each word: its header, and of models and tasks what they take and give."""
    found: list[dict[str, Any]] = []
    for word, file in words(group).items():
        found.append({"name": word, **header(file)})
        if group == "model":
            found[-1]["alignments"] = alignments(file)
        elif group == "task":
            found[-1] |= facts_of_task(file)
    return found


def alignments(file: Traversable) -> list[str]:
    """The alignments that a model takes, of tasks on symbols or on values that are not causal."""
    from seqtrain.config import build_word
    from seqtrain.models import DecoderSpec, ModelSpec, refusal
    from seqtrain.spec import Align, Symbols, TaskSpec, Values

    spec = build_word(ModelSpec, file, "model")
    inputs = (Symbols(), Values(), Values((0, 0, 0)))
    return [
        str(align)
        for align in Align
        if any(refusal(spec, DecoderSpec(), TaskSpec(element, element, align)) is None for element in inputs)
    ]


def facts_of_task(file: Traversable) -> dict[str, Any]:
    """How a task's outputs stand to its inputs, the metric that decides, and the real data it can read."""
    from seqtrain.cli.data import configured_data_dir
    from seqtrain.config import build_word
    from seqtrain.data import is_present
    from seqtrain.tasks import Task

    task = build_word(Task, file, "task")
    data = None
    if task.real_data is not None:
        data = {"name": task.real_data, "present": is_present(task.real_data, configured_data_dir())}
    return {"alignment": str(task.outline.align), "causal": task.outline.causal, "metric": task.metric, "data": data}
