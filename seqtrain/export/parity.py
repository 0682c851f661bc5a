"""Whether an exported program computes what its model does, on batches of many shapes."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from seqtrain.batch import length_mask
from seqtrain.errors import UserError
from seqtrain.export.graphs import Graph

TOLERANCE = 1e-5
"""The largest difference allowed, in units of the largest output, or of 1 if that is smaller."""

SHAPES = ((1, 1), (1, 7), (2, 1), (3, 5), (8, 23))
"""Sequences and steps of the batches that are compared; most of the sequences are shorter."""

Program = Callable[[tuple[Tensor, ...]], tuple[Tensor, ...]]


class ExportError(UserError):
    """A model that can't be exported as asked, or whose export isn't true to it."""


@torch.no_grad()
def largest_difference(graph: Graph, program: Program) -> float:
    """How far a program strays from its graph, relative to the largest output; padded steps don't count.

    Random batches are drawn: what stands on padding is noise, which neither of them may read.

    Raises:
        ExportError: If a shape differs.
    """
    largest = 0.0
    for seed, (batch, steps) in enumerate(SHAPES):
        sizes = {"batch": batch, "steps": steps, "letters": 1 + seed, "written": steps}
        inputs = graph.draw(sizes, seed)
        for port, wanted, found in zip(graph.outputs, graph(*inputs), program(inputs), strict=True):
            if wanted.shape != found.shape:
                raise ExportError(f"{port.name} is {tuple(found.shape)} where the model's is {tuple(wanted.shape)}")
            if port.shape[:2] == ("batch", "steps"):
                real = length_mask(_lengths(graph, inputs), steps)
                wanted, found = wanted[real], found[real]
            if wanted.numel() == 0:
                continue
            scale = max(1.0, float(wanted.abs().max()))
            difference = float((wanted - found).abs().max()) / scale
            largest = max(largest, math.inf if math.isnan(difference) else difference)
    return largest


def _lengths(graph: Graph, inputs: tuple[Tensor, ...]) -> Tensor:
    return next(tensor for port, tensor in zip(graph.inputs, inputs, strict=True) if port.name == "lengths")
