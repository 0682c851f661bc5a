"""Averaged weights, often better and always steadier than the last ones. Imports nothing of ours."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class AveragedWeights:
    """The exponential moving average of a model's weights over its steps.

    After step t (counted from 1) the average moves by 1 - min(decay, (1 + t) / (10 + t)) towards the weights, so that
    an early average is not held back by where the weights began. Polyak & Juditsky 1992; the warm-up is
    TensorFlow's.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], decay: float) -> None:
        """Begins with the weights as they are.

        Args:
            parameters: Of the model, in its own order.
            decay: How much of the average stays at each step, in [0, 1).
        """
        self.parameters = list(parameters)
        self.averages = [p.detach().clone() for p in self.parameters]
        self.decay = decay

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Moves the average after optimizer step `step`, counted from 1."""
        weight = 1 - min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self.averages, [p.detach() for p in self.parameters], weight)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Lends the model its averaged weights while the block runs."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def load(self, averages: list[Tensor]) -> None:
        """Goes back to averages of before."""
        for mine, theirs in zip(self.averages, averages, strict=True):
            mine.copy_(theirs)

    def _swap(self) -> None:
        for parameter, average in zip(self.parameters, self.averages, strict=True):
            parameter.data, average.data = average.data, parameter.data
