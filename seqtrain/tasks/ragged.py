"""Sequences of many lengths in one flat array."""

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray

from seqtrain.batch import PAD


class Ragged:
    """Sequences of ids, one after the other in memory, of which any selection is padded without a loop.

    Attributes:
        lengths: Ids per sequence.
        flat: All ids, sequence by sequence.
    """

    def __init__(self, sequences: Iterable[Sequence[int] | NDArray[np.int64]]) -> None:
        arrays = [np.asarray(sequence, np.int64) for sequence in sequences]
        self.lengths = np.array([len(array) for array in arrays], np.int64)
        self._starts = np.cumsum(self.lengths) - self.lengths
        # 32 bits hold any id, and a corpus takes half the memory.
        self.flat = np.concatenate([np.empty(0, np.int64), *arrays]).astype(np.int32)

    def __len__(self) -> int:
        return len(self.lengths)

    def padded(self, indices: Int[np.ndarray, " B"]) -> Int[np.ndarray, "B T"]:
        """The sequences of these indices, filled up with PAD to the longest of them."""
        lengths = self.lengths[indices]
        positions = np.arange(lengths.max(initial=0))
        real = positions < lengths[:, None]  # (B, T)
        ids = np.full(real.shape, PAD, np.int64)
        ids[real] = self.flat[(self._starts[indices][:, None] + positions)[real]]
        return ids
