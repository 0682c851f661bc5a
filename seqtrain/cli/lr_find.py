"""`seqtrain lr_find key=value ...`: which learning rate a configuration should train with."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from seqtrain.cli.parser import Parser
from seqtrain.errors import ConfigError

if TYPE_CHECKING:
    from rich.table import Table

    from seqtrain.runs.lr_find import Found

FOLDER = "run_dir=outputs/${now:%Y-%m-%d}/${now:%H-%M-%S}-lr_find-${task_name}-${model_name}"
"""Where the curve is left, unless the user says run_dir."""


def main(arguments: list[str]) -> int:
    """Runs a range test on what the arguments describe, and prints the command that trains with its outcome."""
    options, overrides = parser().parse_known_args(arguments)
    for each in overrides:
        if each.startswith("-") or ("=" not in each and not each.startswith("~")):
            hint = "; it finds one rate at a time" if each in ("-m", "--multirun") else ""
            raise ConfigError(f"lr_find {each}: no such option{hint}; see seqtrain lr_find --help")

    from seqtrain.cli.train import Flags, check_flags, composed, composing, errors_of_hydra

    flags = Flags(overrides, multirun=False, config_dir=options.config_dir)
    with errors_of_hydra(flags):
        check_flags(flags)
        with composing(flags):
            run = composed([FOLDER, *overrides])

    from rich.console import Console

    from seqtrain.config import build_config
    from seqtrain.runs.lr_find import Range, find_lr
    from seqtrain.runs.report import framed

    console = Console()
    rates = Range(minimum=options.min, maximum=options.max, steps=options.steps)
    config = build_config(run.tree)
    title = f"{config.model_name} on {config.task_name}"
    console.print(f"{title}: {rates.steps} steps, rate {rates.minimum:g} to {rates.maximum:g}", highlight=False)
    found = find_lr(config, rates, run.run_dir, console)
    console.print(framed(table(found), "learning rate", "green"))
    flag = [] if options.config_dir is None else ["--config-dir", str(options.config_dir)]
    # Below the panel and never broken, to be copied.
    console.print(command(found, [*flag, *overrides]), style="cyan", highlight=False, soft_wrap=True)
    return 0


def parser() -> Parser:
    """What the command takes besides the keys of a run."""
    whole = Parser(
        prog="seqtrain lr_find",
        usage="seqtrain lr_find [--min R] [--max R] [--steps N] [--config-dir D] [key=value ...]",
        description="Trains for a few steps at a rising learning rate, and tells which rate to train with.",
        epilog="key=value is what `seqtrain` takes for a run.",
    )
    whole.add_argument("--min", type=float, default=1e-6, metavar="R", help="the rate to begin with (1e-6)")
    whole.add_argument("--max", type=float, default=1.0, metavar="R", help="the rate to end with (1)")
    whole.add_argument("--steps", type=int, default=200, metavar="N", help="steps from one to the other (200)")
    whole.add_argument("--config-dir", "-cd", type=Path, metavar="D", help="a folder with words of your own")
    return whole


def table(found: "Found") -> "Table":
    """What was tried and what it came to."""
    from seqtrain.logs.numbers import number
    from seqtrain.runs.lr_find import PLOT
    from seqtrain.runs.report import facts_table, shown

    rates, smoothed = found.curve.rates, found.curve.smoothed
    rows = facts_table()
    rows.add_row("tried", f"{len(rates)} steps, rate {rates[0]:.2g} to {rates[-1]:.2g}")
    least = int(smoothed.argmin())
    rows.add_row("loss", f"{number(smoothed[0])} at first, least {number(smoothed[least])} at rate {rates[least]:.2g}")
    rows.add_row("suggested", f"[bold cyan]{found.rate:g}[/]")
    rows.add_row("look", str(shown(found.folder / PLOT)))
    return rows


def command(found: "Found", overrides: list[str]) -> str:
    """The command line that trains with the rate found."""
    kept = [each for each in overrides if each.partition("=")[0] not in {*found.rates, "run_dir"}]
    return shlex.join(["seqtrain", *kept, *(f"{option}={rate:g}" for option, rate in found.rates.items())])
