"""Reading one step at a time, so that the memory can be seen after each."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seqtrain.model import State
from seqtrain.models.core import Core
from seqtrain.models.padded import RealSteps


def read_by_step(
    core: Core, x: Float[Tensor, "B T *F"], lengths: Int[Tensor, " B"]
) -> tuple[Float[Tensor, "B T *D"], list[State]]:
    """Reads as `core(x, lengths)` does, by its own state from each step to the next.

    Args:
        core: What reads; it has no `by_step_refusal`.
        x: Features.
        lengths: Real steps per sequence, in 1..T, on the CPU.

    Returns:
        outputs: As the core's; each is made of the state that stands beside it.
        states: After each step; of a sequence that has ended, as it was then.
    """
    real, ones = RealSteps(lengths, x.shape[1], x.device), torch.ones_like(lengths)
    padding = real.padding.t()  # (T, B)
    outputs: list[Tensor] = []
    states: list[State] = []
    for t in range(x.shape[1]):
        y, state = core(x[:, t : t + 1], ones, states[-1] if states else None)
        if real.ragged and t > 0:
            pairs = zip(states[-1], state, strict=True)
            state = tuple(torch.where(_across(padding[t], new), old, new) for old, new in pairs)
        states.append(state)
        outputs.append(core.last(y, ones, state))
    return real.zero_padding(torch.stack(outputs, 1)), states


def _across(padding: Tensor, like: Tensor) -> Tensor:
    """Padding (B,) as it is laid over a part of a state, (L, B, ...)."""
    return padding.view(1, -1, *[1] * (like.dim() - 2))
