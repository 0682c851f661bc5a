"""Batches of padded sequences, the masks that go with them, and the splits they are drawn from.

Shapes throughout the package: B batch, T input steps, U output steps, F input features, D hidden
size, L layers, V symbols, C Y X channels, rows, columns.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Int, Shaped
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

PAD, UNK, BOS, EOS = range(4)
"""Ids of padding, unknown, beginning and end in every vocabulary."""


@dataclass
class Batch:
    """Some examples, padded to the longest of them.

    Attributes:
        inputs: Ids or values; what stands at or past a sequence's length is never read.
        lengths: Real input steps per sequence, in 1..T, always on the CPU.
        targets: What the model should say, laid out as the task's alignment asks:
            (B, ...) whole, (B, T, ...) each, (B, U, ...) ahead or free. Free ones end with EOS.
        indices: Which examples of the split these are, on the CPU, to name them in a message.
        target_lengths: Real steps of the targets, in 1..U, on the CPU, where they have a length of their own; what
            stands past it is never scored. None where the alignment tells it.
    """

    inputs: Shaped[Tensor, "B T ..."]
    lengths: Int[Tensor, " B"]
    targets: Shaped[Tensor, "B ..."]
    indices: Int[Tensor, " B"]
    target_lengths: Int[Tensor, " B"] | None = None

    def __len__(self) -> int:
        return len(self.lengths)

    def to(self, device: torch.device) -> "Batch":
        """Moves inputs and targets to a device; lengths and indices stay on the CPU."""
        return replace(
            self,
            inputs=self.inputs.to(device, non_blocking=True),
            targets=self.targets.to(device, non_blocking=True),
        )

    def pin_memory(self) -> "Batch":
        """Copies inputs and targets to page-locked memory; the data loader calls this on CUDA."""
        return replace(self, inputs=self.inputs.pin_memory(), targets=self.targets.pin_memory())


def length_mask(lengths: Int[Tensor, " B"], steps: int, device: torch.device | None = None) -> Bool[Tensor, "B T"]:
    """True where a step is real, False where it is padding."""
    positions = torch.arange(steps, device=device)
    return positions < lengths.to(positions.device).unsqueeze(1)  # (B, T)


class Draw(NamedTuple):
    """What a data loader asks of a split: these examples, as they look in this epoch."""

    indices: NDArray[np.int64]
    epoch: int


class Examples(ABC, Dataset[Batch]):
    """One split of a task's data, read by whole batches.

    What an example looks like depends on the split, its index and the epoch only, never on the order
    in which examples are drawn: that is what makes any position of a run resumable.
    """

    lengths: NDArray[np.int64] | None = None
    """Steps per example, by which batches are bucketed: (N,) of the inputs, or (N, 2) of inputs and targets that have
    a length of their own. None if all are equally long."""
    successive: bool = False
    """Whether each example goes on where the one before it ended. An epoch then reads them as streams, side by side
    in a batch, so that each batch goes on where the one before it ended."""
    max_streams: int | None = None
    """The most streams that evaluation reads successive examples in, each begun without a memory; None is a batch."""

    @abstractmethod
    def __len__(self) -> int:
        """How many examples one epoch holds."""

    @abstractmethod
    def batch(self, indices: NDArray[np.int64], epoch: int) -> Batch:
        """The examples of these indices as one batch, padded to the longest among them."""

    def __getitem__(self, draw: Draw) -> Batch:
        return self.batch(draw.indices, draw.epoch)
