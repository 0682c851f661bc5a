"""How values are spread, in few numbers: made where the values are, shown anywhere."""

from dataclasses import dataclass

import torch
from torch import Tensor

BINS = 64


@dataclass(frozen=True)
class Histogram:
    """Counts of values in bins of the same width.

    Attributes:
        least: The smallest value, where the first bin begins.
        most: The largest, where the last one ends.
        counts: Of each bin.
        total: The sum of the values.
        squares: The sum of their squares.
    """

    least: float
    most: float
    counts: list[float]
    total: float
    squares: float

    def limits(self) -> list[float]:
        """Where each bin ends."""
        width = (self.most - self.least) / len(self.counts)
        return [self.least + width * (place + 1) for place in range(len(self.counts) - 1)] + [self.most]


def histogram(values: Tensor) -> Histogram | None:
    """How the finite ones of some values are spread; None if there are none."""
    values = values.detach().float().flatten()
    values = values[values.isfinite()]
    if not len(values):
        return None
    least, most = torch.aminmax(values)
    summed = torch.stack([least, most, values.sum(), values.square().sum()]).tolist()
    counts = torch.histc(values, BINS) if summed[0] < summed[1] else values.new_tensor([len(values)])
    return Histogram(summed[0], summed[1], counts.tolist(), summed[2], summed[3])
