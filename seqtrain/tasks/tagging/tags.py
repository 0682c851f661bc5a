"""Tags that mark entities in a sentence: the schemes in which files write them, and the one that we do.

Ours is IOB2, also called BIO: B-person begins a person, I-person goes on with it, O is no entity.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Bool, Int
from torch import Tensor

OUTSIDE = "O"

Scheme = Literal["auto", "iob1", "bio", "iobes"]
"""How a file writes its tags. "iob1": I- begins an entity as well, B- only one that touches its like before it. "bio":
B- begins every entity. "iobes": E- ends an entity, S- is one of a single word. "auto": "iobes" where there is an E- or
S- in the file, else "iob1", which reads "bio" alike."""

_PREFIXES: dict[str, str] = {"iob1": "BI", "bio": "BI", "iobes": "BIES"}


class SchemeError(ValueError):
    """A tag that its scheme doesn't allow there.

    Attributes:
        position: Which tag of the sentence.
    """

    def __init__(self, position: int, why: str) -> None:
        super().__init__(why)
        self.position = position


def scheme_of(tags: Sequence[str]) -> Scheme:
    """What "auto" stands for, by all tags of a file."""
    return "iobes" if any(tag.startswith(("E-", "S-")) for tag in tags) else "iob1"


def to_bio(tags: Sequence[str], scheme: Scheme) -> list[str]:
    """The tags of a sentence, written in a scheme that is not "auto", in IOB2.

    Raises:
        SchemeError: If a tag is none of the scheme, or can't stand where it does.
    """
    converted: list[str] = []
    running, must_go_on = "", False  # the type of the entity before, and whether it has still to end
    for position, tag in enumerate(tags):
        prefix, kind = _parted(tag, scheme, position)
        goes_on = prefix in ("I", "E") and kind == running
        if must_go_on and not goes_on:
            raise SchemeError(position, f"tag {tag!r} where I-{running} or E-{running} should follow, in IOBES")
        if prefix in ("I", "E") and not goes_on and scheme != "iob1":
            remedy = "; task.scheme=iob1 begins an entity there" if scheme == "bio" else ""
            raise SchemeError(position, f"tag {tag!r} goes on with no entity before it{remedy}")
        converted.append(OUTSIDE if prefix == OUTSIDE else f"{'I' if goes_on else 'B'}-{kind}")
        must_go_on = scheme == "iobes" and prefix in ("B", "I")
        running = "" if prefix in ("E", "S") else kind
    if must_go_on:
        raise SchemeError(len(tags) - 1, f"tag {tags[-1]!r} at a sentence's end, where E- or S- should, in IOBES")
    return converted


def _parted(tag: str, scheme: Scheme, position: int) -> tuple[str, str]:
    """Prefix and type; those of O are O and nothing."""
    prefix, dash, kind = tag.partition("-")
    if tag == OUTSIDE:
        return OUTSIDE, ""
    allowed = _PREFIXES[scheme]
    if not dash or not kind or len(prefix) != 1 or prefix not in allowed:
        names = " or ".join(f"{letter}-" for letter in allowed)
        raise SchemeError(position, f"tag {tag!r} is neither O nor {names} with a type")
    return prefix, kind


# ---------------------------------------------------------------- tags as numbers


def names(types: Sequence[str]) -> list[str]:
    """The tags in the order of their ids: O, then B- and I- of each type in turn."""
    return [OUTSIDE, *(f"{prefix}-{kind}" for kind in types for prefix in "BI")]


def type_of(ids: Int[Tensor, "*N"]) -> Int[Tensor, "*N"]:
    """The number of each tag's type; -1 for O."""
    return (ids - 1).div(2, rounding_mode="floor")


def begins(ids: Int[Tensor, "*N"]) -> Bool[Tensor, "*N"]:
    """Whether each tag is a B-."""
    return ids % 2 == 1


def goes_on(ids: Int[Tensor, "*N"]) -> Bool[Tensor, "*N"]:
    """Whether each tag is an I-."""
    return (ids > 0) & ~begins(ids)


def legal(types: int, device: torch.device | None = None) -> Bool[Tensor, "V V"]:
    """Whether tag j may follow tag i, at [i, j]: an I- only its own B- or I-. A sentence begins as after O."""
    ids = torch.arange(1 + 2 * types, device=device)
    kinds = type_of(ids)
    return ~goes_on(ids) | (kinds.unsqueeze(1) == kinds)
