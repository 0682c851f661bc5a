"""`seqtrain generate RUN [FILE]`: text from a prompt, translations, forecasts past the data's end, future frames."""

import csv
import io
import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqtrain.cli.asking import loaded, parser_of
from seqtrain.cli.predict import given_of, with_films
from seqtrain.errors import ConfigError
from seqtrain.typos import UnknownKeyError

if TYPE_CHECKING:
    from seqtrain.tasks.given import Given
    from seqtrain.trained import Trained

DECODING = {
    "temperature": ("decoder.temperature", float, "flatter above 1, surer below; text is drawn at 1 by default"),
    "top-k": ("decoder.top_k", int, "draw among so many likeliest symbols only"),
    "top-p": ("decoder.top_p", float, "draw among the fewest symbols that have this share of the chance"),
    "seed": ("decoder.seed", int, "of drawing; default: the run's decoder.seed"),
    "length": ("task.sample_length", int, "symbols of text to write; default: the run's task.sample_length"),
    "beam-size": ("decoder.beam_size", int, "translations that are kept while the best is searched"),
    "length-penalty": ("decoder.length_penalty", float, "of a beam: more for longer translations"),
}
"""Flags that stand for options of the run: those options, their types, and what the flags do."""


def main(arguments: list[str]) -> int:
    """Lets the model go on; what comes of it is printed as it is made, and put into files."""
    options = parser().parse_args(arguments)
    if options.prompt and options.file:
        raise ConfigError("--prompt: instead of FILE; give one of them")
    trained = generator(options)
    given = inputs(trained, options)
    if trained.writes and not options.json:
        return tell(trained, given, options.output)
    for number, (each, record) in enumerate(trained.generated(given, options.steps), 1):
        if options.json:
            written = with_films(record, Path(), number)
            sys.stdout.write(json.dumps(written, ensure_ascii=False) + "\n")
        else:
            show(trained, each, record, number, options.output)
        sys.stdout.flush()
        for path in options.output:
            write(path if number == 1 else path.with_stem(f"{path.stem}-{number}"), trained, each, record)
    return 0


def parser() -> ArgumentParser:
    """What the command takes."""
    made = parser_of(
        "generate", "Goes on where the input ends: with text, a translation, rows of a series, frames of a film."
    )
    made.add_argument(
        "file",
        nargs="?",
        metavar="FILE",
        help="lines of text, a CSV or a .npy file; - is standard input; default: some of the run's own data, for a "
        "series its end",
    )
    made.add_argument("--prompt", action="append", metavar="TEXT", help="a text instead; may be repeated")
    for flag, (_, kind, text) in DECODING.items():
        made.add_argument(f"--{flag}", type=kind, metavar="X" if kind is float else "N", help=text)
    made.add_argument("--steps", type=int, metavar="N", help="rows or frames; beyond the horizon, told from those told")
    made.add_argument("--format", choices=["lines", "tsv", "csv", "jsonl"], help="of FILE; default: by its name")
    made.add_argument(
        "--output",
        type=Path,
        action="append",
        default=[],
        metavar="F",
        help="a file as well: .txt, .json, of rows .csv and .png, of frames .gif; may be repeated",
    )
    made.add_argument("--json", action="store_true", help="for programs: one JSON object for each input")
    return made


def generator(options: Namespace) -> "Trained":
    """The model, with the options that the flags stand for."""
    values = {flag: getattr(options, flag.replace("-", "_")) for flag in DECODING}
    given = {DECODING[flag][0]: value for flag, value in values.items() if value is not None}
    try:
        return loaded(options, given)
    except UnknownKeyError as error:
        for flag, (key, *_) in DECODING.items():
            if key == error.path and key in given:
                raise ConfigError(f"--{flag}: the run's task has no {key}") from None
        raise


def inputs(trained: "Trained", options: Namespace) -> Iterator["Given"]:
    """What to go on from."""
    if options.prompt or options.file:
        return given_of(trained, [options.file] if options.file else [], options.prompt, options.format)
    return trained.given(None)


def tell(trained: "Trained", given: Iterator["Given"], outputs: list[Path]) -> int:
    """Prints each prompt and, symbol by symbol, what the model writes after it."""
    told = ""
    for each in given:
        pieces = [each.value]
        sys.stdout.write(each.value)
        for piece in trained.write(each.value):
            sys.stdout.write(piece)
            sys.stdout.flush()
            pieces.append(piece)
        sys.stdout.write("\n")
        told += "".join(pieces) + "\n"
    for path in outputs:
        if path.suffix != ".txt":
            raise ConfigError(f"--output {path}: text goes into a .txt file, or with --json elsewhere")
        path.write_text(told, encoding="utf-8")
    return 0


def show(trained: "Trained", given: "Given", record: dict[str, Any], number: int, outputs: list[Path]) -> None:
    """Prints one answer: a translation, a table of rows (as CSV where nobody looks), or where a film was put."""
    rows = record.get("forecast")
    if rows is None and "frames" in record:
        paths = [path for path in outputs if path.suffix == ".gif"] or [Path("frames.gif")]
        if not outputs:
            write(paths[0] if number == 1 else Path(f"frames-{number}.gif"), trained, given, record)
        sys.stdout.write(f"{given.place}: {len(record['frames'])} frames in {paths[0]}\n")
    elif rows is None:
        sys.stdout.write(record["translation"] + "\n")
    elif sys.stdout.isatty():
        from rich.console import Console

        Console().print(table_of(rows))
    else:
        sys.stdout.write(csv_of(rows))


def table_of(rows: list[dict[str, Any]]) -> Any:
    """Rows as a table."""
    from rich.table import Table

    from seqtrain.runlog import number

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in rows[0]:
        table.add_column(name, justify="left" if name == "date" else "right")
    for row in rows:
        table.add_row(*(number(value) if isinstance(value, float) else str(value) for value in row.values()))
    return table


def csv_of(rows: list[dict[str, Any]]) -> str:
    """Rows as CSV under a line of names."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def write(path: Path, trained: "Trained", given: "Given", record: dict[str, Any]) -> None:
    """Puts one answer into a file, as the file's name asks.

    Raises:
        ConfigError: If it can't be put so.
    """
    rows = record.get("forecast")
    makers: dict[str, Callable[[], bytes]] = {}
    if rows is not None:
        makers[".csv"] = lambda: csv_of(rows).encode()
    if "frames" not in record:
        makers[".json"] = lambda: (json.dumps(record, ensure_ascii=False, indent=2) + "\n").encode()
    if "translation" in record:
        makers[".txt"] = lambda: (record["translation"] + "\n").encode()
    if trained.task.ahead is not None:
        makers[".gif" if "frames" in record else ".png"] = lambda: picture(trained, given, record)
    if path.suffix not in makers:
        raise ConfigError(f"--output {path}: such an answer goes into {', '.join(sorted(makers))} files")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(makers[path.suffix]())
    except OSError as error:
        raise ConfigError(f"--output {path}: can't be written ({error.strerror})") from None


def picture(trained: "Trained", given: "Given", record: dict[str, Any]) -> bytes:
    """What shows an input and its answer."""
    drawn = trained.task.drawn(given, record)
    assert drawn is not None, "what goes on can be drawn"
    return drawn.file()[1]
