"""The words a user types: one YAML file of conf each, described by the first line of its header."""

from importlib.resources import files
from importlib.resources.abc import Traversable

GROUPS = ("model", "task", "optimizer", "scheduler", "trainer", "experiment")


def words(group: str) -> dict[str, Traversable]:
    """The files of one group by their word, in alphabetical order."""
    folder = files("seqtrain.conf") / group
    found = [file for file in folder.iterdir() if file.name.endswith(".yaml")] if folder.is_dir() else []
    return {file.name.removesuffix(".yaml"): file for file in sorted(found, key=lambda file: file.name)}


def summary(file: Traversable) -> str:
    """The first line of a file's header that isn't one of Hydra's own."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if not line.startswith("# @package")).removeprefix("#").strip()
