import gzip
import re

import numpy as np
import pytest

from seqtrain.errors import ConfigError, DataError
from seqtrain.tasks import Split
from seqtrain.tasks.images.digits import draw_digits, read_digits, read_mnist
from tests.tasks.images.test_idx import idx


def write(folder, part, images, labels):
    folder.mkdir(exist_ok=True)
    (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images), 1))
    (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels), 1))


@pytest.fixture
def mnist(tmp_path, monkeypatch, stand_in):
    """MNIST's files with ten training images, of which the last four validate, and three to test."""
    monkeypatch.setattr("seqtrain.tasks.images.digits.MNIST_VAL", 4)
    for part, count in (("train", 10), ("t10k", 3)):
        images = np.arange(count).reshape(-1, 1, 1) * np.ones((count, 28, 28))
        write(tmp_path / "mnist", part, images, np.arange(count) % 10)
    stand_in("mnist", tmp_path)
    return tmp_path


def test_digits_are_drawn_from_the_generator_alone():
    one, again, other = (draw_digits(np.random.default_rng(seed), 30) for seed in (0, 0, 1))
    assert (one.images == again.images).all()
    assert (one.labels == again.labels).all()
    assert (one.images != other.images).any()


def test_digits_are_ink_on_paper_near_the_middle():
    digits = draw_digits(np.random.default_rng(0), 500)
    assert set(digits.labels.tolist()) == set(range(10))
    assert digits.images.max((1, 2)).min() > 200  # every digit has black ink
    assert 25 < digits.images.mean() < 42  # about as much as MNIST's, 33
    border = np.concatenate([digits.images[:, [0, -1]], digits.images[:, :, [0, -1]].swapaxes(1, 2)], 1)
    assert (border > 0).any((1, 2)).mean() < 0.01
    weights = digits.images.sum((1, 2))
    centres = [(digits.images.sum(axis) * np.arange(28)).sum(1) / weights for axis in (1, 2)]
    assert np.abs(np.array(centres) - 13.5).max() < 3


def test_digits_are_as_high_as_asked():
    low, high = (draw_digits(np.random.default_rng(0), 200, height) for height in (16.0, 26.0))
    rows = [(digits.images.max(2) > 0).sum(1).mean() for digits in (low, high)]
    assert rows[1] - rows[0] == pytest.approx(0.84 * 0.95 * 10, rel=0.2)


def test_the_nearest_of_other_digits_is_mostly_of_the_same_class():
    known, asked = draw_digits(np.random.default_rng(0), 1000), draw_digits(np.random.default_rng(1), 100)
    a, b = (each.images.reshape(len(each), -1) / 255.0 for each in (asked, known))
    nearest = ((a**2).sum(1)[:, None] - 2 * a @ b.T + (b**2).sum(1)).argmin(1)
    assert (known.labels[nearest] == asked.labels).mean() > 0.8


def test_splits_differ_and_follow_the_seed(tmp_path):
    images = [read_digits("drawn", split, 20, tmp_path, seed).images for split in Split for seed in (0, 1)]
    assert len({each.tobytes() for each in images}) == 6
    assert (read_digits("drawn", Split.VAL, 20, tmp_path, 0).images == images[2]).all()


def test_the_last_training_images_validate_and_the_others_train(mnist):
    values = {split: read_mnist(split, mnist).images[:, 0, 0].tolist() for split in Split}
    assert values == {Split.TRAIN: [0, 1, 2, 3, 4, 5], Split.VAL: [6, 7, 8, 9], Split.TEST: [0, 1, 2]}
    assert read_mnist(Split.VAL, mnist).labels.tolist() == [6, 7, 8, 9]


def test_a_size_takes_the_first_images_and_none_takes_all(mnist):
    assert read_digits("mnist", Split.TRAIN, 2, mnist, 0).labels.tolist() == [0, 1]
    assert len(read_digits("mnist", Split.TRAIN, None, mnist, 0)) == 6
    with pytest.raises(ConfigError, match=r"^task\.val_size=5: MNIST has 4 digits to validate on$"):
        read_digits("mnist", Split.VAL, 5, mnist, 0)


def test_missing_files_are_named_with_the_folder_to_put_them_in(mnist):
    (mnist / "mnist" / "t10k-labels-idx1-ubyte.gz").unlink()
    path = mnist / "mnist" / "t10k-labels-idx1-ubyte.gz"
    with pytest.raises(DataError, match=rf"^no such file: {re.escape(str(path))} \(from https://"):
        read_mnist(Split.TEST, mnist)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((3, 28, 28)), np.arange(2), "3 images, and t10k-labels-idx1-ubyte.gz has 2 labels"),
        (np.zeros((3, 28, 27)), np.arange(3), "images of 28 x 27, not 28 x 28"),
        (np.zeros((3, 28, 28)), np.array([1, 10, 2]), "label 10, beyond 9"),
        (np.zeros((0, 28, 28)), np.arange(0), "holds no image"),
    ],
)
def test_what_is_not_mnist_is_refused(mnist, stand_in, images, labels, message):
    write(mnist / "mnist", "t10k", images, labels)
    stand_in("mnist", mnist)
    with pytest.raises(DataError, match=rf"ubyte\.gz: {re.escape(message)}$"):
        read_mnist(Split.TEST, mnist)


def test_too_few_images_to_hold_some_out_are_refused(mnist, stand_in):
    write(mnist / "mnist", "train", np.zeros((4, 28, 28)), np.arange(4))
    stand_in("mnist", mnist)
    with pytest.raises(DataError, match=r"4 images are too few to hold 4 out to validate on$"):
        read_mnist(Split.TRAIN, mnist)


@pytest.mark.real
def test_the_real_images_are_those_of_the_literature(data_dir):
    digits = {split: read_mnist(split, data_dir) for split in Split}
    assert [len(digits[split]) for split in Split] == [55_000, 5_000, 10_000]
    counts = sum(np.bincount(digits[split].labels) for split in (Split.TRAIN, Split.VAL))
    assert counts.tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert digits[Split.TEST].images.mean() == pytest.approx(33.791, abs=1e-3)
