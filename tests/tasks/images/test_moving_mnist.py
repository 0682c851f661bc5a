from pathlib import Path

import numpy as np
import pytest
import torch

from seqtrain.errors import CheckpointError, ConfigError
from seqtrain.spec import Align, TaskSpec, Values
from seqtrain.tasks import MovingMNIST, Split
from seqtrain.tasks.images.patches import fold
from seqtrain.tasks.task import Sample


def prepared(seed=0, **options):
    task = MovingMNIST(
        **{"train_size": 12, "val_size": 6, "test_size": 3, "frames_in": 4, "frames_out": 2, "size": 32, **options}
    )
    task.prepare(Path("nowhere"), seed)
    return task


def batch_of(task, split=Split.TRAIN, epoch=0):
    examples = task.examples(split)
    return examples.batch(np.arange(len(examples)), epoch)


@pytest.fixture
def path(tmp_path):
    levels = np.random.default_rng(0).integers(256, size=(20, 6, 12, 16)).astype(np.uint8)
    np.save(tmp_path / "films.npy", levels)
    return tmp_path / "films.npy"


def test_the_spec_is_known_before_anything_is_made():
    frame = Values((16, 16, 16))
    task = MovingMNIST()
    assert task.outline == task.spec == TaskSpec(frame, frame, Align.AHEAD, horizon=10, continues=True)
    assert MovingMNIST(patch=1, size=40, frames_out=3).spec.output == Values((1, 40, 40))
    assert MovingMNIST(patch=1, size=40, frames_out=3).spec.horizon == 3


def test_options_of_the_films_are_honoured():
    task = prepared()
    batch = batch_of(task)
    assert [len(task.examples(split)) for split in Split] == [12, 6, 3]
    assert batch.inputs.shape == (12, 4, 16, 8, 8)
    assert batch.targets.shape == (12, 2, 16, 8, 8)
    assert batch.inputs.dtype == batch.targets.dtype == torch.uint8
    still = batch_of(prepared(speed=0.0))
    assert torch.equal(still.inputs[:, :1].expand_as(still.targets), still.targets)
    assert not torch.equal(batch.inputs[:, :2], batch.targets)
    ink = [batch_of(prepared(digits_per_frame=digits)).inputs.float().mean() for digits in (1, 2)]
    assert ink[0] < ink[1]
    wide = batch_of(prepared(size=48, patch=2))
    assert wide.inputs.shape == (12, 4, 4, 24, 24)


def test_films_hang_on_seed_and_split_and_training_on_the_epoch():
    firsts = [batch_of(prepared(seed), split).inputs for seed in (0, 1) for split in Split]
    assert torch.equal(firsts[0], batch_of(prepared()).inputs)
    assert len({tuple(first[0].flatten().tolist()) for first in firsts}) == 6
    assert not torch.equal(batch_of(prepared(), epoch=1).inputs, firsts[0])


def test_the_loss_is_the_sum_of_squares_of_values_from_0_to_1():
    task = prepared()
    batch = batch_of(task)
    truth = batch.targets.float() / 255
    assert task.count(batch) == 12 * 2 * 32 * 32
    assert task.loss(truth, batch) == 0
    assert task.loss(truth + 0.5, batch) == pytest.approx(0.25 * task.count(batch), rel=1e-5)
    assert task.loss(truth.bfloat16(), batch).dtype == torch.float32


def test_metrics_are_of_frames_of_pixels_and_of_answers_within_range():
    task = prepared()
    batch = batch_of(task)
    truth = batch.targets.float() / 255
    outside = torch.where(truth == 0, -3.0, truth)
    outside[truth == 1] = 7.0
    metrics = task.metrics()
    task.score(metrics, outside, batch)
    values = {name: float(value) for name, value in metrics.compute().items()}
    assert values == pytest.approx({"mse": 0, "mae": 0, "ssim": 1}, abs=1e-5)
    off = truth.clone()
    off[:, :, 3, 2, 5] += torch.where(off[:, :, 3, 2, 5] > 0.5, -0.5, 0.5)
    metrics = task.metrics()
    task.score(metrics, off[:5], task.examples(Split.TRAIN).batch(np.arange(5), 0))
    values = {name: float(value) for name, value in metrics.compute().items()}
    assert (values["mse"], values["mae"]) == pytest.approx((0.25, 0.5))
    assert values["ssim"] < 0.9999
    assert task.metric in values
    assert not task.higher_is_better


@pytest.mark.parametrize(("speed", "best"), [(0.0, "last"), (None, "mean or zeros")])
def test_the_baseline_is_the_best_of_three(speed, best):
    task = prepared(speed=speed, val_size=70, size=64, patch=1)
    batch = batch_of(task, Split.VAL)
    inputs, truth = batch.inputs.double() / 255, batch.targets.double() / 255
    seen = batch_of(task).inputs.double() / 255
    answers = {"zeros": torch.zeros(()), "mean": seen.mean((0, 1)), "last": inputs[:, -1:]}
    errors = {name: float((truth - answer).square().sum((2, 3, 4)).mean()) for name, answer in answers.items()}
    least = min(errors, key=errors.__getitem__)
    assert least in best
    baseline = task.baseline()
    assert baseline["mse"] == pytest.approx(errors[least], rel=1e-4, abs=1e-6)
    assert set(baseline) == {"mse", "mae", "ssim"}


def test_pictures_show_films_and_how_the_error_grows():
    task = prepared()
    batch = batch_of(task, Split.VAL)
    strips, film, errors = task.pictures(iter([Sample(batch, batch.targets.float() / 255, None, ())]))
    assert [picture.name for picture in (strips, film, errors)] == ["frames", "film", "error-by-frame"]
    assert len(strips.content.axes) == 3
    assert film.content.dtype == np.uint8
    frames, _, columns = film.content.shape
    assert frames == 6
    left, right = film.content[:, :, : columns // 2], film.content[:, :, columns // 2 :]
    assert ((left == right) | (left < 128)).all()  # the answers are right: only the border lights up
    assert (left[:4] == right[:4]).all()
    assert not (left[4:] == right[4:]).all()
    [axes] = errors.content.axes
    assert np.allclose(axes.lines[0].get_ydata(), 0)
    assert axes.lines[2].get_ydata()[0] == pytest.approx(
        float((batch.targets[:, 0].float() / 255).square().sum((1, 2, 3)).mean()), rel=1e-4
    )


def test_a_file_tells_the_size_of_its_frames(path):
    task = MovingMNIST(path=path, frames_in=4, frames_out=2)
    assert task.outline.input == Values((16, 0, 0))
    task.prepare(Path("nowhere"), 0)
    assert task.spec.input == Values((16, 3, 4))
    assert [len(task.examples(split)) for split in Split] == [16, 2, 2]
    array = np.load(path)
    batch = batch_of(task, Split.VAL)
    frames = torch.from_numpy(array[:, :, None])
    known = {tuple(film.flatten().tolist()) for film in fold(frames, 4)[:, :4]}
    assert {tuple(film.flatten().tolist()) for film in batch.inputs} <= known


def test_what_the_file_told_is_kept(path):
    task = MovingMNIST(path=path, frames_in=4, frames_out=2)
    task.prepare(Path("nowhere"), 0)
    assert task.assets() == {"frame.json": [12, 16]}
    other = MovingMNIST(path=path, frames_in=4, frames_out=2)
    other.restore(task.assets())
    assert other.spec == task.spec
    for broken in ({}, {"frame.json": [12]}, {"frame.json": [0, 12]}, {"frame.json": ["a", 3]}):
        with pytest.raises(CheckpointError, match=r"frame\.json: should hold the rows and columns of a frame"):
            other.restore(broken)
    generated = MovingMNIST()
    assert generated.assets() == {}
    generated.restore({})


def test_numbers_of_a_file_are_compared_as_they_are(tmp_path):
    np.save(tmp_path / "films.npy", np.full((20, 3, 12, 12), 0.5))
    task = MovingMNIST(path=tmp_path / "films.npy", frames_in=2, frames_out=1, patch=1)
    task.prepare(Path("nowhere"), 0)
    batch = batch_of(task)
    assert task.loss(torch.full((16, 1, 1, 12, 12), 0.25), batch) == pytest.approx(16 * 144 / 16)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frames_in": 0}, "task.frames_in=0: must be at least 1"),
        ({"frames_out": 0}, "task.frames_out=0: must be at least 1"),
        ({"patch": 0}, "task.patch=0: must be at least 1"),
        ({"digits_per_frame": 0}, "task.digits_per_frame=0: must be at least 1"),
        ({"train_size": 0}, "task.train_size=0: must be at least 1"),
        ({"val_size": 0}, "task.val_size=0: must be at least 1"),
        ({"test_size": 0}, "task.test_size=0: must be at least 1"),
        ({"speed": -1.0}, "task.speed=-1.0: must be at least 0"),
        ({"size": 27}, "task.size=27: must be at least 28, for a digit to fit in"),
        ({"size": 30}, "task.patch=4: must divide the frame's 30 rows and columns"),
        ({"patch": 3}, "task.patch=3: must divide the frame's 64 rows and columns"),
        ({"layout": "films_first"}, "task.layout=films_first: is about a file, and needs task.path"),
        ({"val_fraction": 0.2}, "task.val_fraction=0.2: is about a file, and needs task.path"),
        ({"path": Path("a.npy"), "size": 64}, "task.size=64: is about bouncing digits, but task.path=a.npy is a file"),
        (
            {"path": Path("a.npy"), "digits": "mnist"},
            "task.digits=mnist: is about bouncing digits, but task.path=a.npy is a file",
        ),
    ],
)
def test_an_option_that_can_not_be_honoured_is_refused(options, message):
    with pytest.raises(ConfigError) as caught:
        MovingMNIST(**options)
    assert str(caught.value) == message


@pytest.mark.real
def test_films_of_mnist_are_a_fixed_set_but_for_training(data_dir):
    batches = {}
    for seed in (0, 1):
        task = MovingMNIST(digits="mnist")
        task.prepare(data_dir, seed)
        assert [len(task.examples(split)) for split in Split] == [10_000, 500, 10_000]
        batches[seed] = [task.examples(split).batch(np.arange(3), 0).inputs for split in Split]
    assert [torch.equal(*pair) for pair in zip(*batches.values(), strict=True)] == [False, True, True]
