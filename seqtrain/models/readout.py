"""Readouts: what turns features into the elements that a task asks for."""

import math

from jaxtyping import Float
from torch import Tensor, nn

from seqtrain.spec import Align, Symbols, TaskSpec


class Readout(nn.Module):
    """Turns each feature vector into one output, or into all future outputs at once."""

    def __init__(self, features: int, task: TaskSpec) -> None:
        super().__init__()
        element = (task.output.size,) if isinstance(task.output, Symbols) else task.output.shape
        self.shape = (task.horizon, *element) if task.align is Align.AHEAD else element
        self.linear = nn.Linear(features, math.prod(self.shape))

    def forward(self, features: Float[Tensor, "*N D"]) -> Float[Tensor, "..."]:
        """Logits (*N, V) for symbols, (*N, *shape) for values; AHEAD has U in front of V or the shape.

        On padded steps it returns its bias, which means nothing.
        """
        outputs: Tensor = self.linear(features)
        return outputs.view(*features.shape[:-1], *self.shape)

    def describe(self) -> str:
        """The readout as built: "Linear 256 -> 2", or "Linear 256 -> 96 x 7"."""
        return f"Linear {self.linear.in_features:,} -> " + " x ".join(f"{size:,}" for size in self.shape)
