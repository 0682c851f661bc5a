"""How a text becomes ids and ids become a text: by words, characters or subwords."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Any, Literal, final

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray

from seqtrain import limits
from seqtrain.batch import EOS, PAD, UNK
from seqtrain.errors import CheckpointError, ConfigError
from seqtrain.tasks.translation.subwords import Subwords
from seqtrain.tasks.vocabulary import SPECIALS, Vocabulary, split_words

Level = Literal["words", "characters", "subwords"]

SUBWORDS = 8_000
"""Ids of subwords where the user sets no other number."""

UNREADABLE = "\ufffd"
"""How an unknown character is written."""


@dataclass(frozen=True)
class CodecOptions:
    """How texts become ids.

    Attributes:
        level: What one symbol stands for. "words" are runs of letters and digits, with hyphens and apostrophes inside,
            and every other sign by itself; "subwords" are learned from the training texts by byte-pair encoding
            (Sennrich et al. 2016), with sentencepiece.
        lowercase: Whether capitals are made small; a text that is written then begins with one again, if most texts
            of the training split do.
        min_count: How often a word or character must occur in the training split to be known; None is 1.
        max_vocab_size: The most ids, the four special symbols included; None is no limit, or 8000 subwords.
    """

    level: Level = "words"
    lowercase: bool = False
    min_count: int | None = None
    max_vocab_size: int | None = None

    def __post_init__(self) -> None:
        limits.at_least("task", 1, min_count=self.min_count)
        limits.at_least("task", len(SPECIALS) + 1, max_vocab_size=self.max_vocab_size)
        if self.level != "subwords":
            return
        if self.min_count is not None:
            raise ConfigError(
                f"task.min_count={self.min_count}: is about words and characters; subwords are chosen by their number, "
                "task.max_vocab_size"
            )
        if find_spec("sentencepiece") is None:
            raise ConfigError("task.level=subwords: needs sentencepiece; pip install 'seqtrain[subwords]' brings it")

    def learn(self, texts: Sequence[str]) -> "Codec":
        """What the texts of a training split settle.

        Raises:
            ConfigError: If there can't be as many subwords as were asked for.
        """
        case = Case.of(texts) if self.lowercase else Case()
        cased = case.fold(texts)
        if self.level == "subwords":
            return SubwordCodec(Subwords.learn(cased, self.max_vocab_size or SUBWORDS), case)
        symbols = map(split_words if self.level == "words" else list, cased)
        vocabulary = Vocabulary.build(symbols, self.min_count or 1, self.max_vocab_size)
        return (WordCodec if self.level == "words" else CharacterCodec)(vocabulary, case)


@dataclass(frozen=True)
class Case:
    """What becomes of capitals.

    Attributes:
        lowercase: Whether they are made small.
        capital: Whether a text that is written begins with one again.
    """

    lowercase: bool = False
    capital: bool = False

    @classmethod
    def of(cls, texts: Sequence[str]) -> "Case":
        """Small letters, and a capital at the beginning if most of these texts have one there."""
        return cls(lowercase=True, capital=2 * sum(text[:1].isupper() for text in texts) > len(texts))

    def fold(self, texts: Sequence[str]) -> Sequence[str]:
        """Texts as they are read."""
        return [text.lower() for text in texts] if self.lowercase else texts

    def unfold(self, text: str) -> str:
        """A text as it is written."""
        return text[:1].upper() + text[1:] if self.capital else text


class Codec(ABC):
    """Writes texts as ids and reads ids as texts.

    Attributes:
        case: What becomes of capitals.
    """

    level: Level

    def __init__(self, case: Case) -> None:
        self.case = case

    @abstractmethod
    def __len__(self) -> int:
        """How many ids there are, the special ones included."""

    def encode(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        """The ids of each text, at least one of each; none of the texts is blank."""
        return self._encode(self.case.fold(texts))

    @abstractmethod
    def _encode(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        """The ids of texts whose capitals have been seen to."""

    @abstractmethod
    def symbols(self, ids: Int[np.ndarray, " T"]) -> list[str]:
        """What each id stands for, to label a picture."""

    def text(self, ids: Int[np.ndarray, " T"]) -> str:
        """The text that ids spell, up to the first EOS, as one would write it."""
        return self.case.unfold(self._text(_written(ids)))

    @abstractmethod
    def _text(self, ids: Int[np.ndarray, " T"]) -> str:
        """The text that ids spell which are neither EOS nor padding."""

    def words(self, ids: Int[np.ndarray, " T"]) -> list[str]:
        """The same in words."""
        return split_words(self.text(ids))

    def to_json(self) -> dict[str, Any]:
        """All of it as plain JSON content, for `codec_from_json`."""
        return {"level": self.level, **asdict(self.case), **self._ids_to_json()}

    @abstractmethod
    def _ids_to_json(self) -> dict[str, Any]:
        """What stands behind the ids, as plain JSON content."""


@final
class WordCodec(Codec):
    """An id for each word. An unknown one is written as <unk>."""

    level = "words"

    def __init__(self, vocabulary: Vocabulary, case: Case) -> None:
        super().__init__(case)
        self._vocabulary = vocabulary

    def __len__(self) -> int:
        return len(self._vocabulary)

    def _encode(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        return _looked_up(self._vocabulary, list(map(split_words, texts)))

    def symbols(self, ids: Int[np.ndarray, " T"]) -> list[str]:
        return self._vocabulary.decode(ids)

    def _text(self, ids: Int[np.ndarray, " T"]) -> str:
        return joined(self._vocabulary.decode(ids))

    def words(self, ids: Int[np.ndarray, " T"]) -> list[str]:
        return self._vocabulary.decode(_written(ids))

    def _ids_to_json(self) -> dict[str, Any]:
        return self._vocabulary.to_json()


@final
class CharacterCodec(Codec):
    """An id for each character. An unknown one is written as the replacement character."""

    level = "characters"

    def __init__(self, vocabulary: Vocabulary, case: Case) -> None:
        super().__init__(case)
        self._vocabulary = vocabulary

    def __len__(self) -> int:
        return len(self._vocabulary)

    def _encode(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        return _looked_up(self._vocabulary, list(map(list, texts)))

    def symbols(self, ids: Int[np.ndarray, " T"]) -> list[str]:
        spelt = self._vocabulary.decode(ids)
        return [UNREADABLE if unknown else symbol for unknown, symbol in zip(ids == UNK, spelt, strict=True)]

    def _text(self, ids: Int[np.ndarray, " T"]) -> str:
        return "".join(self.symbols(ids))

    def _ids_to_json(self) -> dict[str, Any]:
        return self._vocabulary.to_json()


@final
class SubwordCodec(Codec):
    """An id for each subword; any text of known characters comes back as it was."""

    level = "subwords"

    def __init__(self, subwords: Subwords, case: Case) -> None:
        super().__init__(case)
        self._subwords = subwords

    def __len__(self) -> int:
        return len(self._subwords)

    def _encode(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        return self._subwords.encode(texts)

    def symbols(self, ids: Int[np.ndarray, " T"]) -> list[str]:
        return self._subwords.pieces(ids)

    def _text(self, ids: Int[np.ndarray, " T"]) -> str:
        return self._subwords.decode(ids)

    def _ids_to_json(self) -> dict[str, Any]:
        return self._subwords.to_json()


def codec_from_json(content: object) -> Codec:
    """The codec that `to_json` gave.

    Raises:
        CheckpointError: If the content is not what `to_json` gives.
    """
    match content:
        case {"level": level, "lowercase": bool(lowercase), "capital": bool(capital)}:
            kept = Case(lowercase, capital)
        case _:
            raise CheckpointError('this is no vocabulary: it should tell "level", "lowercase" and "capital"')
    match level:
        case "words":
            return WordCodec(Vocabulary.from_json(content), kept)
        case "characters":
            return CharacterCodec(Vocabulary.from_json(content), kept)
        case "subwords":
            return SubwordCodec(Subwords.from_json(content), kept)
    raise CheckpointError(f"this is no vocabulary: its level is {level!r}")


def joined(parts: Sequence[str]) -> str:
    """Words and signs as one would write them; the rules are of English and German.

    No blank stands before what closes or ends, none after what opens. A straight quotation mark does both by turns.
    """
    text, glued, quoted = "", True, False
    for part in parts:
        opens, closes = part in _OPENS, part in _CLOSES
        if part == '"':
            opens, closes, quoted = not quoted, quoted, not quoted
        text += part if glued or closes else f" {part}"
        glued = opens
    return text


_CLOSES = frozenset(".,;:!?)]}%'\u2019\u201c\u201d")
_OPENS = frozenset("([{#$\u201e")


def _looked_up(vocabulary: Vocabulary, texts: list[list[str]]) -> list[NDArray[np.int64]]:
    """The ids of each text, all looked up at once."""
    ids = vocabulary.encode([symbol for symbols in texts for symbol in symbols])
    return np.split(ids, np.cumsum([len(symbols) for symbols in texts])[:-1])


def _written(ids: Int[np.ndarray, " T"]) -> NDArray[np.int64]:
    """The ids before the first EOS, without padding."""
    ended = np.cumsum(ids == EOS) > 0
    kept: NDArray[np.int64] = ids[~ended & (ids != PAD)]
    return kept
