"""`seqtrain explain RUN [FILE...]`: one HTML page on what a run learned and how it answers."""

import sys
from itertools import islice
from pathlib import Path

from seqtrain.cli.asking import loaded, parser_of
from seqtrain.errors import ConfigError

PAGE = "explain.html"
"""What the page is called in the run folder."""


def main(arguments: list[str]) -> int:
    """Writes the page and prints where it is."""
    parser = parser_of(
        "explain",
        "Writes an HTML page that explains a run: how well it learned, what it answers, where attention looks, what "
        "units of recurrent layers do, how far back gradients reach. It needs no server and no network.",
    )
    parser.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="inputs to show it on, as `seqtrain predict` reads them; - is standard input; default: some of the data",
    )
    parser.add_argument("--text", action="append", metavar="TEXT", help="a text instead of files; may be repeated")
    parser.add_argument("--format", choices=["lines", "tsv", "csv", "jsonl", "conll"], help="default: by FILE's name")
    parser.add_argument(
        "--split",
        choices=["val", "train"],
        default="val",
        help="the data that examples and gradients are of; default: val",
    )
    parser.add_argument("--output", type=Path, metavar="F", help=f"where to write; default: {PAGE} in the run folder")
    parser.add_argument("--open", action="store_true", help="show it in a browser as well")
    options = parser.parse_intermixed_args(arguments)
    if options.text and options.files:
        raise ConfigError("--text: instead of FILE; give one of them")
    trained = loaded(options)

    from seqtrain.cli.predict import given_of
    from seqtrain.explain import MOST_GIVEN, explain
    from seqtrain.files import write_atomically

    asked = options.text or options.files
    inputs = given_of(trained, options.files, options.text, options.format) if asked else iter(())
    given = list(islice(inputs, MOST_GIVEN + 1))  # one more, to tell that there are more
    page, notes = explain(trained, given, options.split, options.batch_size)
    path = options.output or trained.folder / PAGE
    try:
        write_atomically(path, page.encode())
    except OSError as error:
        raise ConfigError(f"{path}: can't be written ({error.strerror}); name another file by --output") from None
    for note in notes:
        sys.stderr.write(f"note: {note}\n")
    sys.stdout.write(f"{path}\n")
    if options.open:
        import webbrowser

        webbrowser.open(path.absolute().as_uri())
    return 0
