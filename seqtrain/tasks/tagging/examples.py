"""Tagged sentences as ids: of words, of their letters, and of tags."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from numpy.typing import NDArray

from seqtrain import limits
from seqtrain.batch import PAD, UNK, Batch, Examples
from seqtrain.seeding import uniform
from seqtrain.tasks.ragged import Ragged
from seqtrain.tasks.vocabulary import SPECIALS, Vocabulary

LETTERS = 20
"""Letters that are read of a word; of a longer one, as many from its beginning as from its end."""

UNSCORED = -100
"""The target of a padded step; torch's losses pass over it."""


@dataclass(frozen=True)
class WordOptions:
    """How words become ids.

    Attributes:
        lowercase: Whether a word's capitals are made small before it is looked up; its letters keep them.
        digits_to_zero: Whether a word's digits are all read as 0 before it is looked up; its letters keep them.
        min_count: How often a word must occur in the training split to be known.
        max_vocab_size: The most ids, the four special symbols included; None is no limit.
        max_length: Words after which a training sentence is cut off; None is no limit. Others are read whole.
        word_dropout: Chance of each word of a training sentence to be read as unknown, anew in each epoch; its
            letters are still read.
        characters: Whether a word's letters are read beside it.
    """

    lowercase: bool = False
    digits_to_zero: bool = False
    min_count: int = 1
    max_vocab_size: int | None = None
    max_length: int | None = None
    word_dropout: float = 0.0
    characters: bool = False

    def __post_init__(self) -> None:
        limits.at_least("task", 1, min_count=self.min_count, max_length=self.max_length)
        limits.at_least("task", len(SPECIALS) + 1, max_vocab_size=self.max_vocab_size)
        limits.chance("task", word_dropout=self.word_dropout)

    def looked_up(self, words: Sequence[str]) -> list[str]:
        """The words as the vocabulary has them."""
        found = [word.lower() for word in words] if self.lowercase else list(words)
        return [re.sub(r"\d", "0", word) for word in found] if self.digits_to_zero else found


class Spellings:
    """The letters of every different word of a split, and which of those words stands where.

    Only 1 + W numbers a word travel to a batch; the rows of the table are picked without a loop.
    """

    def __init__(self, sentences: Iterable[Sequence[str]], letters: Vocabulary) -> None:
        rows: dict[str, int] = {}
        self._places = Ragged([rows.setdefault(word, len(rows) + 1) for word in words] for words in sentences)
        shown = ["", *map(_shown, rows)]  # row 0 is padding's
        self._widths = np.array([len(word) for word in shown])
        self._table = np.full((len(shown), LETTERS), PAD, np.int32)
        self._table[np.arange(LETTERS) < self._widths[:, None]] = letters.encode("".join(shown))

    def padded(self, indices: Int[np.ndarray, " B"]) -> Int[np.ndarray, "B T W"]:
        """The letters of these sentences' words, filled up with PAD to the longest of them."""
        places = self._places.padded(indices)
        return self._table[places, : self._widths[places].max()].astype(np.int64)


def _shown(word: str) -> str:
    return word if len(word) <= LETTERS else word[: LETTERS // 2] + word[-(LETTERS // 2) :]


class TaggedExamples(Examples):
    """Encoded sentences of one split.

    Attributes:
        texts: Each sentence's words.
        words: Their ids.
        tags: The ids of their tags.
    """

    def __init__(
        self,
        texts: Sequence[Sequence[str]],
        words: Ragged,
        tags: Ragged,
        spellings: Spellings | None,
        seed: int,
        word_dropout: float,
    ) -> None:
        self.texts = texts
        self.lengths = words.lengths
        self.words = words
        self.tags = tags
        self._spellings = spellings
        self._seed = seed
        self._word_dropout = word_dropout

    def __len__(self) -> int:
        return len(self.words)

    def batch(self, indices: NDArray[np.int64], epoch: int) -> Batch:
        """The sentences of these indices; which words are dropped depends on sentence and epoch only."""
        ids, targets, lengths = self.words.padded(indices), self.tags.padded(indices), self.words.lengths[indices]
        real = np.arange(ids.shape[1]) < lengths[:, None]
        targets[~real] = UNSCORED
        if self._word_dropout:
            ids[real & (uniform(self._seed, epoch, indices, ids.shape[1]) < self._word_dropout)] = UNK
        if self._spellings is not None:
            ids = np.concatenate([ids[:, :, None], self._spellings.padded(indices)], 2)
        inputs, answers = torch.from_numpy(ids), torch.from_numpy(targets)
        return Batch(inputs, torch.from_numpy(lengths), answers, torch.from_numpy(indices))
