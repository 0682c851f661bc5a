"""The words a user types: one YAML file each, of conf or of a plugin, described by the first line of its header."""

import itertools
import re
from importlib.resources import files
from importlib.resources.abc import Traversable

from seqtrain.errors import ConfigError
from seqtrain.plugins import word_folders

GROUPS = ("model", "task", "decoder", "optimizer", "scheduler", "trainer", "experiment", "sweep", "launcher")


def words(group: str) -> dict[str, Traversable]:
    """The files of one group by their word, in alphabetical order: the built-in ones and those of plugins.

    Raises:
        ConfigError: If a plugin has a word that is taken.
    """
    found, owners = built_in(group), dict.fromkeys(built_in(group), "")
    for package, folder in word_folders().items():
        for word, file in files_of(folder / group).items():
            if word in found:
                taken = f"in {owners[word]} too" if owners[word] else "built in and would win"
                raise ConfigError(f"{file}: {group}={word} is {taken}; give it another name, or uninstall {package}")
            found[word], owners[word] = file, package
    return dict(sorted(found.items()))


def built_in(group: str) -> dict[str, Traversable]:
    """The words of one group that come with seqtrain."""
    return files_of(files("seqtrain.conf") / group)


def files_of(folder: Traversable) -> dict[str, Traversable]:
    """The YAML files of a folder by their word, in alphabetical order; none if it isn't there."""
    found = [file for file in folder.iterdir() if file.name.endswith(".yaml")] if folder.is_dir() else []
    return {file.name.removesuffix(".yaml"): file for file in sorted(found, key=lambda file: file.name)}


def header(file: Traversable) -> dict[str, str]:
    """What a file says of itself: its `summary`, and each paragraph that begins with a name, as `paper: ...`."""
    comments = itertools.takewhile(lambda line: line.startswith("#"), file.read_text(encoding="utf-8").splitlines())
    said_lines = [line.removeprefix("#").strip() for line in comments if not line.startswith("# @package")]
    first, *lines = said_lines or [""]  # a user's own file may have no header
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
