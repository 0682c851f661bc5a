"""New input in numbers: sequences as JSON lines or as arrays."""

import json
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Shaped
from numpy.typing import NDArray
from torch import Tensor

from seqtrain.batch import Batch, Examples
from seqtrain.errors import DataError
from seqtrain.tasks.given import Given, Source


def read_arrays(source: Source) -> Iterator[Given]:
    """Each line as the list that its JSON tells."""
    for number, line in source.lines():
        try:
            yield source.given(json.loads(line), number)
        except json.JSONDecodeError as error:
            raise DataError(
                f"{source}, line {number}: not JSON ({error.msg} at column {error.colno}); "
                "each line is a list of numbers"
            ) from None


def array_of(given: Given, kind: type[np.generic], form: str, shape: tuple[int | None, ...]) -> NDArray[np.generic]:
    """What was given as an array.

    Args:
        given: A list, of lists if it has two axes, or an array.
        kind: What it holds.
        form: What it should look like, to say in a message.
        shape: How long each axis is; None is any length from 1.

    Raises:
        DataError: If it is anything else.
    """
    try:
        array = np.asarray(given.value)
        fits = array.ndim == len(shape) and array.size > 0 and bool(np.isfinite(array).all())
        fits = fits and all(wanted in (None, size) for wanted, size in zip(shape, array.shape, strict=True))
        converted: NDArray[np.generic] = array.astype(kind) if fits else array
    except (TypeError, ValueError):
        fits = False
    if not fits or (np.issubdtype(kind, np.integer) and (converted != array).any()):
        raise DataError(f"{given.place}: {form} is expected, of numbers")
    return converted


class Sequences(Examples):
    """Sequences of any lengths, without targets.

    Args:
        rows: (T, ...) each.
        targets: One for each, which mean nothing.
    """

    lengths: NDArray[np.int64]

    def __init__(self, rows: Sequence[Shaped[np.ndarray, "_ ..."]], targets: Tensor) -> None:
        self.lengths = np.array([len(row) for row in rows], np.int64)
        self._rows = rows
        self._targets = targets

    def __len__(self) -> int:
        return len(self._rows)

    def batch(self, indices: NDArray[np.int64], epoch: int) -> Batch:
        """The sequences of these indices, padded with zeros."""
        rows = [torch.from_numpy(self._rows[index]) for index in indices.tolist()]
        chosen = torch.from_numpy(indices)
        return Batch(
            torch.nn.utils.rnn.pad_sequence(rows, batch_first=True),
            torch.from_numpy(self.lengths[indices]),
            self._targets[chosen],
            chosen,
        )
