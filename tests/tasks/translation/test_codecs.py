import json
import sys

import numpy as np
import pytest

from seqtrain.batch import BOS, EOS, PAD, UNK
from seqtrain.errors import CheckpointError, ConfigError
from seqtrain.tasks.translation.codecs import CodecOptions, codec_from_json, joined
from seqtrain.tasks.vocabulary import split_words

TEXTS = ["Two men, (one of them old) walk.", "A man's dog runs!", "The dog-owner walks; two dogs run."] * 3
LEVELS = [{"level": "words"}, {"level": "characters"}, {"level": "subwords", "max_vocab_size": 60}]


def ids(codec, text):
    (encoded,) = codec.encode([text])
    return encoded


@pytest.fixture(params=LEVELS, ids=lambda options: options["level"])
def options(request):
    return request.param


def test_a_known_text_comes_back_as_it_was(options):
    codec = CodecOptions(**options).learn(TEXTS)
    for text in TEXTS:
        assert codec.text(ids(codec, text)) == text
        assert codec.words(ids(codec, text)) == split_words(text)
    assert ids(codec, TEXTS[0]).min() > EOS
    assert ids(codec, TEXTS[0]).max() < len(codec)
    assert len(codec.symbols(ids(codec, TEXTS[0]))) == len(ids(codec, TEXTS[0]))


def test_what_follows_the_end_is_not_read(options):
    codec = CodecOptions(**options).learn(TEXTS)
    one = ids(codec, TEXTS[1])
    assert codec.text(np.concatenate([one, [EOS, *one, EOS, PAD, PAD]])) == TEXTS[1]
    assert codec.text(np.array([EOS, PAD])) == ""
    assert codec.words(np.array([PAD])) == []


def test_a_codec_comes_back_from_json(options):
    codec = CodecOptions(**options, lowercase=True).learn(TEXTS)
    again = codec_from_json(json.loads(json.dumps(codec.to_json())))
    assert len(again) == len(codec)
    assert ids(again, TEXTS[0]).tolist() == ids(codec, TEXTS[0]).tolist()
    assert again.text(ids(codec, TEXTS[0])) == TEXTS[0]


def test_special_symbols_cannot_be_forged(options):
    codec = CodecOptions(**options).learn([*TEXTS, "<pad> <bos> <eos> <unk>"])
    assert not {PAD, BOS, EOS} & set(ids(codec, "<pad><bos> <eos>").tolist())


def test_what_training_lacks_is_unknown():
    words, characters, subwords = (CodecOptions(**options).learn(TEXTS) for options in LEVELS)
    assert ids(words, "A cat").tolist()[1] == UNK
    assert words.text(ids(words, "A cat runs.")) == "A <unk> runs."
    assert characters.text(ids(characters, "A \u2603 runs.")) == "A \ufffd runs."
    assert characters.symbols(ids(characters, "\u2603")) == ["\ufffd"]
    assert subwords.text(ids(subwords, "A \u2603 runs.")) == "A \ufffd runs."


def test_lowercase_makes_capitals_small_and_begins_with_one_again(options):
    codec = CodecOptions(**options, lowercase=True).learn(TEXTS)
    assert ids(codec, "TWO MEN").tolist() == ids(codec, "two men").tolist()
    assert codec.text(ids(codec, "two dogs Run.")) == "Two dogs run."
    plain = CodecOptions(**options, lowercase=True).learn([text.lower() for text in TEXTS])
    assert plain.text(ids(plain, "Two dogs Run.")) == "two dogs run."


def test_rare_words_and_characters_are_unknown():
    codec = CodecOptions(min_count=2).learn(["a b", "b"])
    assert codec.symbols(ids(codec, "a b")) == ["<unk>", "b"]
    codec = CodecOptions("characters", min_count=2).learn(["ab", "b"])
    assert codec.text(ids(codec, "ab")) == "\ufffdb"


def test_a_vocabulary_has_a_limit(options):
    limit = 50 if options["level"] == "subwords" else 7
    assert len(CodecOptions(options["level"], max_vocab_size=limit).learn(TEXTS)) == limit


def test_more_subwords_make_shorter_sequences():
    small, large = (CodecOptions("subwords", max_vocab_size=size).learn(TEXTS) for size in (40, 80))
    assert len(ids(large, TEXTS[0])) < len(ids(small, TEXTS[0]))


@pytest.mark.parametrize(
    ("size", "reason"), [(8000, r"Vocabulary size too high \(8000\)"), (6, "Vocabulary size is smaller than")]
)
def test_an_impossible_number_of_subwords_is_refused(size, reason):
    with pytest.raises(ConfigError, match=f"^task.max_vocab_size={size}: not with these texts: {reason}") as caught:
        CodecOptions("subwords", max_vocab_size=size).learn(TEXTS)
    assert "\n" not in str(caught.value)


def test_subwords_without_their_library_name_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    monkeypatch.setattr("seqtrain.tasks.translation.codecs.find_spec", lambda _: None)
    with pytest.raises(
        ConfigError, match=r"^task.level=subwords: needs sentencepiece; pip install 'seqtrain\[subwords\]'"
    ):
        CodecOptions("subwords")
    CodecOptions("words")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_count": 0}, "task.min_count=0: must be at least 1"),
        ({"max_vocab_size": 4}, "task.max_vocab_size=4: must be at least 5"),
        ({"level": "subwords", "min_count": 2}, "task.min_count=2: is about words and characters; "
         "subwords are chosen by their number, task.max_vocab_size"),
    ],
)  # fmt: skip
def test_an_option_that_cannot_be_honoured_is_refused_by_name(options, message):
    with pytest.raises(ConfigError) as caught:
        CodecOptions(**options)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "content",
    [
        None,
        {"words": ["a"]},
        {"level": "words", "lowercase": False},
        {"level": "words", "lowercase": False, "capital": False, "words": 3},
        {"level": "sounds", "lowercase": False, "capital": False},
        {"level": "subwords", "lowercase": False, "capital": False},
        {"level": "subwords", "lowercase": False, "capital": False, "sentencepiece": "?"},
        {"level": "subwords", "lowercase": False, "capital": False, "sentencepiece": "QUJD"},
        {"level": "subwords", "lowercase": False, "capital": False, "sentencepiece": 3},
    ],
)
def test_broken_content_is_refused(content):
    with pytest.raises(CheckpointError):
        codec_from_json(content)


@pytest.mark.parametrize(
    "text",
    [
        'He said: "no", and (then) left...',
        "Ein \u201eroter\u201c Ball, 50% billiger!",
        "[a] {b} $5 #1",
        "the boys' ball; isn't it?",
        'a "b" and "c d"',
    ],
)
def test_words_are_joined_as_one_would_write_them(text):
    assert joined(split_words(text)) == text
