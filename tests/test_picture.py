import io

import numpy as np
from PIL import Image

from seqtrain.picture import Picture
from seqtrain.tasks import drawing


def test_a_figure_is_a_png():
    name, content = Picture("confusion", drawing.confusion(np.array([[3, 1], [0, 2]]), ["no", "yes"])).file()
    assert name == "confusion.png"
    assert Image.open(io.BytesIO(content)).format == "PNG"


def test_frames_are_a_film():
    frames = np.arange(3, dtype=np.uint8)[:, None, None] * np.full((1, 8, 6), 80, np.uint8)
    name, content = Picture("frames", frames).file()
    film = Image.open(io.BytesIO(content))
    assert (name, film.format, film.n_frames, film.size) == ("frames.gif", "GIF", 3, (6, 8))


def test_text_is_markdown():
    assert Picture("sample", "so **it** goes\n").file() == ("sample.md", b"so **it** goes\n")
