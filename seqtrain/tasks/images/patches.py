"""Squares of pixels as channels: fewer places, on which convolutions are cheap, with nothing lost."""

from jaxtyping import Shaped
from torch import Tensor


def fold(frames: Shaped[Tensor, "B T C Y X"], patch: int) -> Shaped[Tensor, "B T D V W"]:
    """Makes channels of every patch x patch square: D is C patch^2, V and W are Y and X over patch.

    In the order of torch's pixel_unshuffle, which takes ten times as long on bytes.
    """
    *lead, c, y, x = frames.shape
    squares = frames.reshape(*lead, c, y // patch, patch, x // patch, patch)
    return squares.permute(0, 1, 2, 4, 6, 3, 5).reshape(*lead, c * patch**2, y // patch, x // patch)


def unfold(maps: Shaped[Tensor, "B T D V W"], patch: int) -> Shaped[Tensor, "B T C Y X"]:
    """The inverse of `fold`."""
    *lead, d, v, w = maps.shape
    squares = maps.reshape(*lead, d // patch**2, patch, patch, v, w)
    return squares.permute(0, 1, 2, 5, 3, 6, 4).reshape(*lead, d // patch**2, v * patch, w * patch)
