"""Perplexity as a metric. Loads torchmetrics, so it is imported where it is used."""

import torch
from torch import Tensor
from torchmetrics import MeanMetric


class Perplexity(MeanMetric):
    """The exponential of a mean of nats, exact over batches of any size."""

    def compute(self) -> Tensor:
        """Between 1 and infinity."""
        return torch.exp(super().compute())
