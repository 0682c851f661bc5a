"""`seqtrain predict RUN [FILE...]`: what a trained model makes of new input, as JSON lines."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from seqtrain.cli.asking import loaded, parser_of, source_of
from seqtrain.errors import ConfigError, DataError

if TYPE_CHECKING:
    from seqtrain.runs.trained import Trained
    from seqtrain.tasks.given import Given


def main(arguments: list[str]) -> int:
    """Writes one JSON object for each input, in order, while inputs are still read."""
    parser = parser_of("predict", "Says what a trained model makes of new input: one JSON object a line.")
    parser.add_argument(
        "files", nargs="*", metavar="FILE", help="what the run's task reads, such as lines of text; - is standard input"
    )
    parser.add_argument("--text", action="append", metavar="TEXT", help="a text instead of files; may be repeated")
    parser.add_argument("--format", choices=["lines", "tsv", "csv", "jsonl", "conll"], help="default: by FILE's name")
    parser.add_argument("--output", type=Path, metavar="F", help="where to write; default: standard output")
    parser.add_argument("--films", type=Path, metavar="DIR", default=Path(), help="where films go; default: here")
    options = parser.parse_intermixed_args(arguments)
    if options.text and options.files:
        raise ConfigError("--text: instead of FILE; give one of them")

    trained = loaded(options)
    asked = given_of(trained, options.files or ["-"], options.text, options.format)
    live = not options.text and options.files in ([], ["-"]) and (sys.stdin.isatty() or options.batch_size == 1)
    with output(options.output) as out:
        for number, record in enumerate(trained.answers(asked, options.batch_size, 1 if live else None), 1):
            out.write(json_line(with_films(record, options.films, number)))
            out.flush()
    return 0


def given_of(
    trained: "Trained", files: list[str], texts: list[str] | None, layout: str | None, flag: str = "--text"
) -> Iterator["Given"]:
    """The inputs that a command line names, as they are read; texts are given by the flag.

    Raises:
        DataError: If one can't be read, or none is there.
    """
    from seqtrain.tasks.given import Given

    if texts:
        if not trained.task.takes_text:
            raise DataError(f"{flag}: task={trained.config.task_name} reads no text; give it a file")
        return (Given(text, f"{flag} {number}") for number, text in enumerate(texts, 1))
    return chain.from_iterable(_read(trained, name, layout, several=len(files) > 1) for name in files)


def _read(trained: "Trained", name: str, layout: str | None, *, several: bool) -> Iterator["Given"]:
    """The inputs of one file; where there are several, each tells which."""
    from dataclasses import replace

    source = source_of(name, layout)
    empty = True
    for given in trained.task.new_inputs(source):
        yield replace(given, told={"file": name, **given.told}) if several else given
        empty = False
    if empty:
        raise DataError(f"{source}: holds nothing to read")


@contextmanager
def output(path: Path | None) -> Iterator[TextIO]:
    """Standard output, or a file that is there once all of it is written.

    Raises:
        ConfigError: If the file can't be written.
    """
    if path is None:
        sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]  # whatever the locale
        yield sys.stdout
        return
    temporary = path.with_name(path.name + ".tmp")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            yield file
        temporary.replace(path)
    except OSError as error:
        raise ConfigError(f"--output {path}: can't be written ({error.strerror})") from None
    finally:
        temporary.unlink(missing_ok=True)


def json_line(record: dict[str, Any]) -> str:
    """A record on one line, whatever a reader takes for the end of one."""
    text = json.dumps(record, ensure_ascii=False)
    for separator in "\x85\u2028\u2029":
        text = text.replace(separator, f"\\u{ord(separator):04x}")
    return text + "\n"


def with_films(record: dict[str, Any], folder: Path, number: int) -> dict[str, Any]:
    """The record with the path of a GIF for each film in it."""
    import numpy as np

    from seqtrain.picture import Picture

    plain = {}
    for name, value in record.items():
        if isinstance(value, np.ndarray):
            file, content = Picture(f"{name}-{number}", value).file()
            folder.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(content)
            value = str(folder / file)
        plain[name] = value
    return plain
