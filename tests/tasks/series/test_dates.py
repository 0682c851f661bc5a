from pathlib import Path

import numpy as np
import pytest

from seqtrain.errors import DataError
from seqtrain.tasks.series.dates import EvenDates, Spacing

FILE = Path("f.csv")


def spacing_of(*parts):
    dates, line = EvenDates(FILE), 2
    for part in parts:
        dates.add(part, range(line, line + len(part)))
        line += len(part)
    return dates.spacing()


def refused(*parts):
    with pytest.raises(DataError) as caught:
        spacing_of(*parts)
    return str(caught.value)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["2016-07-01 00:00:00", "2016-07-01 01:00:00", "2016-07-01 02:00:00"], (3_600_000_000, 0)),
        (["2016-07-01T00:00Z", "2016-07-01T00:15Z"], (900_000_000, 0)),
        (["2020-02-28", "2020-02-29", "2020-03-01"], (86_400_000_000, 0)),
        (["2020-01-01 00:00:00.25", "2020-01-01 00:00:00.5"], (250_000, 0)),
        (["1749-01", "1749-02", "1749-03"], (0, 1)),
        (["2020-01-31", "2020-02-29", "2020-03-31"], (0, 1)),
        (["2020-01", "2020-04", "2020-07"], (0, 3)),
        (["2019", "2020", "2021"], (0, 12)),
    ],
)
def test_dates_are_a_time_or_so_many_months_apart(texts, expected):
    spacing = spacing_of(texts)
    assert (spacing.step, spacing.months) == expected
    assert [spacing_of(*([text] for text in texts))] == [spacing]  # row by row, too


def test_a_gap_is_named_by_its_line():
    hours = [f"2020-01-01 {hour:02}:00" for hour in range(6)]
    assert refused(hours[:3], [hours[3], hours[5]]) == (
        "f.csv, line 6: 2020-01-01 05:00:00 comes 2:00:00 after the date before it, where the first two are 1:00:00 "
        "apart; fill the gap, or say task.date_column=null to take the rows as evenly spaced"
    )


def test_a_missing_month_is_named_although_months_differ_in_length():
    months = [f"2021-{month:02}" for month in (1, 2, 3, 4, 6)]
    assert "line 6: 2021-06-01 comes 61 days after" in refused(months)


@pytest.mark.parametrize("second", ["2020-01-02", "2020-01-01"])
def test_a_date_that_is_not_after_the_one_before_is_named(second):
    for parts in ([["2020-01-01", "2020-01-02", second]], [["2020-01-01", "2020-01-02"], [second]]):
        message = refused(*parts)
        assert message.startswith(f"f.csv, line 4: {second} is not after 2020-01-02, the date before it; sort ")


@pytest.mark.parametrize("text", ["01/07/2016", "20160701", "2016-13-01", "2016-02-30", "", "soon", "2016-07-01 25:00"])
def test_what_is_no_date_is_named(text):
    message = refused(["2016-01-01", text])
    assert message.startswith(f"f.csv, line 3: {text!r} is no date like 2016-07-01, ")


def test_one_date_is_a_spacing_as_well():
    assert spacing_of(["2020-01-01"]).shown(0) == "2020-01-01"


def test_phases_stand_for_day_week_and_year():
    spacing = spacing_of(["2019-01-07 00:00", "2019-01-07 06:00"])  # a Monday
    assert spacing.periods() == ("day", "week", "year")
    phases = spacing.phases(np.array([[0, 1], [4, 28]]))
    assert phases.shape == (2, 2, 6)
    assert phases.dtype == np.float32
    np.testing.assert_allclose(phases[0, 0, :4], [0, 1, 0, 1], atol=1e-6)
    np.testing.assert_allclose(phases[0, 1, :2], [1, 0], atol=1e-6)  # a quarter of a day
    np.testing.assert_allclose(phases[1, 0, :2], [0, 1], atol=1e-6)  # the next midnight
    week = 2 * np.pi / 7
    np.testing.assert_allclose(phases[1, 0, 2:4], [np.sin(week), np.cos(week)], atol=1e-6)
    np.testing.assert_allclose(phases[1, 1, 2:4], [0, 1], atol=1e-6)  # the next Monday
    year = 2 * np.pi * 6 / 365.2425
    np.testing.assert_allclose(phases[0, 0, 4:], [np.sin(year), np.cos(year)], atol=1e-6)


def test_rows_too_far_apart_tell_no_day():
    assert spacing_of(["2020-01-01", "2020-01-02"]).periods() == ("week", "year")
    months = spacing_of(["1749-01", "1749-02"])
    assert months.periods() == ("year",)
    np.testing.assert_allclose(months.phases(np.array([0, 12, 2400])), [[0, 1]] * 3, atol=1e-6)
    assert months.shown(14) == "1750-03-01"


def test_a_spacing_survives_json():
    for texts in (["2020-01-01 00:00", "2020-01-01 00:10"], ["1749-01", "1749-02"]):
        spacing = spacing_of(texts)
        assert Spacing.from_json(spacing.to_json()) == spacing


def test_midnight_is_shown_as_its_neighbours_are():
    hours = spacing_of(["2018-06-26 22:00:00", "2018-06-26 23:00:00"])
    assert [hours.shown(row) for row in (1, 2)] == ["2018-06-26 23:00:00", "2018-06-27 00:00:00"]
    assert spacing_of(["2018-06-26", "2018-06-27"]).shown(2) == "2018-06-28"
    assert spacing_of(["1749-01", "1749-02"]).shown(2) == "1749-03-01"
