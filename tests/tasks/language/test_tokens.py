import numpy as np
import pytest

from seqtrain.batch import UNK
from seqtrain.tasks.language import tokens
from seqtrain.tasks.language.tokens import counts, encoded, words, written
from seqtrain.tasks.vocabulary import Vocabulary

PROSE = [
    'He said: "No, I won\'t (not yet)."\n\n"Why?" she asked.\n',
    "'Tis a well-known fact... isn't it?!\nO--noble heart;\n",
    "Costs [about] $5, or 10%.",
    "\u201cQuoted\u201d and \u2018so\u2019 on.",
]


def test_words_are_words_runs_of_a_sign_and_line_ends():
    assert words("'Tis a  well-known\tfact...\n\n(O--so!?)") == [
        *("'Tis", "a", "well-known", "fact", "...", "\n", "\n", "(", "O", "--", "so", "!", "?", ")")
    ]


@pytest.mark.parametrize("text", PROSE)
def test_written_words_read_as_they_did(text):
    assert written(words(text)) == text


def test_an_open_quote_ends_with_its_line():
    assert written(['"', "a", "\n", '"', "b", '"', "c"]) == '"a\n"b" c'


def test_nothing_is_written_as_nothing():
    assert written([]) == ""


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
def test_blocks_change_no_count_and_no_id(monkeypatch, size):
    text = "".join(PROSE)
    monkeypatch.setattr(tokens, "BLOCK", 100)
    blocks = [text[start : start + size] for start in range(0, len(text), size)]
    vocabulary = Vocabulary.build([words(text)])
    assert counts(blocks, "words") == counts([text], "words")
    assert (
        np.concatenate(list(encoded(blocks, "words", vocabulary))).tolist() == vocabulary.encode(words(text)).tolist()
    )
    vocabulary = Vocabulary.build([text])
    assert counts(blocks, "characters") == counts([text], "characters")
    ids = np.concatenate(list(encoded(blocks, "characters", vocabulary)))
    assert ids.tolist() == vocabulary.encode(text).tolist()
    assert "".join(vocabulary.decode(ids)) == text


def test_a_word_longer_than_a_block_is_divided(monkeypatch):
    monkeypatch.setattr(tokens, "BLOCK", 4)
    assert counts(["aaa", "aaa", "aa b"], "words") == {"aaaaaa": 1, "aa": 1, "b": 1}


def test_counts_are_of_every_symbol():
    assert counts(["ab", "a\U0001f600"], "characters") == {"a": 2, "b": 1, "\U0001f600": 1}
    assert counts(["a b", " a\n"], "words") == {"a": 2, "b": 1, "\n": 1}


def test_unknown_symbols_are_unk():
    vocabulary = Vocabulary.build([["a"]])
    assert [ids.tolist() for ids in encoded(["ab\U0010ffff"], "characters", vocabulary)] == [[4, UNK, UNK]]
