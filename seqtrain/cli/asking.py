"""What the commands that use a trained model have in common: their options, and how they load it."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqtrain.cli.parser import Parser
from seqtrain.errors import ConfigError, DataError

if TYPE_CHECKING:
    from seqtrain.runs.trained import Trained


def parser_of(command: str, description: str) -> Parser:
    """A parser with the run, and how it is loaded."""
    parser = Parser(prog=f"seqtrain {command}", description=description)
    parser.add_argument("run", metavar="RUN", help="a run folder, or `last` for the newest one below outputs")
    parser.add_argument("--checkpoint", choices=["best", "last"], default="best", help="whose weights; default: best")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps; default: auto")
    parser.add_argument(
        "--batch-size", type=int, metavar="N", help="inputs that are read together; default: as in training"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="another value for an option of the run"
    )
    return parser


def loaded(arguments: argparse.Namespace, options: dict[str, Any] | None = None) -> "Trained":
    """The model that the arguments ask for.

    Args:
        arguments: Of a parser that `parser_of` made.
        options: Of the run that the command itself makes others; those of --set come on top.
    """
    if arguments.batch_size is not None and arguments.batch_size < 1:
        raise ConfigError(f"--batch-size={arguments.batch_size}: must be at least 1")
    given = dict(map(_option, arguments.set))
    from seqtrain.runs.trained import load

    return load(arguments.run, arguments.checkpoint, arguments.device, {**(options or {}), **given})


def _option(text: str) -> tuple[str, Any]:
    """A key and its value, read as YAML reads it."""
    import yaml

    key, sign, value = text.partition("=")
    if not sign or not key:
        raise ConfigError(f"--set {text}: write it as KEY=VALUE")
    try:
        return key, yaml.safe_load(value)
    except yaml.YAMLError:
        raise ConfigError(f"--set {text}: {value} is no value; quote what YAML reads") from None


def source_of(name: str, layout: str | None) -> Any:
    """A file by its name, or standard input for `-`.

    Raises:
        DataError: If standard input is empty.
    """
    import io
    import sys

    from seqtrain.tasks.given import Source

    if name == "-":
        if sys.stdin.isatty():
            sys.stderr.write("reading from the terminal, line by line; Ctrl-D ends it\n")
        elif isinstance(sys.stdin.buffer, io.BufferedReader) and not sys.stdin.buffer.peek(1):
            raise DataError("standard input: is empty; name a FILE, or send something")
        return Source(Path("standard input"), sys.stdin.buffer, layout)  # type: ignore[arg-type]  # io's own class
    return Source(Path(name), None, layout)
