import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from seqtrain.batch import Batch
from seqtrain.errors import CheckpointError, ConfigError, DataError
from seqtrain.spec import Align, Symbols, TaskSpec, Values
from seqtrain.tasks import FSDD, Speech, Split
from seqtrain.tasks.task import Sample

SIZES = {"train_size": 60, "val_size": 40, "test_size": 20}


def prepared(seed=0, **options):
    task = Speech(**{**SIZES, **options})
    task.prepare(Path("nowhere"), seed)
    return task


@pytest.fixture(scope="module")
def labels():
    return prepared()


@pytest.fixture(scope="module")
def digits():
    return prepared(target="digits")


def everything(task, split=Split.VAL):
    examples = task.examples(split)
    return examples.batch(np.arange(len(examples)), 0)


def asked(targets, lengths, steps):
    """A batch of strings without a sound."""
    size = len(targets)
    return Batch(
        torch.zeros(size, steps, 1),
        torch.full((size,), steps),
        torch.tensor(targets),
        torch.arange(size),
        torch.tensor(lengths),
    )


def test_the_outline_leaves_classes_open_and_the_spec_fills_them(labels, digits):
    assert Speech().outline == TaskSpec(Values((80,)), Symbols(), Align.WHOLE)
    assert Speech(target="digits", mels=20, stack_frames=3).outline == TaskSpec(Values((60,)), Symbols(), Align.EACH)
    assert Speech(features="mfcc", stack_frames=1).outline.input == Values((13,))
    assert labels.spec == TaskSpec(Values((80,)), Symbols(10), Align.WHOLE)
    assert digits.spec == TaskSpec(Values((80,)), Symbols(11), Align.EACH)


def test_splits_are_as_asked_and_batches_fit_the_spec(labels, digits):
    for task in (labels, digits):
        assert [len(task.examples(split)) for split in Split] == [60, 40, 20]
        batch = everything(task)
        assert batch.inputs.shape == (40, int(batch.lengths.max()), 80)
        assert batch.inputs.dtype == torch.float32
        assert torch.isfinite(batch.inputs).all()
    assert digits.examples(Split.VAL).lengths.mean() > 3 * labels.examples(Split.VAL).lengths.mean()


def test_training_features_are_centred(labels):
    batch = everything(labels, Split.TRAIN)
    real = batch.inputs[torch.arange(batch.inputs.shape[1]) < batch.lengths[:, None]]
    assert abs(float(real.mean())) < 0.05
    assert float(real.std()) == pytest.approx(1, abs=0.05)


def test_only_training_utterances_are_changed(labels):
    changed = prepared(warp=0.1, speed=0.1, freq_masks=1, time_masks=1, added_noise=0.1)
    for split, same in ((Split.VAL, True), (Split.TEST, True), (Split.TRAIN, False)):
        one, other = everything(changed, split).inputs, everything(labels, split).inputs
        assert (one.shape == other.shape and torch.equal(one, other)) is same


@pytest.mark.parametrize(
    "options",
    [
        {"mels": 30},
        {"window_ms": 32.0},
        {"hop_ms": 8.0},
        {"min_hz": 100.0},
        {"max_hz": 3500.0},
        {"sample_rate_hz": 16_000},
        {"range_db": 20.0},
        {"range_db": None},
        {"normalize": "utterance"},
        {"normalize": "loudness"},
        {"stack_frames": 1},
        {"features": "mfcc"},
        {"features": "mfcc", "mfccs": 20},
        {"noise": 0.0},
        {"variation": 0.0},
    ],
)
def test_every_option_reaches_the_features(labels, options):
    one, other = everything(prepared(**options)).inputs, everything(labels).inputs
    assert one.shape != other.shape or not torch.allclose(one, other)


def test_the_loss_of_labels_is_cross_entropy(labels):
    batch = everything(labels)
    outputs = torch.randn(40, 10, generator=torch.Generator().manual_seed(0))
    expected = sum(-row.log_softmax(0)[target] for row, target in zip(outputs, batch.targets, strict=True))
    assert labels.loss(outputs, batch) == pytest.approx(float(expected), rel=1e-5)
    assert labels.loss(outputs.bfloat16(), batch).dtype == torch.float32
    assert labels.count(batch) == 40


def test_the_loss_of_strings_sums_over_all_their_paths(digits):
    batch = asked([[1, 0], [2, 2]], [1, 2], 3)
    outputs = torch.randn(2, 3, 3, generator=torch.Generator().manual_seed(0))
    probs = outputs.double().softmax(-1)
    one = ["100", "010", "001", "110", "011", "111"]
    two = ["202"]
    expected = -sum(
        np.log(sum(np.prod([probs[row, step, int(symbol)] for step, symbol in enumerate(path)]) for path in paths))
        for row, paths in enumerate((one, two))
    )
    assert digits.loss(outputs, batch) == pytest.approx(float(expected), rel=1e-5)
    assert digits.count(batch) == 3
    longer = F.pad(outputs, (0, 0, 0, 4), value=9.0)
    assert digits.loss(longer, batch) == pytest.approx(float(expected), rel=1e-5)


def test_every_string_can_be_aligned(digits):
    for split in Split:
        batch = everything(digits, split)
        loss = digits.loss(torch.zeros(len(batch), batch.inputs.shape[1], 11), batch)
        assert torch.isfinite(loss)


def test_label_metrics_are_those_of_the_whole(labels):
    metrics = labels.metrics()
    batch = everything(labels)
    right = F.one_hot(batch.targets, 10).float()
    right[:10] = F.one_hot((batch.targets[:10] + 1) % 10, 10).float()
    for part in (slice(0, 33), slice(33, 40)):
        some = Batch(batch.inputs[part], batch.lengths[part], batch.targets[part], batch.indices[part])
        labels.score(metrics, right[part], some)
    assert float(metrics.compute()["accuracy"]) == pytest.approx(0.75)
    assert labels.metric in metrics
    assert labels.higher_is_better


@pytest.mark.parametrize("beam_size", [1, 4])
def test_string_metrics_are_those_of_the_whole(beam_size):
    task = prepared(target="digits", beam_size=beam_size)
    metrics = task.metrics()
    paths = torch.tensor([[1, 1, 0, 2], [3, 0, 3, 3], [0, 0, 0, 5]])
    outputs = 20 * F.one_hot(paths, 11).float()
    batch = asked([[1, 2], [3, 0], [5, 6]], [2, 1, 2], 4)
    task.score(metrics, outputs, batch)
    values = {name: float(value) for name, value in metrics.compute().items()}
    # An inserted 3 and a missing 6, in five digits.
    assert values == {
        "accuracy": pytest.approx(0.6),
        "digit_error_rate": pytest.approx(0.4),
        "string_accuracy": pytest.approx(1 / 3),
    }


def test_a_beam_may_answer_otherwise_than_the_best_path():
    outputs = torch.tensor([[[0.6, 0.4, *[1e-9] * 9]] * 2]).log()
    batch = asked([[1]], [1], 2)
    for beam_size, accuracy in ((1, 0.0), (4, 1.0)):
        task = prepared(target="digits", beam_size=beam_size)
        metrics = task.metrics()
        task.score(metrics, outputs, batch)
        assert float(metrics.compute()["accuracy"]) == accuracy


def test_the_baseline_is_the_most_frequent_class(labels, digits):
    train, val = (everything(labels, split).targets.bincount(minlength=10) for split in (Split.TRAIN, Split.VAL))
    assert labels.baseline()["accuracy"] == pytest.approx(float(val[train.argmax()]) / 40)
    values = digits.baseline()
    assert 0.75 < values["digit_error_rate"] < 1.0
    assert values["accuracy"] == pytest.approx(1 - values["digit_error_rate"])


def test_digits_have_as_many_as_asked():
    batch = everything(prepared(target="digits", digits_min=2, digits_max=2))
    assert batch.target_lengths.tolist() == [2] * 40
    assert (batch.targets > 0).all()
    assert set(everything(prepared(target="digits")).target_lengths.tolist()) == {3, 4, 5}


def test_recordings_too_short_for_ctc_are_refused():
    with pytest.raises(DataError, match=r"synthesised sound \d+: has \d+ frames, too few for task.target=digits"):
        prepared(target="digits", stack_frames=30)
    prepared(stack_frames=30)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"digits_min": 2}, "task.digits_min=2: is about strings, and needs task.target=digits"),
        ({"digits_max": 2}, "task.digits_max=2: is about strings, and needs task.target=digits"),
        ({"beam_size": 2}, "task.beam_size=2: is about strings, and needs task.target=digits"),
        ({"target": "digits", "digits_max": 2}, "task.digits_max=2: must not be below task.digits_min=3"),
        ({"target": "digits", "digits_min": 0}, "task.digits_min=0: must be at least 1"),
        ({"target": "digits", "beam_size": 0}, "task.beam_size=0: must be at least 1"),
        ({"mels": 0}, "task.mels=0: must be at least 1"),
        ({"warp": 1.0}, "task.warp=1.0: must be at least 0 and below 1"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_read(options, message):
    with pytest.raises(ConfigError) as caught:
        Speech(**options)
    assert str(caught.value) == message


def test_assets_bring_a_task_back(digits):
    assets = json.loads(json.dumps(digits.assets()))
    task = Speech(target="digits")
    task.restore(assets)
    assert task.spec == digits.spec
    assert task.classes == tuple("0123456789")
    assert task.assets() == digits.assets()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes.json": None}, "classes.json: should hold a list of texts"),
        ({"classes.json": [1]}, "classes.json: should hold a list of texts"),
        ({"scale.json": None}, "scale.json: should hold mean and deviation of 40 features"),
        ({"scale.json": {"mean": [0.0] * 40}}, "scale.json: should hold mean and deviation of 40 features"),
        ({"scale.json": {"mean": [0.0] * 4, "deviation": [0.0] * 4}}, "scale.json: should hold mean and deviation"),
    ],
)
def test_assets_that_are_none_are_refused(labels, changes, message):
    with pytest.raises(CheckpointError) as caught:
        Speech().restore(labels.assets() | changes)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("target", ["label", "digits"])
def test_pictures_show_sounds_and_answers(target, labels, digits):
    task = {"label": labels, "digits": digits}[target]
    batch = everything(task)
    shape = (40, 10) if target == "label" else (40, batch.inputs.shape[1], 11)
    outputs = 3 * torch.randn(shape, generator=torch.Generator().manual_seed(0))
    pictures = {each.name: each.file() for each in task.pictures([Sample(batch, outputs, None, ())])}
    sounds = [f"sound-{place}" for place in range(1, 7 if target == "label" else 4)]
    assert list(pictures) == {"label": ["spectra", *sounds, "confusion"], "digits": ["strings", *sounds]}[target]
    endings = {".png": b"\x89PNG", ".wav": b"RIFF"}
    assert all(content.startswith(endings[name[-4:]]) for name, content in pictures.values())


def test_sounds_are_those_that_the_model_heard(digits):
    batch = everything(digits)
    outputs = torch.zeros(40, batch.inputs.shape[1], 11)
    _, *sounds = digits.pictures([Sample(batch, outputs, None, ())])
    utterances = digits.examples(Split.VAL)
    for place, picture in enumerate(sounds):
        pieces = utterances.pieces(batch.indices[place : place + 1].numpy(), 0)[0]
        frames = utterances.corpus.frames[pieces[pieces >= 0]]
        # A frame begins every 10 ms, and each recording's last one ends with it.
        assert picture.content.rate_hz == 8000
        assert abs(len(picture.content.samples) / 80 - frames.sum()) <= 3 * len(frames)


@pytest.mark.real
def test_real_digits_are_read(data_dir):
    task = FSDD()
    task.prepare(data_dir, 0)
    assert task.classes == tuple("0123456789")
    assert [len(task.examples(split)) for split in Split] == [2400, 300, 300]
    assert task.baseline()["accuracy"] == pytest.approx(0.1)
