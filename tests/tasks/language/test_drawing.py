import numpy as np

from seqtrain.tasks.language.drawing import LINE, beside, surprise


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def cells(figure):
    """The colours behind the characters, (lines, columns, 4)."""
    (image,) = figure.axes[0].images
    return np.asarray(image.get_array())


def test_each_symbol_is_drawn_and_a_line_begins_after_a_line_feed():
    figure = surprise(["a", "\n", "$", "\t", "\U0010ffff"], np.array([0.0, 1, 2, 3, 40]))
    assert texts(figure) == ["a", "\u21b5", "$", "\u2192", "\u25a1"]
    assert [text.get_position() for text in figure.axes[0].texts] == [(0.5, 0), (1.5, 0), (0.5, 1), (1.5, 1), (2.5, 1)]
    red, _, blue, _ = np.concatenate([cells(figure)[0, :2], cells(figure)[1, :3]]).T
    assert (np.diff(red - blue) > 0).all()  # the more bits, the redder
    assert (cells(figure)[0, 2:] == 1).all()


def test_words_stand_apart_and_lines_are_filled_but_not_overfilled():
    figure = surprise(["word"] * 40, np.zeros(40), gap=1)
    inked = (cells(figure) != 1).any(-1)
    assert inked.shape == (3, LINE)
    assert inked[0].tolist() == ([True] * 4 + [False]) * (LINE // 5)


def test_text_cannot_leave_its_block():
    page = beside([("a ```` b", "c")])
    assert "`````text\na ```` b\n`````" in page
    assert "```text\nc\n```" in page
