"""Generated pairs of texts: dates in many wordings with the ISO way to write them, and letters with their reverse."""

import string
from collections.abc import Callable
from datetime import date
from typing import Literal

import numpy as np

from seqtrain.tasks.translation.pairs import TextPairs

Kind = Literal["dates", "reverse"]

FIRST, LAST = date(1950, 1, 1), date(2049, 12, 31)
"""The days that occur. A year of two digits then names one only: 50 to 99 are of the last century."""

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
SMALL = (
    "", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
IRREGULAR = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
             "twelve": "twelfth", "twenty": "twentieth", "thirty": "thirtieth"}  # fmt: skip
"""The numbers whose ordinal isn't the number with th."""

FILLERS = ("born on", "not before", "the shop closed", "see you", "due", "as of", "room 12,", "moved to", "5 guests on")
"""Words that don't change the answer; some hold numbers that are no part of a date."""
JOINTS = (" and ", ", then ", " to ", "; ", " or ")


def number(value: int) -> str:
    """A number from 1 to 99 in words."""
    if value < len(SMALL):
        return SMALL[value]
    ten, one = divmod(value, 10)
    return TENS[ten] + (f"-{SMALL[one]}" if one else "")


def ordinal(value: int) -> str:
    """Which one, in words: first to ninety-ninth."""
    head, dash, tail = number(value).rpartition("-")
    return head + dash + IRREGULAR.get(tail, tail + "th")


def year_in_words(year: int) -> str:
    """A year of those that occur, as it is said: nineteen fifty-three, two thousand and nine, twenty twelve."""
    century, rest = divmod(year, 100)
    if rest >= 10:
        return f"{number(century)} {number(rest)}"
    return "two thousand" + (f" and {number(rest)}" if rest else "")


def suffixed(day: int) -> str:
    """A day as 1st, 2nd, 3rd, 4th."""
    ending = "th" if day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{ending}"


WORDINGS: tuple[Callable[[date], str], ...] = (
    lambda d: f"{d.day} {MONTHS[d.month - 1]} {d.year}",
    lambda d: f"{d.day} {MONTHS[d.month - 1][:3]} {d.year % 100:02}",
    lambda d: f"{MONTHS[d.month - 1][:3]} {d.day}, {d.year}",
    lambda d: f"{MONTHS[d.month - 1]} {suffixed(d.day)}, {d.year}",
    lambda d: f"the {suffixed(d.day)} of {MONTHS[d.month - 1]} '{d.year % 100:02}",
    lambda d: f"the {ordinal(d.day)} of {MONTHS[d.month - 1]}, {d.year}",
    lambda d: f"{MONTHS[d.month - 1]} the {ordinal(d.day)}, {year_in_words(d.year)}",
    lambda d: f"{d.day}.{d.month}.{d.year}",  # with dots the day comes first
    lambda d: f"{d.month}/{d.day}/{d.year % 100:02}",  # with slashes the month
    lambda d: f"{WEEKDAYS[d.weekday()]}, {d.day} {MONTHS[d.month - 1]} {d.year}",
    lambda d: f"{WEEKDAYS[d.weekday()][:3]} {MONTHS[d.month - 1][:3]} {d.day:02} {d.year}",
)


def generated_pairs(rng: np.random.Generator, kind: Kind, size: int, length: int, filler: float) -> TextPairs:
    """Pairs of one kind.

    Args:
        rng: What all choices are drawn from.
        kind: "dates" or "reverse".
        size: How many pairs.
        length: The most dates, or letters, in a text; all numbers from 1 are equally frequent.
        filler: Chance of words that don't matter before each date.
    """
    lengths = rng.integers(1, length, size, endpoint=True).tolist()
    if kind == "reverse":
        letters = rng.choice(list(string.ascii_lowercase), sum(lengths)).tolist()
        words = ["".join(part) for part in _groups(letters, lengths)]
        return TextPairs(words, [word[::-1] for word in words])
    total = sum(lengths)
    days = rng.integers(FIRST.toordinal(), LAST.toordinal(), total, endpoint=True).tolist()
    dates = [date.fromordinal(day) for day in days]
    written = [WORDINGS[way](day) for way, day in zip(rng.integers(len(WORDINGS), size=total), dates, strict=True)]
    fillers = [f"{FILLERS[which]} " for which in rng.integers(len(FILLERS), size=total)]
    filled = (rng.random(total) < filler).tolist()
    joints = [JOINTS[which] for which in rng.integers(len(JOINTS), size=total)]
    pieces = [
        joint + (words if fill else "") + text
        for joint, words, fill, text in zip(joints, fillers, filled, written, strict=True)
    ]
    # The first of a text has nothing to be joined to.
    starts = np.cumsum([0, *lengths[:-1]]).tolist()
    for start in starts:
        pieces[start] = pieces[start].removeprefix(joints[start])
    sources = ["".join(part) for part in _groups(pieces, lengths)]
    targets = [" ".join(part) for part in _groups([day.isoformat() for day in dates], lengths)]
    return TextPairs(sources, targets)


def _groups(items: list[str], lengths: list[int]) -> list[list[str]]:
    """The items in successive groups of these lengths."""
    iterator = iter(items)
    return [[next(iterator) for _ in range(length)] for length in lengths]
