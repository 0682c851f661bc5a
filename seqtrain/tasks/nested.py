"""A generated language whose verbs agree with nouns from which other sentences may part them.

A line is a sentence: a noun, a verb, a noun. After each noun another sentence may stand in brackets, and in it
another. A noun's last letter tells its gender, which gives the verb its ending; the noun in question is the one
before the brackets, not the one before the verb:

    talu[rimo bekati suva]sedonu miki.

So whoever guesses a verb's ending, or which bracket closes, must remember what each open bracket has put off.
"""

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray

from seqtrain.seeding import stream

Texts = NDArray[np.object_]
"""An array of Python strings, which are joined element by element."""

CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"
ENDINGS = ("a", "i", "o", "u")
"""The last letters of nouns, one for each gender."""
AGREEMENTS = ("ta", "nim", "so", "ruk")
"""The endings of verbs, one for each gender."""
BRACKETS = ("()", "[]", "{}", "<>")


def sentences(size: int, seed: int, split: str, *, depth: int, nesting: float, lexicon: int) -> Texts:
    """Writes sentences, each with its line feed.

    Args:
        size: How many.
        seed: With the split, what they are drawn from; the language itself is the same for all seeds.
        split: Each split has a random stream of its own.
        depth: The most brackets around a word.
        nesting: Chance that a noun is followed by a sentence in brackets, where that isn't too deep.
        lexicon: Nouns, and as many verbs; the n-th of either is n times rarer than the first.
    """
    nouns, verbs = _words(lexicon)
    texts: Texts = _clauses(stream(seed, f"nested/{split}"), size, depth, nesting, nouns, verbs) + ".\n"
    return texts


def _clauses(
    rng: np.random.Generator, size: int, depth: int, nesting: float, nouns: list[Texts], verbs: Texts
) -> Texts:
    gender = rng.integers(0, len(nouns), size)
    subject = _any_of(rng, nouns, gender) + _inserted(rng, size, depth, nesting, nouns, verbs)
    verb = " " + verbs[_ranks(rng, len(verbs), size)] + np.array(AGREEMENTS, object)[gender] + " "
    of_object = rng.integers(0, len(nouns), size)
    clauses: Texts = subject + verb + _any_of(rng, nouns, of_object)
    clauses += _inserted(rng, size, depth, nesting, nouns, verbs)
    return clauses


def _inserted(
    rng: np.random.Generator, size: int, depth: int, nesting: float, nouns: list[Texts], verbs: Texts
) -> Texts:
    """What stands after a noun: nothing, or a clause in brackets."""
    texts: Texts = np.full(size, "", object)
    chosen = np.flatnonzero(rng.random(size) < nesting) if depth else np.empty(0, np.int64)
    if len(chosen):
        left, right = np.array([list(pair) for pair in BRACKETS], object)[rng.integers(0, len(BRACKETS), len(chosen))].T
        texts[chosen] = left + _clauses(rng, len(chosen), depth - 1, nesting, nouns, verbs) + right
    return texts


def _words(lexicon: int) -> tuple[list[Texts], Texts]:
    """The nouns of each gender, and the verbs without their endings; no two words are alike."""
    rng = stream(0, "nested/lexicon")
    found: dict[str, None] = {}
    while len(found) < 2 * lexicon:
        syllables = rng.geometric(0.6)
        word = "".join(rng.choice(list(CONSONANTS)) + rng.choice(list(VOWELS)) for _ in range(syllables))
        found.setdefault(word + rng.choice(list(CONSONANTS)))
    stems: Texts = np.array(list(found), object)
    nouns: list[Texts] = [stems[gender : lexicon : len(ENDINGS)] + ending for gender, ending in enumerate(ENDINGS)]
    return nouns, stems[lexicon : 2 * lexicon]


def _any_of(rng: np.random.Generator, nouns: list[Texts], genders: Int[np.ndarray, " N"]) -> Texts:
    """A noun of each gender."""
    texts: Texts = np.empty(len(genders), object)
    for gender, choices in enumerate(nouns):
        places = np.flatnonzero(genders == gender)
        texts[places] = choices[_ranks(rng, len(choices), len(places))]
    return texts


def _ranks(rng: np.random.Generator, choices: int, size: int) -> Int[np.ndarray, " N"]:
    """Numbers below `choices`, the n-th of them n times rarer than the first (Zipf)."""
    chances = 1 / np.arange(1, choices + 1)
    return rng.choice(choices, size, p=chances / chances.sum())
