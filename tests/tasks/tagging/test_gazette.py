import itertools

import pytest

from seqtrain.tasks.tagging.gazette import _ENDINGS, _WORDS, TYPES, sentences
from seqtrain.tasks.tagging.tags import to_bio
from seqtrain.tasks.task import Split

SIZE = 400
ENDINGS = {kind: tuple(endings) for kind, endings in _ENDINGS.items()}


def entities(words, tags):
    """The words of each entity with its type."""
    found = []
    for word, tag in zip(words, tags, strict=True):
        if tag[0] == "B":
            found.append((tag[2:], [word]))
        elif tag[0] == "I":
            found[-1][1].append(word)
    return found


def every_entity(written):
    return [each for words, tags in zip(*written, strict=True) for each in entities(words, tags)]


@pytest.fixture(scope="module")
def written():
    return {split: sentences(split, SIZE, 3, ambiguity=0.5, asides=3) for split in Split}


def test_tags_are_iob2_of_every_type(written):
    for words, tags in written.values():
        assert len(words) == len(tags) == SIZE
        assert all(to_bio(sentence, "bio") == sentence for sentence in tags)
        assert {kind for kind, _ in every_entity((words, tags))} == set(TYPES)
        assert all(sentence[-1] == "." and sentence[0][0].isupper() for sentence in words)
        assert any(set(sentence) == {"O"} for sentence in tags)


def test_no_invented_name_is_in_two_splits(written):
    names = [
        {word for _, entity in every_entity(each) for word in entity if len(word) > 6 and word not in _WORDS}
        for each in written.values()
    ]
    for one, other in itertools.combinations(names, 2):
        assert one & other <= {"Motors", "Royal"}


def test_some_words_are_names_and_not(written):
    words, tags = written[Split.TRAIN]
    uses = {}
    for sentence, marks in zip(words, tags, strict=True):
        for word, tag in zip(sentence, marks, strict=True):
            uses.setdefault(word, set()).add(tag[0])
    assert {"O", "B"} <= uses["Will"] | uses["Reading"] | uses["May"] | uses["Orange"]
    assert any(uses.get(word, set()) >= {"O", "B"} for word in _WORDS)


def told(kind, entity):
    return any(word.endswith(ENDINGS[kind]) for word in entity)


def test_ambiguity_is_how_often_spelling_tells_nothing():
    plain = every_entity(sentences(Split.TRAIN, SIZE, 0, ambiguity=0.0, asides=1))
    vague = every_entity(sentences(Split.TRAIN, SIZE, 0, ambiguity=1.0, asides=1))
    assert sum(told(*each) for each in plain) > 0.9 * len(plain)
    assert sum(told(*each) for each in vague) < 0.05 * len(vague)


def test_asides_keep_a_name_from_what_tells_its_kind():
    lengths = [
        sum(map(len, sentences(Split.TRAIN, SIZE, 0, ambiguity=0.5, asides=asides)[0])) / SIZE for asides in (0, 3, 9)
    ]
    assert lengths[0] < lengths[1] < lengths[2]


def test_sentences_are_those_of_their_seed(written):
    assert sentences(Split.VAL, SIZE, 3, 0.5, 3) == written[Split.VAL]
    assert sentences(Split.VAL, SIZE, 4, 0.5, 3) != written[Split.VAL]
