"""A generated language whose verbs agree with nouns from which brackets may part them.

A line is a clause: a noun, a verb, a noun. After each noun brackets may open, around another noun or another clause,
whose nouns may have brackets of their own. A noun's last letter tells its gender, which gives the verb its ending; the
noun in question is the one before the brackets, not the one before the verb:

    talu[rimo(suva) bekaso miki] sedruk pabi.

So whoever guesses a verb's ending, or which bracket closes, must remember what stood before each bracket that is open.
Some are closed after a few letters, some after a hundred.
"""

from dataclasses import dataclass

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
        nesting: Chance that a noun is followed by brackets, where that isn't too deep.
        lexicon: Nouns, and as many verbs; the n-th of either is n times rarer than the first.
    """
    nouns, verbs = _words(lexicon)
    texts: Texts = _Grammar(stream(seed, f"nested/{split}"), nouns, verbs, nesting).clauses(size, depth) + ".\n"
    return texts


@dataclass(frozen=True)
class _Grammar:
    rng: np.random.Generator
    nouns: list[Texts]
    verbs: Texts
    nesting: float

    def clauses(self, size: int, depth: int) -> Texts:
        """Noun, verb, noun."""
        subject, gender = self.phrases(size, depth)
        verb = " " + self.verbs[_ranks(self.rng, len(self.verbs), size)] + np.array(AGREEMENTS, object)[gender] + " "
        clauses: Texts = subject + verb
        clauses += self.phrases(size, depth)[0]
        return clauses

    def phrases(self, size: int, depth: int) -> tuple[Texts, Int[np.ndarray, " N"]]:
        """Nouns, some with brackets, and their genders."""
        gender = self.rng.integers(0, len(self.nouns), size)
        texts: Texts = np.empty(size, object)
        for each, choices in enumerate(self.nouns):
            places = np.flatnonzero(gender == each)
            texts[places] = choices[_ranks(self.rng, len(choices), len(places))]
        followed = np.flatnonzero(self.rng.random(size) < self.nesting) if depth else np.empty(0, np.int64)
        if len(followed):
            texts[followed] += self.brackets(len(followed), depth - 1)
        return texts, gender

    def brackets(self, size: int, depth: int) -> Texts:
        """Nouns and clauses, as many of either, in brackets."""
        inside: Texts = self.phrases(size, depth)[0]
        of_clause = np.flatnonzero(self.rng.random(size) < 0.5)
        if len(of_clause):
            inside[of_clause] = self.clauses(len(of_clause), depth)
        left, right = np.array([list(pair) for pair in BRACKETS], object)[self.rng.integers(0, len(BRACKETS), size)].T
        texts: Texts = left + inside + right
        return texts


def _words(lexicon: int) -> tuple[list[Texts], Texts]:
    """The nouns of each gender, and the verbs without their endings; no two words are alike."""
    rng = stream(0, "nested/lexicon")
    found: dict[str, None] = {}
    while len(found) < 2 * lexicon:
        syllables = rng.geometric(0.85)
        word = "".join(rng.choice(list(CONSONANTS)) + rng.choice(list(VOWELS)) for _ in range(syllables))
        found.setdefault(word + rng.choice(list(CONSONANTS)))
    stems: Texts = np.array(list(found), object)
    nouns: list[Texts] = [stems[gender : lexicon : len(ENDINGS)] + ending for gender, ending in enumerate(ENDINGS)]
    return nouns, stems[lexicon : 2 * lexicon]


def _ranks(rng: np.random.Generator, choices: int, size: int) -> Int[np.ndarray, " N"]:
    """Numbers below `choices`, the n-th of them n times rarer than the first (Zipf)."""
    chances = 1 / np.arange(1, choices + 1)
    return rng.choice(choices, size, p=chances / chances.sum())
