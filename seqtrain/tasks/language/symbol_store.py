"""The ids of a text: in memory, or where the text is large, in a file that is made once and read in part."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray

from seqtrain.batch import UNK
from seqtrain.data import cached, fingerprint
from seqtrain.tasks.language.passages import Passage, Stretch
from seqtrain.tasks.language.tokens import Level, counts, encoded
from seqtrain.tasks.vocabulary import SPECIALS, Vocabulary

IN_MEMORY = 1 << 24
"""Bytes of a file up to which its ids are kept in memory: it is read faster than a cache would be worth."""

AT_ONCE = 1 << 20
"""Ids that are looked at together where all of a text is."""

FORMAT = 1
"""Version of what is kept in the cache."""


@dataclass(frozen=True)
class StoredIds:
    """Ids in a file, mapped into memory anew for each reading.

    What has been read through a mapping counts as the process's memory for as long as the mapping lives: one that
    lived as long as a run would grow to the size of the text.

    Attributes:
        path: A file of nothing but ids.
        dtype: Of each, by NumPy's name.
    """

    path: Path
    dtype: str

    def __len__(self) -> int:
        return self.path.stat().st_size // np.dtype(self.dtype).itemsize

    def __getitem__(self, positions: Any) -> NDArray[Any]:
        return np.array(np.memmap(self.path, self.dtype, mode="r")[positions])


Ids = NDArray[Any] | StoredIds
"""The ids of a text, of which any selection can be read by its positions."""


@dataclass(frozen=True)
class Codes:
    """What is settled by the training text.

    Attributes:
        vocabulary: The ids of its symbols.
        counts: How often each id occurs there, (V,).
    """

    vocabulary: Vocabulary
    counts: Int[np.ndarray, " V"]


def settled(passage: Passage, level: Level, min_count: int, max_size: int | None) -> Codes:
    """Counts the symbols of the training text and gives them ids.

    Raises:
        DataError: If the text can't be read, or the cache can't be written.
    """
    if not _is_large(passage):
        return _counted(passage, level, min_count, max_size)

    def build(folder: Path) -> None:
        codes = _counted(passage, level, min_count, max_size)
        content = {"words": codes.vocabulary.words, "counts": codes.counts.tolist()}
        (folder / "codes.json").write_text(json.dumps(content), encoding="utf-8")

    key = _key(passage, level) | {"min_count": min_count, "max_size": max_size}
    content = json.loads((cached("text_codes", key, build) / "codes.json").read_text(encoding="utf-8"))
    return Codes(Vocabulary(content["words"]), np.array(content["counts"], np.int64))


def stored(passage: Passage, level: Level, vocabulary: Vocabulary) -> Ids:
    """The ids of a text, in the narrowest numbers that hold them.

    Raises:
        DataError: If the text can't be read, or the cache can't be written.
    """
    dtype = np.min_scalar_type(len(vocabulary) - 1)
    if not _is_large(passage):
        pieces = [ids.astype(dtype) for ids in encoded(passage.blocks(), level, vocabulary)]
        return np.concatenate([np.empty(0, dtype), *pieces])

    def build(folder: Path) -> None:
        with (folder / "ids").open("wb") as file:
            for ids in encoded(passage.blocks(), level, vocabulary):
                file.write(ids.astype(dtype).tobytes())

    key = _key(passage, level) | {"words": vocabulary.words}
    return StoredIds(cached("text_ids", key, build) / "ids", dtype.name)


def in_pieces(ids: Ids) -> Iterator[NDArray[Any]]:
    """All ids in order, some at a time; each piece but the first begins with the last id of the one before."""
    for start in range(0, len(ids) - 1, AT_ONCE):
        yield ids[start : start + AT_ONCE + 1]


def _counted(passage: Passage, level: Level, min_count: int, max_size: int | None) -> Codes:
    times = counts(passage.blocks(), level)
    vocabulary = Vocabulary.of_counts(times, min_count, max_size)
    known = np.array([times[word] for word in vocabulary.words], np.int64)
    by_id = np.concatenate([np.zeros(len(SPECIALS), np.int64), known])
    by_id[UNK] = times.total() - known.sum()
    return Codes(vocabulary, by_id)


def _is_large(passage: Passage) -> bool:
    return isinstance(passage, Stretch) and passage.stop - passage.start > IN_MEMORY


def _key(passage: Passage, level: Level) -> dict[str, object]:
    assert isinstance(passage, Stretch)
    return {
        "format": FORMAT,
        "file": fingerprint(passage.path),
        "start": passage.start,
        "stop": passage.stop,
        "level": level,
    }
