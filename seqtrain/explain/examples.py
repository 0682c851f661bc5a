"""A few examples with a model's answers, whatever they are of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from seqtrain.batch import Batch, Examples
from seqtrain.device import autocast
from seqtrain.shown import Choices, Part, Raster, Shown, Words
from seqtrain.spec import Align, Symbols, Values
from seqtrain.tasks.task import Sample, Task

if TYPE_CHECKING:
    from seqtrain.runs.trained import Trained
    from seqtrain.tasks.given import Given

LONGEST = 60
"""Steps above which examples of the data are passed over where there are enough shorter ones."""
MOST_PREFIXES = 60
"""Beginnings of a sequence that are answered."""


@dataclass(frozen=True)
class Example:
    """One example.

    Attributes:
        title: Where it comes from.
        batch: It alone, on the CPU.
        shown: It and its answer, in parts.
        attention: What each attention looked at, (N, Q, T) each, without padding.
        reading: The answer to each beginning of it; None where answers aren't of whole sequences.
        known: Whether its targets are the truth.
    """

    title: str
    batch: Batch
    shown: Shown
    attention: tuple[Float[np.ndarray, "N Q T"], ...]
    reading: "Reading | None"
    known: bool


@dataclass(frozen=True)
class Reading:
    """What a model would answer had a sequence ended earlier.

    Attributes:
        lengths: After how many steps.
        answers: (N, V): probabilities of classes, or values.
    """

    lengths: Sequence[int]
    answers: Float[np.ndarray, "N V"]


def of_split(trained: "Trained", split: str, count: int) -> list[Example]:
    """Examples from all over a split; short ones where lengths differ.

    Raises:
        CheckpointError: If the data is another than in training.
        DataError: If it can't be read.
    """
    examples = trained.examples(split)
    evaluator, found = trained.evaluator(count), []
    for index in spread(examples, count):
        batch = examples.batch(np.array([index]), 0)
        (sample,) = evaluator.samples(examples, [batch])  # each by itself, also where examples go on
        found.append(_example(trained, sample, 0, f"{split} example {index}", None))
    return found


def of_given(trained: "Trained", given: "Sequence[Given]", batch_size: int | None) -> list[Example]:
    """Examples that a user gave.

    Raises:
        DataError: If one is none that the task reads.
    """
    examples = trained.task.new_examples(given)
    evaluator = trained.evaluator(batch_size or len(given))
    each = len(examples) // len(given)  # series are read channel by channel, where these are independent
    found: dict[int, Example] = {}
    for sample in evaluator.new_samples(examples, attention=True):
        for row, index in enumerate(sample.batch.indices.tolist()):
            asked = given[index // each]
            found[index] = _example(trained, sample, row, asked.place, asked)
    return [found[index] for index in sorted(found)]


def spread(examples: Examples, count: int) -> list[int]:
    """So many examples at even distances; where lengths differ, among the longer ones of those short enough to see."""
    chosen = np.arange(len(examples))
    if examples.lengths is not None:
        longest = examples.lengths if examples.lengths.ndim == 1 else examples.lengths.max(1)
        enough = np.sort(longest)[min(count, len(longest)) - 1]
        short = longest <= max(LONGEST, enough)
        longer = short & (longest >= np.median(longest[short]))
        chosen = chosen[longer if longer.sum() >= count else short]
    places = np.unique(np.linspace(0, len(chosen) - 1, count).round().astype(int))
    return [int(index) for index in chosen[places]]


def _example(trained: "Trained", sample: Sample, row: int, title: str, given: "Given | None") -> Example:
    shown, batch = trained.task.shown(sample, row, given), alone(sample.batch, row)
    steps = int(batch.lengths[0])
    attention = []
    for weights in sample.attention:
        asks = weights.shape[2]
        if batch.target_lengths is not None and asks == sample.batch.targets.shape[1]:
            asks = int(batch.target_lengths[0])
        elif asks == sample.batch.inputs.shape[1]:
            asks = steps
        attention.append(weights[row, :, :asks, :steps].numpy())
    if not shown.parts:
        shown = plainly(trained.task, sample.outputs[row], batch, known=given is None)
    return Example(title, batch, shown, tuple(attention), reading(trained, batch), given is None)


def plainly(task: Task, outputs: Tensor, batch: Batch, *, known: bool) -> Shown:
    """An example of a task that doesn't say how it looks: symbols by their names or ids, values as they are.

    Args:
        task: Whose.
        outputs: For this sequence.
        batch: It alone.
        known: Whether its targets are the truth.
    """
    spec, inputs, parts = task.spec, batch.inputs[0], list[Part]()
    steps: list[str] = []
    if isinstance(spec.input, Values):
        parts.append(Raster("values", inputs.float().flatten(1).T.numpy(), "steps", "feature"))
    else:
        ids = (inputs[:, 0] if inputs.dim() > 1 else inputs).numpy()
        steps = task.input_names(ids) or [str(each) for each in ids.tolist()]
        parts.append(Words("read", steps))
    if isinstance(spec.output, Symbols) and spec.align is Align.WHOLE:
        chances = {str(place): chance for place, chance in enumerate(outputs.softmax(-1).tolist())}
        parts.append(Choices(chances, str(int(batch.targets[0])) if known else None))
    elif isinstance(spec.output, Symbols) and spec.align is Align.EACH and not spec.output.chained:
        said = outputs[: len(inputs)].argmax(-1).tolist()
        parts.append(Words("answer", [str(each) for each in said]))
    return Shown(parts, steps)


def alone(batch: Batch, row: int) -> Batch:
    """One sequence of a batch, without its padding."""
    length, one = int(batch.lengths[row]), slice(row, row + 1)
    targets, lengths = batch.targets[one], batch.target_lengths
    if lengths is not None:
        targets, lengths = targets[:, : int(lengths[row])], lengths[one]
    return Batch(batch.inputs[one, :length], batch.lengths[one], targets, batch.indices[one], lengths)


def reading(trained: "Trained", batch: Batch) -> Reading | None:
    """The answers to the beginnings of a sequence, where answers are of whole sequences and it has two steps."""
    steps = int(batch.lengths[0])
    if trained.task.spec.align is not Align.WHOLE or steps < 2:
        return None
    lengths = np.unique(np.linspace(1, steps, min(steps, MOST_PREFIXES)).round().astype(np.int64))
    many = Batch(
        batch.inputs.expand(len(lengths), *batch.inputs.shape[1:]),
        torch.from_numpy(lengths),
        batch.targets.expand(len(lengths), *batch.targets.shape[1:]),
        batch.indices.expand(len(lengths)),
    )
    evaluator = trained.evaluator()
    with torch.inference_mode(), autocast(trained.device, evaluator.precision):
        outputs, _ = trained.model(many.to(trained.device))
    answers = outputs.float().cpu()
    answers = answers.softmax(-1) if isinstance(trained.task.spec.output, Symbols) else answers.flatten(1)
    return Reading(lengths.tolist(), answers.numpy())
