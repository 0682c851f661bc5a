from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from seqtrain.batch import Batch
from seqtrain.errors import ConfigError
from seqtrain.spec import Align, Symbols, TaskSpec, Values
from seqtrain.tasks import SequentialMNIST, Split
from seqtrain.tasks.task import Sample


def prepared(seed=0, **options):
    task = SequentialMNIST(**{"train_size": 40, "val_size": 30, "test_size": 20, **options})
    task.prepare(Path("nowhere"), seed)
    return task


def batch_of(task, split=Split.TRAIN):
    examples = task.examples(split)
    return examples.batch(np.arange(len(examples)), 0)


@pytest.mark.parametrize(("order", "features"), [("rows", 28), ("pixels", 1), ("permuted", 1)])
def test_the_spec_is_known_before_anything_is_made(order, features):
    task = SequentialMNIST(order=order)
    assert task.outline == task.spec == TaskSpec(Values((features,)), Symbols(10), Align.WHOLE)


def test_an_image_is_read_row_by_row_as_bytes():
    task = prepared()
    batch = task.examples(Split.TRAIN).batch(np.array([5, 2]), 0)
    assert batch.inputs.dtype == torch.uint8
    assert batch.lengths.tolist() == [28, 28]
    assert (batch.inputs.numpy() == task.examples(Split.TRAIN).images[[5, 2]]).all()
    assert batch.targets.tolist() == task.examples(Split.TRAIN).labels[[5, 2]].tolist()
    assert batch.indices.tolist() == [5, 2]


def test_an_image_is_read_pixel_by_pixel():
    task = prepared(order="pixels")
    batch = batch_of(task)
    assert batch.inputs.shape == (40, 784, 1)
    assert batch.lengths.unique().tolist() == [784]
    assert (batch.inputs.numpy().reshape(40, 28, 28) == task.examples(Split.TRAIN).images).all()


def test_one_permutation_mixes_the_pixels_of_every_run_and_split():
    plain, mixed = prepared(order="pixels"), prepared(order="permuted")
    other = prepared(seed=1, order="permuted")
    assert not torch.equal(batch_of(plain).inputs, batch_of(mixed).inputs)
    assert torch.equal(batch_of(plain).inputs.sort(1)[0], batch_of(mixed).inputs.sort(1)[0])
    marker = np.arange(784).reshape(1, 28, 28).astype(np.uint8)
    orders = []
    for task in (mixed, other):
        for split in Split:
            examples = task.examples(split)
            kind = type(examples)(marker, examples.labels[:1], "permuted")
            orders.append(kind.batch(np.array([0]), 0).inputs.flatten().tolist())
    assert all(order == orders[0] for order in orders)


def test_sizes_are_those_asked_for_and_follow_the_seed():
    assert [len(prepared().examples(split)) for split in Split] == [40, 30, 20]
    images = [prepared(seed).examples(split).images[0].tobytes() for seed in (0, 1) for split in Split]
    assert len(set(images)) == 6


def asked(labels):
    return Batch(torch.zeros(len(labels), 3, 1), torch.full((len(labels),), 3), torch.tensor(labels), torch.arange(2))


def test_loss_and_metrics_against_numbers_by_hand():
    task = prepared()
    batch = asked([3, 7])
    outputs = torch.zeros(2, 10)
    assert task.loss(outputs, batch) == pytest.approx(2 * np.log(10))
    assert task.loss(outputs.bfloat16(), batch).dtype == torch.float32
    assert task.count(batch) == 2
    metrics = task.metrics()
    task.score(metrics, F.one_hot(torch.tensor([3, 3]), 10).float(), batch)
    values = {name: float(value) for name, value in metrics.compute().items()}
    # Of 3: precision 1/2, recall 1, F1 2/3; of 7: 0.
    assert values == pytest.approx({"accuracy": 0.5, "f1": (2 / 3 + 0) / 2})
    assert task.metric in values


def test_the_baseline_is_the_most_frequent_digit_of_training():
    task = prepared()
    answer = task.examples(Split.TRAIN).labels.bincount().argmax()
    expected = (task.examples(Split.VAL).labels == answer).float().mean()
    assert task.baseline()["accuracy"] == pytest.approx(float(expected))


def test_pictures_show_what_is_taken_for_what_and_which_images():
    task = prepared()
    batch = batch_of(task, Split.VAL)
    answers = batch.targets.clone()
    right = Sample(batch, F.one_hot(answers, 10).float(), None, ())
    assert [picture.name for picture in task.pictures(iter([right]))] == ["confusion"]
    answers[4] = (answers[4] + 1) % 10
    wrong = Sample(batch, F.one_hot(answers, 10).float(), None, ())
    confusion, misread = task.pictures(iter([wrong]))
    [axes] = confusion.content.axes
    assert sum(int(text.get_text()) for text in axes.texts) == 30
    first = misread.content.axes[0]
    assert (first.images[0].get_array() == task.examples(Split.VAL).images[4]).all()
    assert first.get_title() == f"{batch.targets[4]} as {answers[4]}"


@pytest.mark.parametrize("name", ["train_size", "val_size", "test_size"])
def test_a_size_below_one_is_refused_by_name(name):
    with pytest.raises(ConfigError, match=rf"^task\.{name}=0: must be at least 1$"):
        SequentialMNIST(**{name: 0})


@pytest.mark.real
def test_mnist_is_read_whole_or_in_part(data_dir):
    task = SequentialMNIST(digits="mnist", train_size=100)
    task.prepare(data_dir, 0)
    assert [len(task.examples(split)) for split in Split] == [100, 5_000, 10_000]
    assert task.baseline()["accuracy"] < 0.13
