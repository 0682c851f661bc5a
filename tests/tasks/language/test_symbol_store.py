import pickle
import tracemalloc

import numpy as np
import pytest

from seqtrain.batch import UNK
from seqtrain.tasks.language import passages, symbol_store, tokens
from seqtrain.tasks.language.passages import Written, cut, whole
from seqtrain.tasks.language.symbol_store import StoredIds, in_pieces, settled, stored


@pytest.fixture
def large(tmp_path, monkeypatch):
    """A file that counts as large, read in blocks of 4 KiB."""
    for module, name in ((passages, "BLOCK"), (tokens, "BLOCK"), (symbol_store, "AT_ONCE")):
        monkeypatch.setattr(module, name, 1 << 12)
    monkeypatch.setattr(symbol_store, "IN_MEMORY", 0)
    monkeypatch.setenv("SEQTRAIN_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "large.txt"
    path.write_text("".join(f"line {number} of ä text\n" for number in range(20_000)), encoding="utf-8")
    return path


@pytest.mark.parametrize("level", ["characters", "words"])
def test_a_file_has_the_ids_that_its_text_has(large, level):
    inside = Written(large.read_text(encoding="utf-8"))
    codes, expected = settled(whole(large), level, 1, 500), settled(inside, level, 1, 500)
    assert codes.vocabulary.words == expected.vocabulary.words
    assert codes.counts.tolist() == expected.counts.tolist()
    ids, in_memory = (stored(passage, level, codes.vocabulary) for passage in (whole(large), inside))
    assert isinstance(ids, StoredIds)
    assert len(ids) == len(in_memory)
    assert (ids[:] == in_memory).all()
    assert ids.dtype == in_memory.dtype.name == ("uint16" if level == "words" else "uint8")
    positions = np.array([[5, 3], [len(ids) - 1, 0]])
    assert ids[positions].tolist() == in_memory[positions].tolist()


def test_small_files_are_kept_in_memory_and_leave_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQTRAIN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "a.txt").write_text("abcab")
    codes = settled(whole(tmp_path / "a.txt"), "characters", 1, None)
    assert stored(whole(tmp_path / "a.txt"), "characters", codes.vocabulary).tolist() == [4, 5, 6, 4, 5]
    assert not (tmp_path / "cache").exists()


def test_counts_are_by_id_and_what_is_rare_is_counted_as_unknown():
    codes = settled(Written("aaabbcd"), "characters", 2, None)
    assert codes.vocabulary.words == ("a", "b")
    assert codes.counts.tolist() == [0, 2, 0, 0, 3, 2]
    codes = settled(Written("aaabbcd"), "characters", 1, 5)
    assert codes.counts.tolist() == [0, 4, 0, 0, 3]
    assert stored(Written("dab"), "characters", codes.vocabulary).tolist() == [UNK, 4, UNK]


def test_a_file_is_read_once_for_the_same_options(large, monkeypatch):
    codes = settled(whole(large), "characters", 1, None)
    stored(whole(large), "characters", codes.vocabulary)
    monkeypatch.setattr(symbol_store, "encoded", None)
    monkeypatch.setattr(symbol_store, "counts", None)
    again = settled(whole(large), "characters", 1, None)
    assert again.vocabulary.words == codes.vocabulary.words
    assert len(stored(whole(large), "characters", again.vocabulary)) == len(large.read_text(encoding="utf-8"))


def test_other_options_other_parts_and_other_content_are_kept_apart(large):
    vocabulary = settled(whole(large), "characters", 1, None).vocabulary
    assert len(settled(whole(large), "characters", 1, 9).vocabulary) == 9
    assert len(settled(whole(large), "characters", 10**6, None).vocabulary) == 4
    assert len(settled(whole(large), "words", 1, None).vocabulary) > 20_000
    first, second = (stored(part, "characters", vocabulary) for part in cut(whole(large), 0.5, at_blank=False))
    assert len(first) + len(second) == len(stored(whole(large), "characters", vocabulary))
    large.write_text("zz", encoding="utf-8")
    assert settled(whole(large), "characters", 1, None).vocabulary.words == ("z",)
    assert stored(whole(large), "characters", vocabulary)[:].tolist() == [UNK, UNK]


def test_a_file_of_any_size_takes_the_same_memory(large):
    content = large.read_bytes()
    peaks = []
    for size in (len(content) // 20, len(content)):
        large.write_bytes(content[:size])
        tracemalloc.start()
        vocabulary = settled(whole(large), "characters", 1, None).vocabulary
        ids = stored(whole(large), "characters", vocabulary)
        assert sum(len(piece) - 1 for piece in in_pieces(ids)) == len(ids) - 1
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < len(content) // 10


def test_what_stands_in_a_file_travels_to_another_process_as_its_name(large):
    codes = settled(whole(large), "characters", 1, None)
    ids = stored(whole(large), "characters", codes.vocabulary)
    assert len(pickle.dumps(ids)) < 1000


def test_pieces_overlap_by_one(monkeypatch):
    monkeypatch.setattr(symbol_store, "AT_ONCE", 3)
    assert [piece.tolist() for piece in in_pieces(np.arange(8))] == [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7]]
    assert [piece.tolist() for piece in in_pieces(np.arange(7))] == [[0, 1, 2, 3], [3, 4, 5, 6]]
    assert list(in_pieces(np.arange(1))) == []
