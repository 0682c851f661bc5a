"""What a language model reads as one symbol: a character, or a word. Text in blocks becomes ids in blocks."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import numpy as np
from jaxtyping import Int

from seqtrain.tasks.language.passages import BLOCK
from seqtrain.tasks.vocabulary import Vocabulary, code_points

Level = Literal["characters", "words"]

_WORD = re.compile(r"\n|['\u2019]?\w+(?:[-'\u2019]\w+)*|([^\w\s])\1*")
"""A line end, a word with what joins its parts, or a run of one sign."""

_CLINGS = frozenset(".,;:!?)]}%\u2019'\u201d\u00bb")
_OPENS = frozenset("([{\u201c\u2018\u00ab$\u00a3\u20ac")
_JOINS = frozenset("-\u2013\u2014/@_")


def words(text: str) -> list[str]:
    """Words, signs and line ends of a text; other blanks are left out."""
    return [match[0] for match in _WORD.finditer(text)]


def written(tokens: Sequence[str]) -> str:
    """Words as running text: signs stand as they do in print, quotes open and close in turn."""
    pieces: list[str] = []
    glued, quoted = True, False
    for token in tokens:
        sign, word = token[0], token[-1].isalnum()
        clings = not word and (sign in _CLINGS or sign in _JOINS or sign == "\n" or (sign == '"' and quoted))
        pieces.append(token if glued or clings else f" {token}")
        glued = not word and (sign in _OPENS or sign in _JOINS or sign == "\n" or (sign == '"' and not quoted))
        quoted = quoted != (sign == '"') and sign != "\n"
    return "".join(pieces)


def counts(blocks: Iterable[str], level: Level) -> Counter[str]:
    """How often each symbol occurs."""
    if level == "words":
        return Counter(word for block in _between_blanks(blocks) for word in words(block))
    total: Counter[str] = Counter()
    for block in blocks:
        times = np.bincount(code_points(block))
        total.update({chr(code): int(times[code]) for code in np.flatnonzero(times).tolist()})
    return total


def encoded(blocks: Iterable[str], level: Level, vocabulary: Vocabulary) -> Iterator[Int[np.ndarray, " T"]]:
    """The ids of a text, block by block."""
    if level == "words":
        return (vocabulary.encode(words(block)) for block in _between_blanks(blocks))
    return map(vocabulary.encode_characters, blocks)


def _between_blanks(blocks: Iterable[str]) -> Iterator[str]:
    """The same text in blocks that divide no word, unless one is longer than a block."""
    rest = ""
    for block in blocks:
        text = rest + block
        end = 1 + max(text.rfind(" "), text.rfind("\n"))
        if end == 0 and len(text) > BLOCK:
            end = len(text)
        yield text[:end]
        rest = text[end:]
    yield rest
