import json

import numpy as np
import pytest

from seqtrain.batch import BOS, EOS, PAD, UNK
from seqtrain.errors import CheckpointError
from seqtrain.tasks.vocabulary import Vocabulary

SENTENCES = [["b", "a", "c"], ["a", "b"], ["a", "d"]]


def test_special_symbols_come_first_then_words_by_count_then_alphabet():
    vocabulary = Vocabulary.build(SENTENCES)
    assert vocabulary.words == ("a", "b", "c", "d")
    assert len(vocabulary) == 8
    assert vocabulary.decode(np.arange(8)) == ["<pad>", "<unk>", "<bos>", "<eos>", "a", "b", "c", "d"]
    assert (PAD, UNK, BOS, EOS) == (0, 1, 2, 3)


def test_the_order_of_the_sentences_does_not_matter():
    assert Vocabulary.build(SENTENCES[::-1]).words == Vocabulary.build(SENTENCES).words


def test_an_unknown_word_is_unk():
    assert Vocabulary.build(SENTENCES).encode(["d", "zebra", "a"]).tolist() == [7, UNK, 4]


def test_no_words_have_no_ids():
    assert Vocabulary.build(SENTENCES).encode([]).tolist() == []


def test_min_count_drops_the_rarer_words():
    assert Vocabulary.build(SENTENCES, min_count=2).words == ("a", "b")


@pytest.mark.parametrize(
    ("max_size", "words"), [(5, ("a",)), (6, ("a", "b")), (8, ("a", "b", "c", "d")), (99, tuple("abcd"))]
)
def test_max_size_keeps_the_most_frequent_words(max_size, words):
    vocabulary = Vocabulary.build(SENTENCES, max_size=max_size)
    assert vocabulary.words == words
    assert len(vocabulary) <= max_size


def test_a_text_cannot_forge_a_special_symbol():
    vocabulary = Vocabulary.build([["<pad>", "<eos>", "a"]])
    assert vocabulary.words == ("a",)
    assert vocabulary.encode(["<pad>", "<unk>", "<eos>", "a"]).tolist() == [UNK, UNK, UNK, 4]


def test_json_gives_the_vocabulary_back():
    vocabulary = Vocabulary.build([["naïve", "\u2028", "ß", "a", "a"]])
    again = Vocabulary.from_json(json.loads(json.dumps(vocabulary.to_json())))
    assert again.words == vocabulary.words
    assert again.encode(["ß", "\u2028"]).tolist() == vocabulary.encode(["ß", "\u2028"]).tolist()


@pytest.mark.parametrize("content", [None, [], {}, {"words": None}, {"words": [1]}])
def test_what_is_no_vocabulary_is_refused(content):
    with pytest.raises(CheckpointError, match="no vocabulary"):
        Vocabulary.from_json(content)


def test_characters_are_encoded_at_once_as_they_are_one_by_one():
    vocabulary = Vocabulary.build(["naïve \u2028\n", ["\U0010ffff", "word"]])
    text = "naïve\u2028 \nword\U0010ffff\U0001f600"
    assert vocabulary.encode_characters(text).tolist() == vocabulary.encode(list(text)).tolist()
    assert vocabulary.encode_characters("").tolist() == []


def test_words_that_have_been_counted_make_the_same_vocabulary():
    counts = {"c": 1, "b": 2, "<pad>": 9, "a": 2}
    assert Vocabulary.of_counts(counts).words == ("a", "b", "c")
    assert Vocabulary.of_counts(counts, min_count=2, max_size=5).words == ("a",)
