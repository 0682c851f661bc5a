from datetime import date

import numpy as np
import pytest

from seqtrain.tasks.translation.date_pairs import (
    FIRST,
    LAST,
    WORDINGS,
    generated_pairs,
    ordinal,
    suffixed,
    year_in_words,
)


def made(kind="dates", size=200, length=3, filler=0.5, seed=0):
    return generated_pairs(np.random.default_rng(seed), kind, size, length, filler)


def test_a_date_has_many_wordings():
    day = date(1987, 3, 3)
    assert [wording(day) for wording in WORDINGS] == [
        "3 March 1987",
        "3 Mar 87",
        "Mar 3, 1987",
        "March 3rd, 1987",
        "the 3rd of March '87",
        "the third of March, 1987",
        "March the third, nineteen eighty-seven",
        "3.3.1987",
        "3/3/87",
        "Tuesday, 3 March 1987",
        "Tue Mar 03 1987",
    ]


@pytest.mark.parametrize(
    ("year", "said"),
    [
        (1950, "nineteen fifty"),
        (1999, "nineteen ninety-nine"),
        (2000, "two thousand"),
        (2009, "two thousand and nine"),
        (2012, "twenty twelve"),
        (2049, "twenty forty-nine"),
    ],
)
def test_a_year_in_words(year, said):
    assert year_in_words(year) == said


def test_which_day_it_is():
    said = "1st 2nd 3rd 5th 8th 9th 11th 12th 13th 20th 21st 22nd 23rd 30th 31st"
    days = (1, 2, 3, 5, 8, 9, 11, 12, 13, 20, 21, 22, 23, 30, 31)
    assert " ".join(map(suffixed, days)) == said
    assert " ".join(map(ordinal, days)) == (
        "first second third fifth eighth ninth eleventh twelfth thirteenth twentieth twenty-first twenty-second "
        "twenty-third thirtieth thirty-first"
    )


def test_no_two_days_are_worded_alike():
    days = [date.fromordinal(day) for day in range(FIRST.toordinal(), LAST.toordinal() + 1, 97)]
    meant = {}
    for day in days:
        for wording in WORDINGS:
            assert meant.setdefault(wording(day), day) == day


def test_each_date_of_a_text_is_written_in_order():
    pairs = made(filler=0.0, length=1)
    for source, target in zip(pairs.sources, pairs.targets, strict=True):
        assert source in {wording(date.fromisoformat(target)) for wording in WORDINGS}
    several = made(length=3)
    assert {len(target.split()) for target in several.targets} == {1, 2, 3}
    for source, target in zip(several.sources, several.targets, strict=True):
        position = 0
        for day in target.split():
            found = [source.find(wording(date.fromisoformat(day)), position) for wording in WORDINGS]
            assert max(found) >= 0
            position = min(at for at in found if at >= 0) + 1


def test_fillers_make_texts_longer_and_change_no_answer():
    plain, filled = made(filler=0.0), made(filler=1.0)
    assert plain.targets == filled.targets
    assert all(len(long) > len(short) for long, short in zip(filled.sources, plain.sources, strict=True))


def test_letters_are_reversed():
    pairs = made(kind="reverse", length=7)
    assert [source[::-1] for source in pairs.sources] == pairs.targets
    assert {len(source) for source in pairs.sources} == set(range(1, 8))


def test_the_generator_decides_all():
    assert made() == made()
    assert made() != made(seed=1)
