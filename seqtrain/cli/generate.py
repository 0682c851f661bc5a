"""`seqtrain generate RUN [FILE]`: text from a prompt, translations, forecasts past the data's end, future frames."""

import csv
import io
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqtrain.cli.asking import loaded, parser_of
from seqtrain.cli.predict import given_of, json_line, with_films
from seqtrain.errors import ConfigError
from seqtrain.typos import UnknownKeyError

if TYPE_CHECKING:
    from seqtrain.runs.trained import Trained
    from seqtrain.tasks.given import Given

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
    options = parser().parse_intermixed_args(arguments)
    if options.prompt and options.file:
        raise ConfigError("--prompt: instead of FILE; give one of them")
    trained = generator(options)
    trained.check_goes_on()
    check_outputs(trained, options.output)
    texts: dict[Path, str] = dict.fromkeys([path for path in options.output if path.suffix in TEXTS], "")
    for number, (given, record) in enumerate(answers(trained, options), 1):
        if options.json:
            sys.stdout.write(json_line(with_films(record, Path(), number)))
        elif not trained.writes:
            show(given, record, number, options.output, own=not (options.prompt or options.file))
        sys.stdout.flush()
        for path in texts:
            texts[path] += TEXTS[path.suffix](record)
        for path in options.output or default_outputs(trained, options.json):
            if path not in texts:
                put(numbered(path, number), picture(trained, given, record))
    for path, text in texts.items():
        put(path, text.encode())
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
        help="a file as well: of text .txt and .jsonl, of rows .csv, .jsonl and .png, of frames .gif; may be repeated",
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


def answers(trained: "Trained", options: Namespace) -> "Iterator[tuple[Given, dict[str, Any]]]":
    """Each input with its answer; text is printed while it is written."""
    if options.prompt or options.file:
        asked = given_of(trained, [options.file] if options.file else [], options.prompt, options.format, "--prompt")
    else:
        asked = trained.given(None)
    if options.json or not trained.writes or options.steps is not None:
        yield from trained.generated(asked, options.steps)
        return
    for given in asked:
        pieces = trained.write(given)
        said = [next(pieces, "")]  # before the prompt is printed, which may be refused
        sys.stdout.write(given.value + said[0])
        for piece in pieces:
            sys.stdout.write(piece)
            sys.stdout.flush()
            said.append(piece)
        sys.stdout.write("\n")
        yield given, {**given.told, "prompt": given.value, "text": "".join(said)}


def show(given: "Given", record: dict[str, Any], number: int, outputs: list[Path], *, own: bool) -> None:
    """Prints one answer: a translation, rows as a table (as CSV where nobody looks), or where a film is put.

    A translation stands behind its text, where that is the run's `own`.
    """
    rows = record.get("forecast")
    if "frames" in record:
        files = ", ".join(str(numbered(path, number)) for path in outputs or [FILM])
        sys.stdout.write(f"{given.place}: {len(record['frames'])} frames in {files}\n")
    elif rows is None:
        told = f"{given.value} -> " if own else ""
        sys.stdout.write(f"{told}{record['translation']}\n")
    elif sys.stdout.isatty():
        from rich.console import Console

        Console().print(table_of(rows))
    else:
        sys.stdout.write(csv_of(rows))


def table_of(rows: list[dict[str, Any]]) -> Any:
    """Rows as a table."""
    from rich.table import Table

    from seqtrain.logs.numbers import number

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


def text_of(record: dict[str, Any]) -> str:
    """What was written, on lines of its own."""
    text: str = record["translation"] if "translation" in record else record["prompt"] + record["text"]
    return text + "\n"


TEXTS: dict[str, Callable[[dict[str, Any]], str]] = {
    ".txt": text_of,
    ".jsonl": json_line,
    ".csv": lambda record: csv_of(record["forecast"]),
}
"""Files that hold all answers, by how their names end, and what each answer adds."""
FILM = Path("frames.gif")
"""Where films go that nobody named a file for."""


def check_outputs(trained: "Trained", outputs: list[Path]) -> None:
    """Refuses, before anything is made, files that such answers don't go into.

    Raises:
        ConfigError: Naming those that they do.
    """
    endings = {None: [".jsonl", ".txt"], "forecast": [".csv", ".jsonl", ".png"], "frames": [".gif"]}
    for path in outputs:
        if path.suffix not in endings[trained.task.ahead]:
            fitting = ", ".join(endings[trained.task.ahead])
            raise ConfigError(f"--output {path}: answers of task={trained.config.task_name} go into {fitting} files")


def default_outputs(trained: "Trained", json: bool) -> list[Path]:
    """Where pictures go unless it is said: a film can't be printed."""
    return [FILM] if trained.task.ahead == "frames" and not json else []


def numbered(path: Path, number: int) -> Path:
    """The path of this picture, where each input has one."""
    return path if number == 1 else path.with_stem(f"{path.stem}-{number}")


def put(path: Path, content: bytes) -> None:
    """Writes a file, whose folder is made if it isn't there.

    Raises:
        ConfigError: If it can't be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise ConfigError(f"--output {path}: can't be written ({error.strerror})") from None


def picture(trained: "Trained", given: "Given", record: dict[str, Any]) -> bytes:
    """What shows an input and its answer."""
    drawn = trained.task.drawn(given, record)
    assert drawn is not None, "what goes on can be drawn"
    return drawn.file()[1]
