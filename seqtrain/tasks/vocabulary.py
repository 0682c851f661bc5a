"""Words, or characters, and their ids."""

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray

from seqtrain.batch import BOS, EOS, PAD, UNK
from seqtrain.errors import CheckpointError

SPECIALS = ("<pad>", "<unk>", "<bos>", "<eos>")
"""How the special symbols are spelt, in the order of their ids."""

assert (SPECIALS[PAD], SPECIALS[UNK], SPECIALS[BOS], SPECIALS[EOS]) == SPECIALS

split_words: Callable[[str], list[str]] = re.compile(r"\w+(?:[-'\u2019]\w+)*|[^\w\s]").findall
"""Runs of letters and digits, with hyphens and apostrophes inside, and every other sign by itself."""


class Vocabulary:
    """The four special symbols, then the words, each with the id of its place.

    A word that is spelt like a special symbol is unknown: text can't forge one.

    Attributes:
        words: The words without the special symbols, in the order of their ids.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        self._ids = {word: identity for identity, word in enumerate(self.words, len(SPECIALS))}

    @classmethod
    def build(cls, sentences: Iterable[Sequence[str]], min_count: int = 1, max_size: int | None = None) -> "Vocabulary":
        """Collects the words of a training split, the most frequent first, equally frequent ones by alphabet.

        Args:
            sentences: The words of each text.
            min_count: How often a word must occur to have an id of its own.
            max_size: The most ids there may be, special symbols included; None is no limit.
        """
        return cls.of_counts(Counter(word for sentence in sentences for word in sentence), min_count, max_size)

    @classmethod
    def of_counts(cls, counts: Mapping[str, int], min_count: int = 1, max_size: int | None = None) -> "Vocabulary":
        """As `build`, from words that have been counted."""
        kept = (word for word, count in counts.items() if count >= min_count and word not in SPECIALS)
        words = sorted(kept, key=lambda word: (-counts[word], word))
        return cls(words if max_size is None else words[: max(0, max_size - len(SPECIALS))])

    def __len__(self) -> int:
        return len(SPECIALS) + len(self.words)

    def encode(self, words: Sequence[str]) -> Int[np.ndarray, " T"]:
        """The id of each word; UNK for one that has none."""
        return np.fromiter((self._ids.get(word, UNK) for word in words), np.int64, len(words))

    def encode_characters(self, text: str) -> Int[np.ndarray, " T"]:
        """The id of each character of a text, where the words are characters; as `encode`, but without a loop."""
        ids: NDArray[np.int64] = self._of_character[code_points(text)].astype(np.int64)
        return ids

    def decode(self, ids: NDArray[np.int64]) -> list[str]:
        """The word, or special symbol, of each id."""
        return [SPECIALS[i] if i < len(SPECIALS) else self.words[i - len(SPECIALS)] for i in ids.tolist()]

    @cached_property
    def _of_character(self) -> Int[np.ndarray, " N"]:
        """The id of every character that Unicode has room for."""
        table = np.full(sys.maxunicode + 1, UNK, np.int32)
        for word, identity in self._ids.items():
            if len(word) == 1:
                table[ord(word)] = identity
        return table

    def to_json(self) -> dict[str, Any]:
        """The vocabulary as plain JSON content."""
        return {"words": list(self.words)}

    @classmethod
    def from_json(cls, content: object) -> "Vocabulary":
        """The vocabulary that `to_json` gave.

        Raises:
            CheckpointError: If the content is not what `to_json` gives.
        """
        words = content.get("words") if isinstance(content, dict) else None
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise CheckpointError('this is no vocabulary: it should hold a list of texts under "words"')
        return cls(words)


def code_points(text: str) -> Int[np.ndarray, " T"]:
    """The number that Unicode gives each character of a text, which has come from UTF-8."""
    return np.frombuffer(text.encode("utf-32-le"), np.uint32).astype(np.int64)
