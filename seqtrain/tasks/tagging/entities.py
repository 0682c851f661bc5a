"""Entities as spans of tags, found without a loop.

An entity is B- and every I- of its type that follows at once; an I- without one is no part of any. That is what
seqeval's strict IOB2 mode says.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from seqtrain.tasks.tagging import tags


class Spans(NamedTuple):
    """The entities of some sentences, told at the step where each begins.

    Attributes:
        begins: Whether an entity begins at a step.
        ends: The step past its last.
        types: The number of its type.
    """

    begins: Bool[Tensor, "B T"]
    ends: Int[Tensor, "B T"]
    types: Int[Tensor, "B T"]


def spans(ids: Int[Tensor, "B T"], real: Bool[Tensor, "B T"]) -> Spans:
    """The entities that tags mark within the real steps."""
    steps = ids.shape[1]
    ids = ids.where(real, 0)
    types = tags.type_of(ids)
    goes_on = tags.goes_on(ids)
    goes_on[:, 1:] &= types[:, 1:] == types[:, :-1]
    # The nearest later step that doesn't go on, by a minimum from the end.
    breaks = torch.arange(steps, device=ids.device).expand_as(ids).masked_fill(goes_on, steps)
    later = torch.cat([breaks[:, 1:], torch.full_like(breaks[:, :1], steps)], 1)
    return Spans(tags.begins(ids), later.flip(1).cummin(1).values.flip(1), types)
