"""Reading padded sequences within their lengths, so that padding never reaches a result or a gradient."""

from functools import cached_property

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from seqtrain.batch import length_mask
from seqtrain.errors import LengthError
from seqtrain.models.tracing import exporting


class RealSteps:
    """Which steps of a padded batch are real, and the ways to read only those.

    Attributes:
        ragged: Whether any sequence is shorter than the batch; if not, nothing has to be hidden. Whatever will be
            read by an exported program may be.
        lengths: Real steps per sequence, (B,), beside the data.
        padding: True at and past each sequence's length, (B, T), beside the data.
    """

    def __init__(self, lengths: Int[Tensor, " B"], steps: int, device: torch.device) -> None:
        """Measures a batch.

        Args:
            lengths: Real steps per sequence, on the CPU: on a GPU, the check would wait for the device.
            steps: T, the steps that the batch is padded to.
            device: Where the sequences to be read are.

        Raises:
            LengthError: If a length is below 1 or above T.
        """
        self.ragged = not (isinstance(steps, int) and steps == 1) if exporting() else _shortest(lengths, steps) < steps
        self.lengths = lengths.to(device)
        padding = ~length_mask(lengths, steps)
        self.padding = padding.to(device)
        if not exporting():
            # Found on the CPU: on a GPU, counting them would wait for the device.
            self._padding_rows = padding.flatten().nonzero().squeeze(1).to(device)

    def zero_padding(self, x: Shaped[Tensor, "B T *F"]) -> Shaped[Tensor, "B T *F"]:
        """The same sequences with zeros for padding, whatever stood there, NaN included."""
        return self._fill_padding(x, 0) if self.ragged else x

    def reverse(self, x: Shaped[Tensor, "B T *F"]) -> Shaped[Tensor, "B T *F"]:
        """Each sequence backwards within its own length; padding stays where it is. Its own inverse."""
        if not self.ragged:
            return x.flip(1)
        # Whole rows by index again: a third of the time of a gather over (B, T, F).
        return x.flatten(0, 1).index_select(0, self._reversed_rows).view(x.shape)

    def last(self, x: Shaped[Tensor, "B T *F"]) -> Shaped[Tensor, "B *F"]:
        """Each sequence's last real step."""
        if not self.ragged:
            return x[:, -1]
        return x.flatten(0, 1).index_select(0, self._first_rows + self.lengths - 1)

    def mean(self, x: Float[Tensor, "B T *F"]) -> Float[Tensor, "B *F"]:
        """The mean over each sequence's real steps."""
        total = self.zero_padding(x).sum(1)
        return total / self.lengths.view(-1, *[1] * (x.dim() - 2)).to(x.dtype)

    def max(self, x: Float[Tensor, "B T *F"]) -> Float[Tensor, "B *F"]:
        """The maximum over each sequence's real steps, feature by feature."""
        return (self._fill_padding(x, -torch.inf) if self.ragged else x).amax(1)

    def _fill_padding(self, x: Shaped[Tensor, "B T *F"], value: float) -> Shaped[Tensor, "B T *F"]:
        if exporting():
            return x.masked_fill(self.padding.view(*self.padding.shape, *[1] * (x.dim() - 2)), value)
        # Whole rows by index: forward and backward, half the time of a masked fill, which goes by element.
        return x.flatten(0, 1).index_fill(0, self._padding_rows, value).view(x.shape)

    @cached_property
    def _first_rows(self) -> Int[Tensor, " B"]:
        """Where each sequence starts when the batch's steps are laid out in one row, (B * T, ...)."""
        batch, steps = self.padding.shape
        return torch.arange(batch, device=self.padding.device) * steps

    @cached_property
    def _reversed_rows(self) -> Int[Tensor, " N"]:
        """For each step of the batch laid out in one row, the step that stands there after a reversal."""
        positions = torch.arange(self.padding.shape[1], device=self.padding.device)
        backwards = self.lengths.unsqueeze(1) - 1 - positions
        within = torch.where(self.padding, positions, backwards)  # (B, T)
        return (within + self._first_rows.unsqueeze(1)).flatten()


def _shortest(lengths: Int[Tensor, " B"], steps: int) -> int:
    """The least of the lengths.

    Raises:
        LengthError: If one is below 1 or above T.
    """
    shortest, longest = (int(extreme) for extreme in torch.aminmax(lengths))
    for length in (shortest, longest):
        if not 1 <= length <= steps:
            raise LengthError(f"a sequence of length {length} in a batch of {steps} steps: must be in 1..{steps}")
    return shortest
