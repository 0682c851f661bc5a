"""Generated reviews whose verdict is in how the words are joined, not in which words there are.

Each review has one sentence that judges, among others that only tell. The judging sentence says one
thing, or two that agree, or two that contrast; then the clause that the contrast favours is what the
writer means: "The soup was bland, but the service was charming" and "The service was charming,
although the soup was bland" are both praise. In any clause a negation may turn its adjective round:
"The soup was hardly bland." Sentences that only tell hold negations and contrasts as well.

Some reviews are ironic, and say so in their first sentence or in their last: "Read this the other way round." They
mean the opposite of what they judge, which may be forty words away.
"""

import zlib

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray

from seqtrain.seeding import stream
from seqtrain.tasks.task import Split

LABELS = ("negative", "positive")

Phrases = NDArray[np.object_]


def _phrases(text: str, separator: str = ",") -> Phrases:
    return np.array([phrase.strip() for phrase in text.split(separator)], object)


_GOOD = """wonderful, great, excellent, superb, lovely, impressive, delightful, charming, fantastic, memorable,
splendid, brilliant"""
_BAD = """awful, terrible, dreadful, disappointing, poor, mediocre, horrible, forgettable, annoying, unpleasant,
weak, lousy"""

_TOPICS = [
    # Nouns; adjectives of praise, of blame; what was done; what is only told.
    (
        "plot, acting, dialogue, ending, soundtrack, camera work",
        "gripping, clever, moving, believable",
        "dull, predictable, clumsy, tedious",
        "watched it, saw it, went to see it",
        "It runs for almost two hours., It was not dubbed., There was no interval., The cinema holds ninety people.",
    ),
    (
        "soup, bread, dessert, fish, curry, service",
        "delicious, fresh, tasty, refined",
        "bland, greasy, stale, tasteless",
        "ate there, had dinner there, booked a table",
        "The menu is short., They do not take cards., The kitchen closes at ten., We never got round to the cheese.",
    ),
    (
        "room, bathroom, breakfast, garden, lobby, terrace",
        "comfortable, spotless, welcoming, elegant",
        "dirty, shabby, noisy, gloomy",
        "stayed there, spent a night there, checked in",
        "It is ten minutes from the station., There is no lift., Towels are not included., Breakfast is from seven.",
    ),
    (
        "story, prose, opening, translation, last chapter, cover",
        "absorbing, witty, touching, vivid",
        "boring, confusing, shallow, lifeless",
        "read it, borrowed it, finished it",
        "It has four hundred pages., It was never a bestseller., It is set in Lisbon., There is not a single map.",
    ),
    (
        "screen, camera, battery, keyboard, speaker, design",
        "reliable, responsive, sturdy, handy",
        "flimsy, sluggish, unreliable, useless",
        "bought it, tried it, ordered it",
        "It weighs two hundred grams., It does not come in red., The box holds no charger., It has two cameras.",
    ),
    (
        "singer, band, sound, lighting, encore, orchestra",
        "thrilling, graceful, inspired, lively",
        "tuneless, sloppy, listless, tiresome",
        "went there, got tickets, heard them",
        "The doors opened at seven., It was not sold out., They never announce the pieces., There was one break.",
    ),
]

# One row for each topic.
_NOUNS = np.stack([_phrases(topic[0]) for topic in _TOPICS])  # (topics, 6)
_ADJECTIVES = np.stack([[_phrases(f"{_BAD}, {topic[2]}"), _phrases(f"{_GOOD}, {topic[1]}")] for topic in _TOPICS])
_DONE = np.stack([_phrases(topic[3]) for topic in _TOPICS])
_TOLD_OF_TOPIC = np.stack([_phrases(topic[4]) for topic in _TOPICS])

_TOLD = _phrases(
    """It was not my first time. | I never read reviews beforehand. | We came by bike, although it was raining.
    | I had an hour to spare, but no plans. | Nobody had told me about it. | There was hardly anyone there.
    | Despite the rain, we walked home. | My brother could not come. | I am not from around here.
    | It was a Monday, yet the streets were full. | We had never met before. | It was a present.""",
    separator="|",
)

_WHO = _phrases("I, we, my sister and I, my parents and I, some friends and I, my neighbour and I, our whole class")
_WHEN = _phrases(
    """last week, last Friday, in March, in the summer, two days ago, on a rainy Tuesday, over the holidays,
    on the way home, after work, on my birthday, at the weekend, in the evening, on the first day of the year"""
)
_WHY = _phrases(
    """, , because it was close by, because a friend had told us to, after a long day, without any plan, out of habit,
    with an hour to spare, on the advice of a colleague, for the second time"""
)

_WHY = np.where(_WHY == "", "", " " + _WHY)

_PLAIN = _phrases(", , , very, really, truly, quite, rather, simply")
_NEGATED = _phrases("not, not, never, hardly, not very, not really, never really, not exactly, far from, by no means")
_NEGATED_BEFORE_NOUN = _phrases("hardly, not very, far from, less than, not exactly")

# What opens the sentence, what stands between its clauses, and which of the two is meant.
_CONTRASTS = [
    ("", ", but", 1),
    ("", ", but", 1),
    ("", ", yet", 1),
    ("although", ",", 1),
    ("even though", ",", 1),
    ("despite", ",", 1),
    ("", ", although", 0),
    ("", ", even though", 0),
    ("", ", despite", 0),
]
_OPENING, _BETWEEN, _MEANT = (np.array(column, object) for column in zip(*_CONTRASTS, strict=True))

_IRONIC = _phrases(
    """Read this the other way round. | I mean the opposite. | Do not believe a word of it. | It is all irony.
    | This is sarcasm. | Only joking.""",
    separator="|",
)

# Which reviews a split may hold, by a hash of their text: no review can be in two splits.
_SHARES = 5
_SHARE = {Split.TRAIN: (0, 1, 2), Split.VAL: (3,), Split.TEST: (4,)}


def reviews(
    split: Split, size: int, seed: int, contrast: float, negation: float, irony: float
) -> tuple[list[str], Int[np.ndarray, " N"]]:
    """Writes reviews of one split, no two alike, and none that another split could hold.

    Args:
        split: Each split has a random stream of its own.
        size: How many reviews.
        seed: The same seed gives the same reviews on every machine.
        contrast: Chance that a review holds two clauses that contrast.
        negation: Chance that a clause is negated.
        irony: Chance that a review says, in its first sentence or its last, that it means the opposite.

    Returns:
        texts: About 5 to 65 words each.
        labels: Indices into LABELS.
    """
    rng = stream(seed, f"reviews/{split}")
    found: dict[str, int] = {}
    while len(found) < size:
        labels = rng.integers(0, 2, 2 * size)
        for text, label in zip(_written(rng, labels, contrast, negation, irony), labels.tolist(), strict=True):
            if zlib.crc32(text.encode()) % _SHARES in _SHARE[split]:
                found.setdefault(text, label)
    return list(found)[:size], np.array(list(found.values())[:size])


def _written(
    rng: np.random.Generator, labels: Int[np.ndarray, " N"], contrast: float, negation: float, irony: float
) -> list[str]:
    """One review for each label: one sentence that judges, up to two that only tell on either side."""
    size = len(labels)
    topics = rng.integers(0, len(_TOPICS), size)
    before, after = _two_of(rng, len(_TOLD), size)
    ironic, in_front = rng.random(size) < irony, rng.random(size) < 0.5
    says_so = _any_of(rng, _IRONIC, size)
    sentences = [
        says_so,
        _TOLD[before],
        _story(rng, topics),
        _judging(rng, topics, labels ^ ironic, contrast, negation),
        _TOLD_OF_TOPIC[topics, rng.integers(0, _TOLD_OF_TOPIC.shape[1], size)],
        _TOLD[after],
        says_so,
    ]
    kept = rng.random((size, len(sentences))) < 0.5
    kept[:, 0], kept[:, 3], kept[:, -1] = ironic & in_front, True, ironic & ~in_front
    return [
        " ".join(sentence[0].upper() + sentence[1:] for sentence, wanted in zip(row, keep, strict=True) if wanted)
        for row, keep in zip(zip(*sentences, strict=True), kept.tolist(), strict=True)
    ]


def _judging(
    rng: np.random.Generator,
    topics: Int[np.ndarray, " N"],
    labels: Int[np.ndarray, " N"],
    contrast: float,
    negation: float,
) -> Phrases:
    """The sentence that decides."""
    size = len(labels)
    contrasting = rng.random(size) < contrast
    form = rng.integers(0, len(_CONTRASTS), size)
    opening, between = _OPENING[form], _BETWEEN[form]

    first, second = _two_of(rng, _NOUNS.shape[1], size)
    # In a contrast the clause that is not meant says the opposite of the label; otherwise both say the label.
    opinions = np.stack([labels, labels])
    opinions[1 - _MEANT[form].astype(np.int64), np.arange(size)] ^= contrasting
    one, one_as_phrase = _clause(rng, topics, first, opinions[0], negation)
    two, two_as_phrase = _clause(rng, topics, second, opinions[1], negation)

    contrasted = (
        _spaced(opening)
        + np.where(opening == "despite", one_as_phrase, one)
        + between
        + " "
        + np.where(between == ", despite", two_as_phrase, two)
    )
    agreed = np.where(rng.random(size) < 0.5, one + " and " + two, one)
    sentence: Phrases = np.where(contrasting, contrasted, agreed)
    sentence += "."
    return sentence


def _clause(
    rng: np.random.Generator,
    topics: Int[np.ndarray, " N"],
    nouns: Int[np.ndarray, " N"],
    opinions: Int[np.ndarray, " N"],
    negation: float,
) -> tuple[Phrases, Phrases]:
    """What is said of a noun, as a clause ("the soup was not bland") and as a phrase ("the not very bland soup")."""
    size = len(topics)
    negated = rng.random(size) < negation
    adjective = _ADJECTIVES[topics, opinions ^ negated, rng.integers(0, _ADJECTIVES.shape[2], size)]
    noun = _NOUNS[topics, nouns]
    plain = _any_of(rng, _PLAIN, size)
    degree = np.where(negated, _any_of(rng, _NEGATED, size), plain)
    degree_before_noun = np.where(negated, _any_of(rng, _NEGATED_BEFORE_NOUN, size), plain)
    clause = "the " + noun + " was " + _spaced(degree) + adjective
    return clause, "the " + _spaced(degree_before_noun) + adjective + " " + noun


def _story(rng: np.random.Generator, topics: Int[np.ndarray, " N"]) -> Phrases:
    """Who did what, without an opinion."""
    size = len(topics)
    done = _DONE[topics, rng.integers(0, _DONE.shape[1], size)]
    story: Phrases = _any_of(rng, _WHO, size) + " " + done + " " + _any_of(rng, _WHEN, size)
    story += _any_of(rng, _WHY, size) + "."
    return story


def _two_of(rng: np.random.Generator, choices: int, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of different choices."""
    first = rng.integers(0, choices, size)
    return first, (first + rng.integers(1, choices, size)) % choices


def _any_of(rng: np.random.Generator, phrases: Phrases, size: int) -> Phrases:
    return phrases[rng.integers(0, len(phrases), size)]


def _spaced(phrases: Phrases) -> Phrases:
    """The phrases with a space after each that is not empty."""
    spaced: Phrases = np.where(phrases == "", "", phrases + " ")
    return spaced
