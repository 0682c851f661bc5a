"""TensorBoard as somebody sees it who opens a run: in a browser."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest
from browser import MISSING, Browser

from seqtrain.logs.tensorboard import EventFile
from seqtrain.picture import Picture, Sound

pytestmark = [pytest.mark.slow, pytest.mark.skipif(MISSING is not None, reason=str(MISSING))]

PLAYS = """
const sound = new Audio(arguments[0]);
return new Promise((done) => {
  sound.onloadedmetadata = () => done(sound.duration);
  sound.onerror = () => done(null);
});
"""
"""How many seconds a sound lasts that the browser can play; null if it can't."""

SMALL = ["task.train_size=200", "task.val_size=60", "task.test_size=60", "model.hidden_size=8", "trainer.batch_size=20"]
OFTEN = ["trainer.max_steps=12", "trainer.eval_every=6", "trainer.log_every=3", "trainer.watch_every=3"]
"""Often enough that every curve has a shape."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """A run that has something for nearly every page, and beside it half a second of sound and a film of six frames."""
    folder = tmp_path_factory.mktemp("browser")
    command = ["seqtrain", "model=attention_lstm", "task=sentiment", *SMALL, *OFTEN, f"run_dir={folder / 'run'}"]
    subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True, cwd=folder)
    file = EventFile(folder / "sounds")
    file.picture(1, Picture("sound-1", Sound(np.sin(np.arange(4000, dtype=np.float32) / 5), 8000)))
    file.picture(1, Picture("film", np.arange(6, dtype=np.uint8)[:, None, None] * np.full((1, 24, 32), 40, np.uint8)))
    file.close()
    return folder


@pytest.fixture(scope="module")
def address(runs) -> Iterator[str]:
    """A TensorBoard of both runs, on a port that nobody else has."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(runs), "--host=127.0.0.1", "--port=0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        found = None
        for line in server.stderr:
            if found := re.search(r"http://127\.0\.0\.1:\d+/", line):
                break
        assert found, "TensorBoard didn't start"
        yield found[0]
        server.terminate()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as opened:
        yield opened


def test_curves_are_grouped_by_what_they_are_of(browser, address):
    browser.open(f"{address}#scalars")
    shown = browser.find("gradients/core.layers.0.0", "test/accuracy").split()
    assert {"gradients", "test", "train", "updates", "val", "weights"} <= set(shown)
    with urlopen(f"{address}data/plugin/scalars/tags") as answer:  # what groups further down will show, once open
        assert "train/tokens_per_second" in json.load(answer)["run/tensorboard"]
    browser.open(f"{address}#timeseries")
    browser.find("gradients/core.layers.0.0")


def test_pictures_are_shown_as_images(browser, address):
    browser.open(f"{address}#images")
    browser.find("best/confusion", "best/gradient-flow", "best/attention-1", "pictures/confusion")
    assert browser.find_media("plugin/images")


def test_a_film_moves_and_a_sound_can_be_played(browser, address):
    browser.open(f"{address}#audio")
    browser.find("pictures/sound-1")
    (source,) = browser.find_media("plugin/audio")
    assert browser.run(PLAYS, source) == pytest.approx(0.5)
    browser.open(f"{address}#images")
    browser.find("pictures/film")
    assert browser.find_media("plugin/images", b"GIF89a")


def test_configuration_and_parts_are_text(browser, address):
    browser.open(f"{address}#text")
    browser.find("run/config", "run/parts", "hidden_size: 8", "multiply-adds a step", "Embedding")


def test_the_table_of_runs_has_options_beside_metrics(browser, address):
    browser.open(f"{address}#hparams")
    shown = browser.find("model.hidden_size", "attention_lstm", "test/accuracy")
    assert "val/best_accuracy" in shown
    assert "optimizer.lr" in shown


def test_gates_gradients_and_weights_have_histograms(browser, address):
    browser.open(f"{address}#histograms")
    shown = browser.find("gates/core.layers.0.0/forget")
    assert "gradients" in shown.split()
    assert "weights" in shown.split()


def test_two_classes_have_a_curve_of_precision_by_recall(browser, address):
    browser.open(f"{address}#pr_curves")
    browser.find("best/precision-recall", "pictures/precision-recall")


def test_words_stand_at_their_vectors_in_the_projector(browser, address):
    browser.open(f"{address}#projector")
    browser.find("Points:", "Dimension:", "embeddings")


def test_the_model_is_drawn_as_a_graph(browser, address):
    browser.open(f"{address}#graphs")
    browser.find("Main Graph", "Answers")
