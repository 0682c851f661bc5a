"""Generated sentences about people, places and firms with invented names.

What a name stands for is told by its spelling, by words beside it, or by words far from it, on either side: "Of all
the firms, to nobody's surprise, Tamorin was mentioned twice." Every name's kind is told by its sentence at least once,
and an ambiguous name's by nothing else. No invented name is in two splits, so that a lexicon of names is of no use.
Some names are also words ("Rose", "Reading"), and some words are invented like names ("the flumorin broke again").
"""

import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from seqtrain.seeding import stream
from seqtrain.tasks.task import Split

Choice = TypeVar("Choice")

TYPES = ("firm", "person", "place")

_NAMES = 1_500
"""Names of each kind, and as many that are of no kind, in a split."""

_ALSO_WORDS = 0.05
"""Chance of a name to be one that is also a word."""


def _phrases(text: str) -> list[list[str]]:
    return [phrase.split() for phrase in text.split("|")]


def _parts(text: str) -> list[str]:
    return text.split()


_ONSETS = _parts("b br c cl d dr f fl g gr h j k l m n p pr r s st t tr v w")
_VOWELS = _parts("a e i o u ai ea oo")
_MIDDLES = _parts("b d g l ld m mm n nd r rr s st t v")
_ENDINGS = {
    "firm": _parts("ex tron ix soft corp"),
    "person": _parts("son ley ette ina ard"),
    "place": _parts("ford burg wick mouth stead"),
    "": _parts("in or an as el"),
}
_WORDS = _parts("Rose Mark Will May Hope Grace Frank Bath Nice Reading Cork Mobile Shell Apple Target Orange Gap")

_FORMS = {
    "firm": _phrases("* Motors|* & Sons|* Bank|Royal *"),
    "person": _phrases("* *|* Jr.|* van *"),
    "place": _phrases("New *|Port *|* Bay|* Falls"),
}

# % is a name of the sentence's own kind, and <kind> one of that kind.
_BEFORE = {
    "firm": _phrases("A share of %|The board of %|A worker at %|The firm %|A customer of %"),
    "person": _phrases("Mr %|Dr %|The painter %|My friend %|A man called %"),
    "place": _phrases("The village of %|The road to %|The square of %|A museum in %|The mayor of %"),
}
_FAR_BEFORE = {
    "firm": _phrases("Of all the firms|As for the company|Among the shops and banks"),
    "person": _phrases("Of all the guests|As for the woman next door|Among the teachers"),
    "place": _phrases("Of all the towns|As for the island|Among the cities on the coast"),
}
_AFTER = {
    "firm": _phrases(
        "cut its prices|hired forty people|went bankrupt|sells umbrellas|bought a rival from <place>|pays well|"
        "opened a branch in <place>|was founded by <person>"
    ),
    "person": _phrases(
        "smiled|forgot the keys|married a teacher|was born in <place>|said nothing|works for <firm>|"
        "sleeps badly|met <person> in <place>"
    ),
    "place": _phrases(
        "lies by the sea|has a harbour|was flooded|lost its last school|has two churches|is an hour from <place>|"
        "is where <person> grew up|lives off tourists"
    ),
}
_PLAIN_AFTER = _phrases("was in the news|has changed a lot|was mentioned twice|is hard to forget|is nothing special")
_ASIDES = _phrases(
    "to nobody 's surprise|after a long winter|as far as anyone can tell|according to the papers|once again|"
    "like %|and not %|said Dr <person>|as they say in <place>|by the standards of the firm <firm>|in a way|"
    "for better or worse|if I remember well"
)
_NO_NAMES = _phrases(
    "Will it rain tomorrow|Reading takes time|May was cold|Mark my words|Hope is not a plan|Nice weather for ducks|"
    "The bath is cold|Grace is rare|Target the weak spots|Frank words are rare|An apple fell|Mind the gap|"
    "The ~ broke again|Nobody knows what a ~ is|She bought a ~ and two spoons|Orange is not a colour for a ~|"
    "A rose and a ~ stood on the table|We will ~ on Monday , as always"
)
_WITHOUT = 0.2
"""Chance that a sentence holds no name."""


def sentences(
    split: Split, size: int, seed: int, ambiguity: float, asides: int
) -> tuple[list[list[str]], list[list[str]]]:
    """Writes sentences of one split.

    Args:
        split: Each split has a random stream of its own, and invented names of its own.
        size: How many sentences.
        seed: The same seed gives the same sentences on every machine.
        ambiguity: Chance that a name's spelling doesn't tell what it stands for.
        asides: The most phrases between a name and what tells its kind from afar.

    Returns:
        words: About 4 to 50 of each sentence.
        tags: In IOB2, over TYPES.
    """
    rng = stream(seed, f"gazette/{split}")
    names = {kind: _invented(rng, split, _ENDINGS[kind]) for kind in _ENDINGS}
    write = _Writer(rng, names, ambiguity, asides)
    written = [write.sentence() for _ in range(size)]
    return [words for words, _ in written], [tags for _, tags in written]


def _invented(rng: np.random.Generator, split: Split, endings: Sequence[str]) -> list[str]:
    """Names of which no other split can hold any, by a hash of their spelling."""
    found: dict[str, None] = {}
    share = list(Split).index(split)
    while len(found) < _NAMES:
        parts = (rng.choice(part, 2 * _NAMES) for part in (_ONSETS, _VOWELS, _MIDDLES, _VOWELS, _MIDDLES, endings))
        long = rng.random(2 * _NAMES) < 0.5
        for onset, vowel, middle, second, last, ending, twice in zip(*parts, long, strict=True):
            name = f"{onset}{vowel}{middle}{second + last if twice else ''}{ending}".capitalize()
            if zlib.crc32(name.encode()) % len(Split) == share:
                found[name] = None
    return list(found)[:_NAMES]


class _Writer:
    """Writes one sentence after the other; draws its random numbers in large blocks."""

    def __init__(self, rng: np.random.Generator, names: dict[str, list[str]], ambiguity: float, asides: int) -> None:
        self._uniform = _blocks(rng)
        self._names = names
        self._ambiguity = ambiguity
        self._asides = asides
        self._words: list[str] = []
        self._tags: list[str] = []

    def sentence(self) -> tuple[list[str], list[str]]:
        """The words of a sentence and their tags."""
        self._words, self._tags = [], []
        kind = self._one(TYPES)
        if self._uniform() < _WITHOUT:
            self._add(self._one(_NO_NAMES), kind)
        else:
            self._about(kind)
        first = self._words[0]
        self._words[0] = first[0].upper() + first[1:]
        self._add(["."], kind)
        return self._words, self._tags

    def _about(self, kind: str) -> None:
        """A sentence whose own name is of a kind, told before or after it, beside it or beyond asides."""
        style = int(self._uniform() * 4)
        if style == 0:
            self._add(self._one(_BEFORE[kind]), kind)
            self._add(self._one(_PLAIN_AFTER), kind)
        elif style == 1:
            self._add(["%", *self._one(_AFTER[kind])], kind)
        elif style == 2:
            self._add(self._one(_FAR_BEFORE[kind]), kind)
            self._add_asides(kind)
            self._add([",", "%", *self._one(_PLAIN_AFTER)], kind)
        else:
            self._add(["%"], kind)
            comma = [","] if self._add_asides(kind) else []
            self._add([*comma, *self._one(_AFTER[kind])], kind)

    def _add_asides(self, kind: str) -> int:
        """Adds some asides, each after a comma, and says how many."""
        count = int(self._uniform() * (self._asides + 1))
        for _ in range(count):
            self._add([",", *self._one(_ASIDES)], kind)
        return count

    def _add(self, phrase: list[str], kind: str) -> None:
        """Puts names for the marks of a phrase."""
        for word in phrase:
            if word == "%":
                self._add_name(kind)
            elif word[0] == "<":
                self._add_name(word[1:-1])
            else:
                self._words.append(self._one(self._names[""]).lower() if word == "~" else word)
                self._tags.append("O")

    def _add_name(self, kind: str) -> None:
        form = self._one(_FORMS[kind]) if self._uniform() < 0.5 * (1 - self._ambiguity) else ["*"]
        if form == ["*"] and self._uniform() < 0.3:
            form = ["*", "*"]
        self._words += [self._name(kind) if word == "*" else word for word in form]
        self._tags += [f"B-{kind}", *[f"I-{kind}"] * (len(form) - 1)]

    def _name(self, kind: str) -> str:
        if self._uniform() < _ALSO_WORDS:
            return self._one(_WORDS)
        return self._one(self._names["" if self._uniform() < self._ambiguity else kind])

    def _one(self, choices: Sequence[Choice]) -> Choice:
        return choices[int(self._uniform() * len(choices))]


def _blocks(rng: np.random.Generator) -> Callable[[], float]:
    """Numbers in [0, 1), one a call: a generator's own call for one number takes ten times as long."""

    def numbers() -> Iterator[float]:
        while True:
            yield from rng.random(4096).tolist()

    return numbers().__next__
