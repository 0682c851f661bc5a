import base64
import io
import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from seqtrain.explain.charts import MOST_NAMES, MOST_POINTS, Axes, Dot, Line, heatmap, plot, ticks
from seqtrain.explain.markup import bars, facts, gray, packed, shaded, table, text, words

KNOWN = {"class", "style", "title", "src", "alt", "data-name", "data-map", "data-high", "points", "role", "aria-label"}
KNOWN |= {"viewbox", "preserveaspectratio", "x1", "x2", "y1", "y2"}


class Tags(HTMLParser):
    """All tags and attributes."""

    def __init__(self):
        super().__init__()
        self.names, self.attributes = set(), set()

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}


def pixels(address):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).convert("RGBA")).astype(int)


def points(html):
    return [[tuple(map(float, p.split(","))) for p in each.split()] for each in re.findall(r'points="([^"]*)"', html)]


def test_a_line_spans_its_plot():
    (line,) = points(plot([Line("a", [2, 3, 6], [0, 1, 4])], Axes("step", 0, 4)))
    assert line == [(0, 100), (25, 75), (100, 0)]


def test_a_line_is_broken_where_it_is_not_finite_and_a_lone_point_leaves_a_mark():
    first, second = points(plot([Line("a", range(5), [1, 2, math.nan, math.inf, 1])], Axes("step", 0, 2)))
    assert first == [(0, 50), (25, 0)]
    assert second == [(99.6, 50), (100.4, 50)]


def test_each_step_of_a_logarithmic_plot_is_ten_times_as_much():
    shown = plot([Line("a", [0, 1, 2, 3], [1, 0.1, 0.0, 0.01])], Axes("step", log=True))
    assert points(shown)[0] == [(0, 0), (33.33, 50)]
    assert "10<sup>-2</sup>" in shown


def test_equal_values_and_a_single_step_are_drawn_in_the_middle():
    assert points(plot([Line("a", [3], [7.0])], Axes("step"))) == [[(49.6, 50), (50.4, 50)]]


def test_a_long_line_is_thinned_and_keeps_its_ends():
    (line,) = points(plot([Line("a", range(5000), np.arange(5000.0))], Axes("step", 0, 4999)))
    assert len(line) == MOST_POINTS
    assert (line[0], line[-1]) == ((0, 100), (100, 0))


def test_steps_have_their_names_and_dots_their_notes():
    shown = plot([Line("<a>", [1, 2], [0, 1])], Axes("step"), [Dot(2, 1, 'the "best"')], ["good", "\n"])
    assert ">good<" in shown
    assert ">⏎<" in shown
    assert "&lt;a&gt;" in shown
    assert 'title="the &quot;best&quot;"' in shown


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (-3, 17, [0, 5, 10, 15]), (0.151, 0.158, [0.152, 0.154, 0.156, 0.158])],
)
def test_ticks_are_round(low, high, expected):
    assert ticks(low, high) == pytest.approx(expected)


def test_a_map_is_clear_at_0_and_darkest_at_the_most():
    weights = np.array([[0.0, 0.25], [0.5, 0.1]])
    shown = heatmap(weights, ["a", "b"], ["c", "d"], label="map")
    (address,) = re.findall(r'src="([^"]+)"', shown)
    alpha = pixels(address)[..., 3]
    assert alpha[0, 0] == 0
    assert alpha[1, 0] == 255
    assert alpha[0, 1] == pytest.approx(127, abs=1)
    assert re.findall(r"<span>(.)</span>", shown) == ["a", "b", "c", "d"]
    assert np.frombuffer(base64.b64decode(re.search(r'data-map="([^"]+)"', shown)[1]), np.uint8).tolist() == [
        0,
        128,
        255,
        51,
    ]


def test_a_map_too_large_for_names_has_none():
    names = ["x"] * (MOST_NAMES + 1)
    assert "<span>" not in heatmap(np.eye(len(names)), names, names, label="map")


def test_signs_have_colours_of_their_own():
    image = pixels(shaded(np.array([[-2.0, 0.0, 2.0]]), -2.0, 2.0))[0]
    assert image[:, 3].tolist() == [255, 0, 255]
    assert image[0, 0] > image[0, 2]  # red
    assert image[2, 2] > image[2, 0]  # blue


def test_a_frame_keeps_its_brightness():
    assert pixels(gray(np.array([[0.0, 0.2, 1.0]])))[0, :, 0].tolist() == [0, 51, 255]


def test_values_are_packed_in_256_steps():
    assert base64.b64decode(packed(np.array([-1.0, 0.0, 1.0, 9.0]), -1, 1)) == bytes([0, 128, 255, 255])


def test_the_truth_is_never_left_out_of_the_bars():
    shown = bars({str(place): 0.5**place for place in range(9)}, truth="8")
    assert "and 4 less likely ones" in shown
    assert "✓ truth" in shown
    assert "truth" not in bars({"a": 1.0})


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", '" onload="x', "' x='", "&lt;", "a\x00b\x1b"])
def test_no_text_becomes_a_tag_or_an_attribute(hostile):
    made = [
        text(hostile),
        table([[hostile, hostile]], [hostile]),
        facts({hostile: hostile}),
        words([hostile], marks=[hostile], shades=[0.5], notes=[hostile]),
        bars({hostile: 1.0}, hostile),
        heatmap(np.ones((1, 1)), [hostile], [hostile], label=hostile),
        plot([Line(hostile, [0, 1], [0, 1])], Axes(hostile), [Dot(0, 0, hostile)], [hostile, hostile]),
    ]
    for each in made:
        parser = Tags()
        parser.feed(each)
        assert not parser.names & {"script", "iframe"}
        assert parser.attributes <= KNOWN
        assert "\x00" not in each


def test_letters_are_set_together_and_blanks_are_seen():
    shown = words(["a", " ", "\n"], spaced=False)
    assert "<span>a</span><span>␣</span><span>⏎</span><br>" in shown
    assert "<span>a</span> <span>b</span>" in words(["a", "b"])
