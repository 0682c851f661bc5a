"""`seqtrain compare RUN|FOLDER ...`: a leaderboard of runs."""

import json
import sys
from pathlib import Path

from seqtrain.cli.parser import Parser
from seqtrain.errors import ConfigError


def main(arguments: list[str]) -> int:
    """Ranks runs and shows, or writes, what came of them."""
    options = parser().parse_args(arguments)

    from rich.console import Console

    from seqtrain.runs import leaderboard
    from seqtrain.runs.compare import compare
    from seqtrain.runs.find import find_run

    paths = [find_run(name) if name == "last" else Path(name) for name in options.runs]
    by = [key.strip() for key in options.by.split(",") if key.strip()] if options.by else []
    found = compare(paths, options.metric, by)
    if not found.groups and (options.csv or options.markdown or options.plot):
        raise ConfigError(f"no run has finished, so there is nothing to write: {leaderboard.unfinished(found)[0]}")
    splits = leaderboard.SPLITS if options.split is None else (options.split,)
    if options.csv:
        write(options.csv, leaderboard.as_csv(found).encode())
    if options.markdown:
        write(options.markdown, leaderboard.markdown(found, splits).encode())
    if options.plot:
        write(options.plot, leaderboard.png(found))
    if options.json:
        sys.stdout.write(json.dumps(leaderboard.as_object(found), indent=2) + "\n")
    elif Path("-") not in (options.csv, options.markdown):
        leaderboard.show(found, Console(), splits)
    return 0


def parser() -> Parser:
    """What the command takes."""
    whole = Parser(
        prog="seqtrain compare",
        description="Ranks runs by validation, grouped by the options that differ, with mean and spread over seeds.",
    )
    whole.add_argument("runs", nargs="+", metavar="RUN", help="a run folder, a folder that holds some, or `last`")
    whole.add_argument("--metric", help="what to rank by, as f1; by default what picked the best checkpoints")
    whole.add_argument("--split", choices=("val", "test"), help="show this one only; validation ranks all the same")
    whole.add_argument(
        "--by", metavar="KEY,...", help="what makes a group, as model,optimizer.lr; else all that differs"
    )
    whole.add_argument("--json", action="store_true", help="for programs: an object")
    whole.add_argument("--csv", type=Path, metavar="FILE", help="write the table, with every digit; - is the terminal")
    whole.add_argument("--markdown", type=Path, metavar="FILE", help="write the table; - is the terminal")
    whole.add_argument("--plot", type=Path, metavar="FILE", help="write the validation curves as PNG")
    return whole


def write(path: Path, content: bytes) -> None:
    """Writes a file, or the terminal where its name is a dash.

    Raises:
        ConfigError: If it can't be written.
    """
    if path == Path("-"):
        sys.stdout.write(content.decode())
        return
    try:
        path.write_bytes(content)
    except OSError as error:
        raise ConfigError(f"{path}: can't be written ({error.strerror})") from None
