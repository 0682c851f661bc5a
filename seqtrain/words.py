"""The words a user types: one YAML file of conf each, described by the first line of its header."""

import itertools
import re
from importlib.resources import files
from importlib.resources.abc import Traversable

GROUPS = ("model", "task", "decoder", "optimizer", "scheduler", "trainer", "experiment", "sweep", "launcher")


def words(group: str) -> dict[str, Traversable]:
    """The files of one group by their word, in alphabetical order."""
    folder = files("seqtrain.conf") / group
    found = [file for file in folder.iterdir() if file.name.endswith(".yaml")] if folder.is_dir() else []
    return {file.name.removesuffix(".yaml"): file for file in sorted(found, key=lambda file: file.name)}


def header(file: Traversable) -> dict[str, str]:
    """What a file says of itself: its `summary`, and each paragraph that begins with a name, as `paper: ...`."""
    comments = itertools.takewhile(lambda line: line.startswith("#"), file.read_text(encoding="utf-8").splitlines())
    first, *lines = (line.removeprefix("#").strip() for line in comments if not line.startswith("# @package"))
    said, name = {"summary": first}, ""
    for line in filter(None, lines):
        if found := re.match(r"([A-Z][a-z]+): ", line):
            name = found[1].lower()
            said[name] = line[found.end() :]
        elif name:
            said[name] += " " + line
    return said


def summary(file: Traversable) -> str:
    """The first line of a file's header."""
    return header(file)["summary"]
