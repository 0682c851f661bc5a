"""The readout of outputs that depend on their neighbours."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seqtrain.models.work import multiply_adds
from seqtrain.spec import Align, Symbols, TaskSpec


class ChainReadout(nn.Module):
    """Scores each symbol at each step after each symbol of the step before: a linear-chain CRF's potentials.

    The score of j after i is what the step's features say of j, by an affine map, plus a learned score of the
    transition from i to j, the same at every step; at the first step, a learned score of starting with j (Lample 2016,
    section 2.2; no score of ending). What is done with the scores is the task's affair.
    """

    def __init__(self, features: tuple[int, ...], task: TaskSpec) -> None:
        super().__init__()
        assert isinstance(task.output, Symbols)
        assert task.align is Align.EACH, "only outputs at every step have neighbours"
        size = task.output.size
        self.features = features
        self.linear = nn.Linear(math.prod(features), size)
        self.transitions = nn.Parameter(torch.zeros(size, size))
        self.start = nn.Parameter(torch.zeros(size))

    def forward(self, features: Float[Tensor, "B T ..."]) -> Float[Tensor, "B T V V"]:
        """The score of symbol j after symbol i at [i, j]; on padded steps it means nothing."""
        emissions: Tensor = self.linear(features.flatten(2))
        before = self.transitions.expand(features.shape[1], -1, -1).clone()
        before[0] = self.start  # whatever i is, there is nothing before
        return emissions.unsqueeze(2) + before

    def multiply_adds(self) -> int:
        """Products of a weight and a feature for each step."""
        return multiply_adds(self.linear)

    def describe(self) -> str:
        """The readout as built: "Linear 256 -> 13, chained"."""
        return f"Linear {' x '.join(f'{size:,}' for size in self.features)} -> {len(self.start):,}, chained"
