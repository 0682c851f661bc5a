"""What is worth seeing of a trained model, whatever its task: the task's own pictures, and what all models share."""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import nn

from seqtrain.batch import Batch
from seqtrain.logs.gradient_flow import flow_picture
from seqtrain.model import Model
from seqtrain.picture import Picture, Vectors
from seqtrain.spec import Values
from seqtrain.tasks.task import Sample, Split, Task

MOST_VECTORS = 5000
"""Symbols whose vectors are shown, the most frequent ones: as many as a browser turns around without a hitch."""

_SIGNS = {" ": "␣", "\n": "⏎", "\t": "⇥"}


def gallery(model: Model, task: Task, samples: Iterable[Sample], device: torch.device, most: int) -> Iterator[Picture]:
    """All that is drawn of a model on the validation split; each picture is made when it is asked for.

    Args:
        model: With the weights to show.
        task: Prepared.
        samples: The split, answered as it is asked for.
        device: Where the model is.
        most: The most sequences that it reads at once.
    """
    yield from task.pictures(samples)
    for picture in (flow_picture(model, task, device, most), vectors(model, task)):
        if picture is not None:
            yield picture


def graph_batch(task: Task, device: torch.device) -> Batch:
    """Two sequences for the graph of a model to be drawn from."""
    examples = task.examples(Split.VAL)
    return examples.batch(np.arange(min(2, len(examples))), 0).to(device)


def pictures_due(validations: int, every: int | None) -> bool:
    """Whether pictures are drawn after this validation, counted from 1.

    Args:
        validations: How many there have been, this one included.
        every: After so many each time; None after the 1st, 2nd, 4th, 8th and so on: a run of any length
            has some from its beginning, and spends next to no time on them.
    """
    if every is None:
        return validations.bit_count() == 1
    return validations % every == 0


def vectors(model: Model, task: Task) -> Picture | None:
    """The vectors of the symbols that a model reads, with their names; None where it reads none, or has no table."""
    element = task.spec.input
    if isinstance(element, Values):
        return None
    tables = [each for each in model.modules() if isinstance(each, nn.Embedding)]
    table = next((each for each in tables if each.num_embeddings == element.size), None)
    names = task.input_names(np.arange(min(element.size, MOST_VECTORS)))
    if table is None or not names:
        return None
    points = table.weight.detach()[: len(names)].float().cpu().numpy()
    return Picture("embeddings", Vectors(points, [_visible(name) for name in names]))


def _visible(name: str) -> str:
    """The name with signs for blanks, and numbers for what can't be printed."""
    signs = (_SIGNS.get(c, c if c.isprintable() else f"U+{ord(c):04X}") for c in name)
    return "".join(signs) or "nothing"
