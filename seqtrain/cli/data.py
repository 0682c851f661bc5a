"""`seqtrain data`: which real data sets are here, and how to get the others."""

import json
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

from seqtrain.cli.parser import Parser
from seqtrain.errors import ConfigError
from seqtrain.typos import did_you_mean

WIDE = 90
"""Columns from which on there is room for licences, which --json tells too."""
ACTIONS = ("list", "fetch", "clear-cache")


def main(arguments: list[str]) -> int:
    """Lists, fetches, or empties the cache; without a word, lists."""
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help")):
        arguments = ["list", *arguments]
    if arguments[0] not in (*ACTIONS, "-h", "--help"):
        hint = did_you_mean(arguments[0], ACTIONS) or f"; choose from {', '.join(ACTIONS)}"
        raise ConfigError(f"data {arguments[0]}: no such command{hint}")
    options = parser().parse_args(arguments)
    if options.action == "fetch":
        return fetch(options.names, options.data_dir or configured_data_dir())
    if options.action == "clear-cache":
        return clear()
    return show(options.data_dir or configured_data_dir(), options.json)


def parser() -> Parser:
    """What the command takes."""
    whole = Parser(prog="seqtrain data", description="The real data sets: which are here, and how to get the others.")
    actions = whole.add_subparsers(dest="action", required=True)
    where = Parser(add_help=False)
    where.add_argument(
        "--data-dir", type=Path, metavar="D", help="one folder per data set; by default $SEQTRAIN_DATA, or data here"
    )
    listing = actions.add_parser("list", parents=[where], help="every data set, and whether it is here")
    listing.add_argument("--json", action="store_true", help="for programs: an object")
    fetching = actions.add_parser("fetch", parents=[where], help="download data sets, and check those that are here")
    fetching.add_argument("names", nargs="+", metavar="NAME", help="a data set, or `all`")
    actions.add_parser("clear-cache", help="remove what was made from data; it is made again when needed")
    return whole


def configured_data_dir() -> Path:
    """What a run would read, if its command line said nothing of it."""
    from omegaconf import OmegaConf

    config = OmegaConf.create((files("seqtrain.conf") / "config.yaml").read_text(encoding="utf-8"))
    return Path(config.data_dir)


def fetch(names: list[str], data_dir: Path) -> int:
    """Downloads what is missing and reads all that is there, one set after the other."""
    from seqtrain.data import DATASETS, obtain, verify

    for name in names:
        if name != "all" and name not in DATASETS:
            hint = did_you_mean(name, DATASETS) or f"; choose from all, {', '.join(DATASETS)}"
            raise ConfigError(f"{name}: no such data set{hint}")
    for name in DATASETS if "all" in names else dict.fromkeys(names):
        folder = obtain(name, data_dir)
        verify(name, data_dir)
        count = len(DATASETS[name].files)
        sys.stdout.write(f"{folder}: {count} file{'s' * (count > 1)}, each as it must be\n")
    return 0


def clear() -> int:
    """Empties the cache."""
    from rich.filesize import decimal

    from seqtrain.data import cache_folder, clear_cache

    freed = clear_cache()
    sys.stdout.write(f"{cache_folder()}: {decimal(freed)} removed\n")
    return 0


def show(data_dir: Path, as_json: bool) -> int:
    """Prints every data set, where it would lie, and how large the cache is."""
    from seqtrain.data import cache_folder, cache_size

    if as_json:
        facts = {
            "data_dir": str(data_dir),
            "data_sets": objects(data_dir),
            "cache_dir": str(cache_folder()),
            "cache_bytes": cache_size(),
        }
        sys.stdout.write(json.dumps(facts, indent=2) + "\n")
        return 0

    from rich.console import Console
    from rich.filesize import decimal
    from rich.table import Table
    from rich.text import Text

    console = Console()
    wide = console.width >= WIDE
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("name", style="cyan", no_wrap=True)
    table.add_column("here", no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("what it is", ratio=1)
    if wide:
        table.add_column("licence", no_wrap=True)
    for each in objects(data_dir):
        here = Text("yes", "green") if each["present"] else Text("no", "dim")
        cells = (each["name"], here, decimal(each["size_bytes"]), each["summary"], each["licence"])
        table.add_row(*cells[: None if wide else -1])
    console.print(table)
    console.print(f"data in {data_dir}; cache in {cache_folder()}: {decimal(cache_size())}", soft_wrap=True)
    return 0


def objects(data_dir: Path) -> list[dict[str, Any]]:
    """What programs may know of each data set."""
    from seqtrain.data import DATASETS, is_present

    return [
        {
            "name": name,
            "summary": data_set.summary,
            "size_bytes": data_set.size_bytes,
            "licence": data_set.licence,
            "present": is_present(name, data_dir),
            "files": [{"name": file.name, "url": file.urls[0], "sha256": file.sha256} for file in data_set.files],
        }
        for name, data_set in DATASETS.items()
    ]
