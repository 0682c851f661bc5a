import numpy as np

from seqtrain.tasks.language.drawing import LINE, beside, surprise


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_each_symbol_is_drawn_and_a_line_begins_after_a_line_feed():
    figure = surprise(["a", "\n", "$", "\t", "\U0010ffff"], np.array([0.0, 1, 2, 3, 40]))
    assert texts(figure) == ["a", "\u21b5", "$", "\u2192", "\u25a1"]
    assert [text.get_position() for text in figure.axes[0].texts] == [(0.5, 0), (1.5, 0), (0.5, 1), (1.5, 1), (2.5, 1)]
    red, _, blue, _ = np.array([bar.get_facecolor() for bar in figure.axes[0].patches]).T
    assert (np.diff(red - blue) > 0).all()  # the more bits, the redder


def test_words_stand_apart_and_lines_are_filled_but_not_overfilled():
    figure = surprise(["word"] * 40, np.zeros(40), gap=1)
    columns = [bar.get_x() for bar in figure.axes[0].patches]
    assert columns[:3] == [0, 5, 10]
    assert max(columns) + 4 <= LINE
    assert columns.count(0) == 3


def test_text_cannot_leave_its_block():
    page = beside([("a ```` b", "c")])
    assert "`````text\na ```` b\n`````" in page
    assert "```text\nc\n```" in page
