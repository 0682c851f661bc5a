"""Running text as successive examples: each goes on where the one before it ended."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from seqtrain.batch import PAD, Batch, Examples
from seqtrain.seeding import uniform
from seqtrain.tasks.language.symbol_store import Ids
from seqtrain.tasks.ragged import Ragged


class TrainingChunks(Examples):
    """Chunks of equally many symbols, each answered by the symbol after it.

    The text is read as a ring, from a place that each epoch draws anew: so every epoch sees other borders between
    chunks, and leaves out other symbols of those that don't fill one.

    Args:
        ids: More than `steps` of them.
        steps: Symbols in a chunk.
        seed: With the epoch, what the place is drawn from.
        carried: Whether chunks are read one after another, with what is remembered of those before.
    """

    def __init__(self, ids: Ids, steps: int, seed: int, *, carried: bool) -> None:
        self.ids = ids
        self.successive = carried
        self._steps = steps
        self._seed = seed

    def __len__(self) -> int:
        return len(self.ids) // self._steps

    def batch(self, indices: NDArray[np.int64], epoch: int) -> Batch:
        """The chunks of these indices."""
        begin = int(len(self.ids) * uniform(self._seed, epoch, np.zeros(1, np.int64), 1)[0, 0])
        positions = begin + indices[:, None] * self._steps + np.arange(self._steps + 1)  # (B, T + 1)
        symbols = torch.from_numpy(self.ids[positions % len(self.ids)].astype(np.int64))
        lengths = torch.full((len(indices),), self._steps)
        return Batch(symbols[:, :-1], lengths, symbols[:, 1:], torch.from_numpy(indices))


class EvaluationChunks(Examples):
    """Chunks that ask for every symbol of a text but the first, exactly once; the last may be shorter.

    Args:
        ids: At least 2.
        steps: The most symbols in a chunk.
        streams: In how many streams they are read, with what is remembered of the chunks before; None reads each
            chunk by itself.
    """

    def __init__(self, ids: Ids, steps: int, streams: int | None) -> None:
        self.ids = ids
        self.successive = streams is not None
        self.max_streams = streams
        self._steps = steps

    def __len__(self) -> int:
        return -(-(len(self.ids) - 1) // self._steps)

    def batch(self, indices: NDArray[np.int64], epoch: int) -> Batch:
        """The chunks of these indices."""
        starts = indices * self._steps
        lengths = np.minimum(self._steps, len(self.ids) - 1 - starts)
        steps = np.arange(lengths.max())
        real = steps < lengths[:, None]  # (B, T)
        positions = starts[:, None] + np.where(real, steps, 0)
        inputs, targets = (np.where(real, self.ids[positions + ahead].astype(np.int64), PAD) for ahead in (0, 1))
        return Batch(
            torch.from_numpy(inputs), torch.from_numpy(lengths), torch.from_numpy(targets), torch.from_numpy(indices)
        )


class Prompts(Examples):
    """Texts of any lengths, each by itself, which ask for every symbol after the first.

    Args:
        ids: Of each text, at least one.
    """

    def __init__(self, ids: Sequence[NDArray[np.int64]]) -> None:
        self._ids = Ragged(ids)
        self._next = Ragged(np.append(each[1:], PAD) for each in ids)
        self.lengths = self._ids.lengths

    def __len__(self) -> int:
        return len(self._ids)

    def batch(self, indices: NDArray[np.int64], epoch: int) -> Batch:
        """The texts of these indices; what comes after their last symbol is not known, and not scored."""
        return Batch(
            torch.from_numpy(self._ids.padded(indices)),
            torch.from_numpy(self._ids.lengths[indices]),
            torch.from_numpy(self._next.padded(indices)),
            torch.from_numpy(indices),
        )
