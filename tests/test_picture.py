import io
import wave

import numpy as np
from PIL import Image

from seqtrain.picture import Picture, Scores, Sound, Vectors
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


def test_a_sound_is_a_wav_file_and_what_is_too_loud_is_cut_off():
    name, content = Picture("seven", Sound(np.array([0, 0.5, -3], np.float32), 8000)).file()
    with wave.open(io.BytesIO(content)) as read:
        assert (name, read.getframerate(), read.getnchannels()) == ("seven.wav", 8000, 1)
        assert np.frombuffer(read.readframes(3), "<i2").tolist() == [0, 16383, -32767]


def test_curves_and_vectors_are_for_tensorboard_alone():
    assert Picture("curve", Scores(np.array([True]), np.array([0.5]))).has_file is False
    assert Picture("words", Vectors(np.zeros((1, 2)), ["a"])).has_file is False
