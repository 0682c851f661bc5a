"""Sentences without tags: cut into words, with the places that entities are told by."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from seqtrain.errors import DataError
from seqtrain.tasks.given import Given, Source
from seqtrain.tasks.tagging.conll import Format, untagged

_WORD = re.compile(r"https?://\S*\w|[@#]\w+|\w+(?:[-'\u2019.]\w+)*|[^\w\s]")
"""Addresses, names and subjects of posts, words with what joins their parts, and signs one by one."""


@dataclass(frozen=True)
class Sentence:
    """A text and the words in it.

    Attributes:
        text: As it was written; of words alone, they with blanks between.
        words: At least one.
        starts: Where in the text each word begins, counted in characters.
    """

    text: str
    words: tuple[str, ...]
    starts: tuple[int, ...]

    @classmethod
    def of_text(cls, text: str) -> "Sentence":
        """Finds the words of a text that isn't blank."""
        found = list(_WORD.finditer(text))
        return cls(text, tuple(match[0] for match in found), tuple(match.start() for match in found))

    @classmethod
    def of_words(cls, words: Sequence[str]) -> "Sentence":
        """Puts words in a row."""
        starts, position = [], 0
        for word in words:
            starts.append(position)
            position += len(word) + 1
        return cls(" ".join(words), tuple(words), tuple(starts))

    def end(self, word: int) -> int:
        """Where a word ends in the text."""
        return self.starts[word] + len(self.words[word])


def sentence_of(given: Given) -> Sentence:
    """What was given, a text or a list of words, as a sentence.

    Raises:
        DataError: If it is neither, or blank.
    """
    if isinstance(given.value, str):
        return Sentence.of_text(given.text())
    words = given.value
    if not isinstance(words, Sequence) or not words or not all(isinstance(word, str) and word for word in words):
        raise DataError(f"{given.place}: a text or a list of words is expected")
    return Sentence.of_words(words)


def read_sentences(source: Source, layout: Format) -> Iterator[Given]:
    """Each line as a sentence; or of a CoNLL file its words, whether they have tags or not."""
    if source.format != "conll":
        yield from source.texts()
        return
    for line, words in untagged(source, layout.word_column):
        yield source.given(words, line)
