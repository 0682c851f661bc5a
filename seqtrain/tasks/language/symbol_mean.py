"""A mean over symbols as a metric. Loads torchmetrics, so it is imported where it is used."""

from typing import final

import torch
from jaxtyping import Shaped
from torch import Tensor
from torchmetrics import Metric


@final
class SymbolMean(Metric):
    """What sums over batches come to per symbol, exact over batches of any size and over processes.

    It never looks at what it adds, so no device has to wait. (torchmetrics' own MeanMetric forgets the weights when it
    is told not to look for NaN: seen in 1.9.0.)

    Args:
        exponential: Whether the mean's exponential is told: perplexity, where nats are added.
    """

    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self, *, exponential: bool = False) -> None:
        super().__init__()
        self.exponential = exponential
        self.add_state("total", torch.zeros(()), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, total: Shaped[Tensor, ""], count: int) -> None:
        """Adds a batch's sum, and the number of symbols that it is over."""
        self.total += total
        self.count += count

    def compute(self) -> Tensor:
        """The mean, or its exponential."""
        mean = self.total / self.count
        return torch.exp(mean) if self.exponential else mean
