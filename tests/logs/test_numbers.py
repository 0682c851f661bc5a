import pytest

from seqtrain.logs.numbers import brief, clock, number, short


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (65, "1:05"), (3600, "1:00:00"), (90_061, "25:01:01")])
def test_durations_read_like_a_clock(seconds, text):
    assert clock(seconds) == text


@pytest.mark.parametrize(("value", "text"), [(0.123456, "0.1235"), (1234.5, "1234"), (0.0, "0"), (2e-5, "2e-05")])
def test_numbers_are_short(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.4, "0"), (950, "950"), (1234, "1.2k"), (48_210, "48k"), (3_100_000, "3.1M"), (5e9, "5000M")]
)
def test_speeds_are_brief(value, text):
    assert brief(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "0.5000"), (1, "1.000"), (0.596, "0.5960"), (12.3, "12.30"), (0.02029, "0.0203"), (999.96, "1000")],
)
def test_numbers_that_stand_below_one_another_are_equally_long(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.5, "0.500"), (0.01072, "0.0107"), (12.34, "12.3"), (123.4, "123"), (99.97, "100"), (0, "0")]
)
def test_a_bar_takes_three_digits(value, text):
    assert short(value) == text
