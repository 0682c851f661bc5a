import pytest

from seqtrain.tasks.language.nested import AGREEMENTS, BRACKETS, ENDINGS, sentences

PARTNER = dict(BRACKETS)


def made(size=300, seed=0, split="train", depth=4, nesting=0.4, lexicon=20):
    return sentences(size, seed, split, depth=depth, nesting=nesting, lexicon=lexicon).tolist()


def parsed(sentence):
    """Checks a sentence, and tells its nouns, its stems of verbs and the depth of its brackets."""
    nouns, verbs, depths, place = set(), set(), [0], 0

    def word():
        nonlocal place
        begin = place
        while sentence[place].isalpha():
            place += 1
        return sentence[begin:place]

    def noun(depth):
        nonlocal place
        found = word()
        nouns.add(found)
        if sentence[place] in PARTNER:
            closes = PARTNER[sentence[place]]
            place += 1
            inside(depth + 1)
            assert sentence[place] == closes
            place += 1
        return found

    def inside(depth):
        depths.append(depth)
        subject = noun(depth)
        if sentence[place] == " ":
            predicate(subject, depth)

    def predicate(subject, depth):
        nonlocal place
        agreement = AGREEMENTS[ENDINGS.index(subject[-1])]
        assert sentence[place] == " "
        place += 1
        verb = word()
        assert verb.endswith(agreement)
        verbs.add(verb.removesuffix(agreement))
        assert sentence[place] == " "
        place += 1
        noun(depth)

    predicate(noun(0), 0)
    assert sentence[place:] == ".\n"
    return nouns, verbs, max(depths)


def test_every_verb_agrees_with_its_noun_and_every_bracket_closes():
    nouns, verbs, depths = zip(*map(parsed, made()), strict=True)
    assert len(set().union(*nouns)) == len(set().union(*verbs)) == 20
    assert max(depths) == 4


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_brackets_are_no_deeper_than_asked_for(depth):
    assert max(parsed(sentence)[2] for sentence in made(depth=depth)) == depth


def test_nesting_is_a_chance():
    assert not any(set("([{<") & set(sentence) for sentence in made(nesting=0.0))
    # With certain nesting to one level, each of two nouns has its brackets.
    assert {sum(sentence.count(bracket) for bracket in "([{<") for sentence in made(depth=1, nesting=1.0)} == {2}


def test_the_lexicon_is_as_large_as_asked_for_and_the_same_for_all_seeds():
    small = [set().union(*(parsed(sentence)[0] for sentence in made(500, seed, lexicon=4))) for seed in (0, 1)]
    assert small[0] == small[1]
    assert len(small[0]) == 4
    assert len(set().union(*(parsed(sentence)[0] for sentence in made(2000, lexicon=50)))) == 50


def test_seed_and_split_decide():
    assert made() == made()
    assert made() != made(seed=1)
    assert made() != made(split="val")
