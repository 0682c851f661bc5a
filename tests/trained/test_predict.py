"""What a trained model makes of new input: the same as of the data it was trained with, in the input's order."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import seqtrain
from seqtrain.runs.trained import Trained
from seqtrain.spec import Align
from seqtrain.tasks import Split
from seqtrain.tasks.given import Given


@pytest.fixture(
    params=[
        "sentiment",
        "ner",
        "crf",
        "translation",
        "sine",
        "series",
        "speech",
        "moving_mnist",
        "sequential_mnist",
        "adding",
        "copy_memory",
    ]
)
def trained(request, run_of) -> Trained:
    trained = seqtrain.load(run_of(request.param))
    trained.task.prepare(trained.config.data_dir, trained.config.seed)
    return trained


def validation_inputs(task: Any) -> list[Any]:
    """The validation split as a user would have it: before it became ids or features."""
    examples = task.examples(Split.VAL)
    everything = np.arange(len(examples))
    match type(task).__name__:
        case "Sentiment":
            return list(task.source().read(Split.VAL, Path(), 0).texts)
        case "NER":
            return [list(words) for words in examples.texts]
        case "Translation":
            return list(examples.pairs.sources)
        case "Sine":
            return [window[: task.lookback, 0] for window in np.asarray(examples.window(everything))]
        case "OwnSeries":
            values, starts = task._series.values, examples.first_row(everything)
            return [values[start : start + task.lookback] for start in starts[:: 1 + (len(task.scaler.told) > 9)]]
        case "Speech":
            sounds = task.source().read(Split.VAL, Path(), 0, 8000)
            return np.split(sounds.samples, np.cumsum(sounds.lengths)[:-1])
        case "MovingMNIST":
            return list(examples.films(everything, 0)[:, : task.frames_in])
        case "SequentialMNIST":
            return list(examples.images)
        case "Adding" | "CopyMemory":
            return examples.batch(everything, 0).inputs.tolist()
    raise AssertionError(type(task))


def by_index(samples: Any, part: Callable[[Any], torch.Tensor]) -> list[torch.Tensor]:
    found = {}
    for sample in samples:
        found |= zip(sample.batch.indices.tolist(), part(sample), strict=True)
    return [found[index] for index in range(len(found))]


def test_new_input_is_answered_as_the_validation_split_is(trained):
    task, evaluator = trained.task, trained.evaluator()
    if task.spec.align is Align.FREE:

        def part(sample):
            return [row[row != 0] for row in sample.generated]
    elif task.spec.align is Align.EACH:

        def part(sample):
            return [row[:n] for row, n in zip(sample.outputs, sample.batch.lengths, strict=True)]
    else:

        def part(sample):
            return sample.outputs

    given = [Given(value, "here") for value in validation_inputs(task)]
    if getattr(task, "calendar", False):  # an array has no dates
        pytest.skip("tested with files")
    wanted = by_index(evaluator.samples(task.examples(Split.VAL)), part)
    found = by_index(evaluator.new_samples(task.new_examples(given)), part)
    assert len(found) == len(wanted)
    for mine, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)
