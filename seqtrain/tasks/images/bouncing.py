"""Films of digits that bounce off the edges of their frame."""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from seqtrain.batch import Batch, Examples
from seqtrain.seeding import uniform
from seqtrain.tasks.images.digits import SIDE
from seqtrain.tasks.images.patches import fold


class Bouncing(Examples):
    """Films made as they are asked for, each from (seed, epoch, index) alone.

    Every digit starts anywhere in any direction, moves by the same distance from frame to frame and is reflected
    at the edges; where digits meet, the brighter pixel is seen (Srivastava 2015, arXiv 1502.04681, section 4.2).

    Attributes:
        images: Of the digits to choose from.
        size: Rows and columns of a frame, at least a digit's.
        speed: Pixels per frame.
    """

    def __init__(
        self,
        images: UInt8[np.ndarray, "N 28 28"],
        films: int,
        seed: int,
        *,
        frames_in: int,
        frames_out: int,
        digits_per_frame: int,
        size: int,
        speed: float,
        patch: int,
    ) -> None:
        self.images = images
        self.size = size
        self.speed = speed
        self._films = films
        self._seed = seed
        self._frames_in = frames_in
        self._frames = frames_in + frames_out
        self._digits = digits_per_frame
        self._patch = patch

    def __len__(self) -> int:
        return self._films

    def batch(self, indices: NDArray[np.int64], epoch: int) -> Batch:
        """The films of these indices, as bytes, folded into patches."""
        films = fold(torch.from_numpy(self.films(indices, epoch)).unsqueeze(2), self._patch)
        lengths = torch.full((len(indices),), self._frames_in)
        return Batch(films[:, : self._frames_in], lengths, films[:, self._frames_in :], torch.from_numpy(indices))

    def films(self, indices: NDArray[np.int64], epoch: int) -> UInt8[np.ndarray, "B T Y X"]:
        """Whole films: the frames that are seen, and those to be predicted."""
        drawn = uniform(self._seed, epoch, indices, 4 * self._digits).reshape(len(indices), self._digits, 4)
        which = (drawn[..., 0] * len(self.images)).astype(np.int64)
        corners = self._paths(drawn[..., 1:3], drawn[..., 3])
        frames = np.zeros((len(indices), self._frames, self.size, self.size), np.uint8)
        places = sliding_window_view(frames, (SIDE, SIDE), axis=(2, 3), writeable=True)
        films, times = np.ix_(range(len(indices)), range(self._frames))
        for digit in range(self._digits):
            rows, columns = corners[:, :, digit, 0], corners[:, :, digit, 1]
            there = places[films, times, rows, columns]  # (B, T, 28, 28)
            places[films, times, rows, columns] = np.maximum(there, self.images[which[:, digit], None])
        return frames

    def _paths(self, starts: Float[np.ndarray, "B N 2"], turns: Float[np.ndarray, "B N"]) -> NDArray[np.int64]:
        """The upper left corner of each digit in each frame, (B, T, N, 2)."""
        room = self.size - SIDE
        steps = self.speed * np.stack([np.sin(2 * np.pi * turns), np.cos(2 * np.pi * turns)], -1)
        straight = starts[:, None] * room + np.arange(self._frames)[:, None, None] * steps[:, None]
        # A reflected path is a straight one, folded.
        folded = room - np.abs(straight % max(2 * room, 1) - room)
        corners: NDArray[np.int64] = np.rint(folded).astype(np.int64)
        return corners
