"""What tasks tell of an example: checked on answers made by hand."""

import math

import numpy as np
import pytest
import torch

from seqtrain.batch import Batch
from seqtrain.shown import Choices, Curves, Facts, Frames, Raster, Words
from seqtrain.tasks import Split
from seqtrain.tasks.classification.sentiment import Sentiment
from seqtrain.tasks.given import Given
from seqtrain.tasks.images.moving_mnist import MovingMNIST
from seqtrain.tasks.images.sequential_mnist import SequentialMNIST
from seqtrain.tasks.language.text import Text
from seqtrain.tasks.probes.adding import Adding
from seqtrain.tasks.probes.copy_memory import CopyMemory
from seqtrain.tasks.series.sine import Sine
from seqtrain.tasks.speech.speech import Speech
from seqtrain.tasks.tagging.ner import NER
from seqtrain.tasks.task import Sample
from seqtrain.tasks.translation.translation import Translation

SIZES = {"train_size": 40, "val_size": 12, "test_size": 12}


def two(task, tmp_path):
    """The first two validation examples of a task, as one batch."""
    task.prepare(tmp_path, 0)
    return task.examples(Split.VAL).batch(np.arange(2), 0)


def answered(batch, outputs, generated=None):
    return Sample(batch, outputs, generated, ())


def logits_of(ids, size):
    """Outputs that find these ids certain."""
    return 50 * torch.nn.functional.one_hot(ids, size).float()


def test_a_text_and_its_classes(tmp_path):
    task = Sentiment(**SIZES)
    batch = two(task, tmp_path)
    right, wrong = batch.targets[0], 1 - batch.targets[1]
    sample = answered(batch, torch.stack([logits_of(right, 2), logits_of(wrong, 2)]))
    first, second = (task.shown(sample, row) for row in (0, 1))
    assert (first.right, second.right) == (True, False)
    text, choices = first.parts
    assert isinstance(text, Words)
    assert text.names == first.steps
    assert len(first.steps) == batch.lengths[0]
    assert choices.truth == task.codes.classes[right]
    assert choices.chances[choices.truth] == pytest.approx(1)
    given = task.shown(sample, 0, Given("A Zyzzyva!", "here"))
    assert list(given.steps) == ["a", "zyzzyva", "!"]
    assert given.right is None
    assert given.parts[1].truth is None


def test_numbers_to_add(tmp_path):
    task = Adding(steps=6, **SIZES)
    batch = two(task, tmp_path)
    numbers, facts = task.shown(answered(batch, batch.targets + 0.25), 1).parts
    marked = [float(name) for name, mark in zip(numbers.names, numbers.marks, strict=True) if mark == "+"]
    assert sum(marked) == pytest.approx(float(batch.targets[1]), abs=0.011)
    assert float(facts.rows["answer"]) - float(facts.rows["true sum"]) == pytest.approx(0.25, abs=2e-3)
    (_, told) = task.shown(answered(batch, batch.targets), 0, Given([], "here")).parts
    assert set(told.rows) == {"answer"}


def test_symbols_to_copy(tmp_path):
    task = CopyMemory(delay=2, length=2, symbols=3, **SIZES)
    batch = two(task, tmp_path)
    said = batch.targets.clone()
    said[0, -1] = 1 + said[0, -1] % 3
    sample = answered(batch, logits_of(said, 4))
    first, second = (task.shown(sample, row) for row in (0, 1))
    assert (first.right, second.right) == (False, True)
    assert first.parts[1].shades == [0, 0, 0, 0, 0, 1]
    assert first.parts[0].names[3] == "!"


@pytest.mark.parametrize("subtract_last", [False, True])
def test_a_series_goes_on_where_it_was_seen(tmp_path, subtract_last):
    task = Sine(lookback=10, horizon=2, subtract_last=subtract_last, **SIZES)
    batch = two(task, tmp_path)
    (curves,) = task.shown(answered(batch, batch.targets + 1), 1).parts
    assert isinstance(curves, Curves)
    starts = {name: start for name, (start, _) in curves.lines.items()}
    assert starts == {"seen": -7, "what came": 1, "forecast": 1}
    assert len(curves.lines["seen"][1]) == 8  # four times the horizon, to step 0
    np.testing.assert_allclose(curves.lines["seen"][1], batch.inputs[1, 2:, 0])
    np.testing.assert_allclose(curves.lines["forecast"][1], curves.lines["what came"][1] + 1, rtol=1e-6)
    assert ("from the last value seen" in curves.label) == subtract_last


def test_frames_and_images(tmp_path):
    films = MovingMNIST(size=32, frames_in=3, frames_out=2, train_size=4, val_size=4, test_size=4)
    batch = two(films, tmp_path)
    seen, came, predicted = films.shown(answered(batch, torch.zeros(batch.targets.shape)), 0).parts
    assert all(isinstance(part, Frames) for part in (seen, came, predicted))
    assert (seen.frames.shape, predicted.frames.shape) == ((3, 32, 32), (2, 32, 32))
    assert 0.9 < seen.frames.max() <= 1
    assert predicted.frames.max() == 0
    pixels = SequentialMNIST(order="pixels", **SIZES)
    batch = two(pixels, tmp_path)
    image, choices = pixels.shown(answered(batch, logits_of(batch.targets, 10)), 1).parts
    assert isinstance(image, Raster)
    np.testing.assert_array_equal(image.values, pixels.examples(Split.VAL).images[1])
    assert isinstance(choices, Choices)


def test_letters_by_the_bits_they_took(tmp_path):
    task = Text(steps=8, sample_length=3, **SIZES)
    batch = two(task, tmp_path)
    size = task.spec.input.size
    outputs = torch.zeros(2, 8, size)
    outputs[0, 2] = logits_of(batch.inputs[0, 3], size)
    text, facts = task.shown(answered(batch, outputs, batch.inputs[:, :3]), 0).parts
    assert text.shades[0] == text.shades[3] == 0
    assert text.shades[1] == pytest.approx(math.log2(size) / 8)
    assert text.notes[1].startswith(f"{math.log2(size):.1f} bits; expected: ")
    assert facts.rows["goes on"] == task.text_of(batch.inputs[0, :3])
    assert "".join(text.names) == task.text_of(batch.inputs[0])


@pytest.mark.parametrize("letters", [True, False])
def test_words_with_their_tags(tmp_path, letters):
    task = NER(characters=letters, min_count=3, **SIZES)
    batch = two(task, tmp_path)
    tags = batch.targets.clamp(min=0)
    answer, truth = task.shown(answered(batch, logits_of(tags, task.spec.output.size)), 0).parts
    assert answer.marks == truth.marks
    assert any(truth.marks)
    assert "O" not in truth.marks
    written = list(task.examples(Split.VAL).texts[0])
    assert (answer.names == written) == letters  # else rare words are unknown
    sentence = Given("Ada met Mr. Babbage", "here")
    asked = task.new_examples([sentence]).batch(np.arange(1), 0)
    (told,) = task.shown(answered(asked, logits_of(asked.targets, task.spec.output.size)), 0, sentence).parts
    assert (told.names[0], told.names[-1]) == ("Ada", "Babbage")


def test_a_translation_beside_its_reference(tmp_path):
    task = Translation(**SIZES)
    batch = two(task, tmp_path)
    shown = task.shown(answered(batch, torch.zeros(0), batch.targets), 1)
    (facts,) = shown.parts
    assert isinstance(facts, Facts)
    assert facts.rows["answer"] == facts.rows["reference"] == batch.references[1]
    assert shown.right
    assert len(shown.asks) == batch.target_lengths[1]
    assert "".join(shown.steps) == facts.rows["source"]


def test_a_spectrum_low_tones_below(tmp_path):
    task = Speech(mels=10, train_size=90, val_size=8, test_size=8)
    batch = two(task, tmp_path)
    shown = task.shown(answered(batch, logits_of(batch.targets, 10)), 0)
    raster = shown.parts[0]
    assert isinstance(batch, Batch)
    assert raster.values.shape == (10, 2 * batch.lengths[0])
    assert raster.values[-1, 0] == pytest.approx(float(batch.inputs[0, 0, 0]))
    assert list(shown.steps[:2]) == ["0 ms", "20 ms"]
    assert shown.right
