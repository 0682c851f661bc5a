"""`seqtrain doctor`: versions, devices, data, and a self-test of about ten seconds."""

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from seqtrain.cli.parser import Parser

if TYPE_CHECKING:
    from rich.text import Text

    from seqtrain.doctor import Finding

SELF_TESTS = ("model=lstm task=adding", "model=attention_lstm task=sentiment")
"""Command lines of which one batch is trained on: numbers to a number, and words of uneven lengths to a class."""

SMALL = ("model.hidden_size=16", "task.train_size=64", "task.val_size=16", "task.test_size=16", "trainer.dry_run=true")

WIDE = 60
"""Columns from which on what was found stands beside its name."""

STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def main(arguments: list[str]) -> int:
    """Looks at everything, tells of each thing as it is found, and returns 1 if one keeps runs from working."""
    parser = Parser(
        prog="seqtrain doctor",
        description="Looks whether all that a run needs is here, and trains on one batch of two tasks to see.",
        epilog="Exit code: 0, or 1 if something fails.",
    )
    parser.add_argument("--json", action="store_true", help="for programs: one object")
    parser.add_argument("--no-self-test", action="store_true", help="look only; train nothing")
    options = parser.parse_args(arguments)

    from seqtrain.cli.data import configured_data_dir
    from seqtrain.doctor import findings

    tests: dict[str, Callable[[], str]] = {}
    if not options.no_self_test:
        tests = {line: partial(self_test, line.split()) for line in SELF_TESTS}
    found = findings(configured_data_dir(), tests)
    healthy = as_json(found) if options.json else as_lines(found)
    return 0 if healthy else 1


def self_test(overrides: list[str]) -> str:
    """Trains on one batch, keeping nothing; what was done, and in which time."""
    import time

    from rich.console import Console

    from seqtrain.cli.train import composed, composing, parse_flags
    from seqtrain.runs.run import start

    began = time.perf_counter()
    chosen = [*overrides, *SMALL]
    with composing(parse_flags(chosen)):
        run = composed(chosen)
    device = start(run.tree, run.overrides, run.run_dir, Console(quiet=True)).summary["device"]
    return f"trained, saved and tested on {device} in {time.perf_counter() - began:.1f} s"


def as_json(found: "Iterable[Finding]") -> bool:
    """Prints all at once; whether nothing fails."""
    checks = [asdict(each) for each in found]
    healthy = all(each["status"] != "fail" for each in checks)
    sys.stdout.write(json.dumps({"healthy": healthy, "checks": checks}, indent=2) + "\n")
    return healthy


def as_lines(found: "Iterable[Finding]") -> bool:
    """Prints each as it is found, and how many of each kind there were; whether nothing fails."""
    from rich.console import Console

    console, group = Console(), ""
    counts = dict.fromkeys(STYLES, 0)
    for each in found:
        if each.group != group:
            group = each.group
            console.print(group, style="bold")
        counts[each.status] += 1
        for line in lines(each, console.width if console.is_terminal else None):
            console.print(line, highlight=False, soft_wrap=True)
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    healthy = not counts["fail"]
    console.print(f"{'all that is needed is here' if healthy else 'something is amiss'}: {told}", style="bold")
    return healthy


def lines(found: "Finding", width: int | None) -> "Iterable[Text]":
    """A finding in lines of this width, the further ones set in; in one line where no width is known."""
    import textwrap

    from rich.text import Text

    head = Text.assemble("  ", (f"{found.status:<4}", STYLES[found.status]), f"  {found.name:<13}  ")
    style = "dim" if found.status == "ok" else ""
    if width is None or len(head) + len(found.detail) <= width:
        return [head + Text(found.detail, style)]
    beside = width >= WIDE and len(found.name) <= 13
    indent = " " * (len(head) if beside else 8)
    first, *rest = [Text(indent + piece, style) for piece in textwrap.wrap(found.detail, width - len(indent))]
    return [head + first[len(head) :], *rest] if beside else [head, first, *rest]
