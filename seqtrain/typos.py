"""What a user likely meant by a word that nothing knows."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from seqtrain.errors import ConfigError

NEAR = 0.6
"""How alike two words must be, of 1, for one to be suggested for the other."""


class UnknownKeyError(ConfigError):
    """A key that nothing reads; the message names the key that was likely meant.

    Args:
        path: The key as the user gave it, dotted.
        known: Paths to look among: first for one alike as a whole, then for one alike in its last part.
    """

    def __init__(self, path: str, known: Iterable[str]) -> None:
        self.path = path
        self.known = [each for each in known if each != path and not each.startswith(f"{path}.")]
        meant = nearest(path, self.known)
        if meant is None:
            by_leaf = {leaf_of(each): each for each in self.known}
            meant = by_leaf.get(nearest(leaf_of(path), by_leaf) or "")
        super().__init__(f"{path}: unknown key" + (f"; did you mean {meant}?" if meant else ""))


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like this one, or None if none is near."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=NEAR)), None)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean lr?`, or nothing if no known word is near."""
    near = nearest(word, known)
    return f"; did you mean {near}?" if near else ""


def leaves(tree: Mapping[Any, Any], path: str = "") -> Iterable[str]:
    """The dotted path of every value in a tree, and of every group of values."""
    for key, value in tree.items():
        yield join(path, str(key))
        if isinstance(value, Mapping):
            yield from leaves(value, join(path, str(key)))


def leaf_of(path: str) -> str:
    """The last part of a dotted path."""
    return path.rpartition(".")[2]


def join(path: str, key: str) -> str:
    """A dotted path one key longer."""
    return f"{path}.{key}" if path else key
