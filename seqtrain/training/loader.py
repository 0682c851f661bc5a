"""From the examples of a split to batches, in an order that only (seed, epoch) decide.

The order is planned for a whole epoch before its first batch is read, so that a run can go on from any
position: the batches still to come are the tail of the same plan. Examples of like length are put
together, since whatever a batch pads to its longest sequence is computed for nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, Sampler

from seqtrain.batch import Batch, Draw, Examples

WHOLE = slice(None)
"""The share of a batch that one process alone reads."""

POOL = 16
"""Batches whose examples are sorted together: enough to leave little padding, few enough to leave batches random."""

Plan = Sequence[NDArray[np.int64]]
"""The indices of each batch of an epoch, in the order in which they are read."""


def train_plan(examples: Examples, batch_size: int, seed: int, epoch: int) -> Plan:
    """Draws every example exactly once, shuffled, those of like length together; the last batch may be smaller.

    Successive examples are read in their order, as streams.
    """
    if examples.successive:
        return _Streams.cut(len(examples), batch_size)
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(examples))
    if examples.lengths is None:
        return _cut(order, batch_size)
    batches: list[NDArray[np.int64]] = []
    keys = _keys(examples.lengths)
    # To be alike in two lengths takes a larger choice.
    for pool in _cut(order, POOL * examples.lengths.ndim * batch_size):
        batches += _cut(pool[np.argsort(keys[pool], kind="stable")], batch_size)
    return [batches[position] for position in rng.permutation(len(batches))]


def eval_plan(examples: Examples, batch_size: int) -> Plan:
    """Reads every example exactly once, the longest first: if memory runs short, it does so at once.

    Successive examples are read in their order, as streams.
    """
    if examples.successive:
        return _Streams.cut(len(examples), min(batch_size, examples.max_streams or batch_size))
    if examples.lengths is None:
        return _cut(np.arange(len(examples)), batch_size)
    return _cut(np.argsort(-_keys(examples.lengths), kind="stable"), batch_size)


def train_loader(
    examples: Examples,
    batch_size: int,
    seed: int,
    epoch: int,
    skip: int = 0,
    limit: int | None = None,
    num_workers: int = 0,
    pin_memory: bool = False,
    share: slice = WHOLE,
) -> "Batches":
    """Loads one epoch of training batches.

    Args:
        examples: The split to read.
        batch_size: Examples per batch, at least 1.
        seed: With the epoch, the whole of what decides the order; at least 0.
        epoch: Counted from 0; examples may look different in each.
        skip: How many batches of the epoch's plan are left out at its start, because a run has seen them.
        limit: Where the plan ends; None reads it to its end.
        num_workers: Processes that read ahead; 0 reads in this one. The batches are the same.
        pin_memory: Whether batches are copied to page-locked memory, for CUDA.
        share: Which examples of each batch are read, where several processes read the same plan. A batch without
            sequences stands for a share that holds none.
    """
    plan = train_plan(examples, batch_size, seed, epoch)
    return _loader(_shared(examples, share), plan[:limit][skip:], epoch, num_workers, pin_memory)


def eval_loader(
    examples: Examples,
    batch_size: int,
    limit: int | None = None,
    num_workers: int = 0,
    pin_memory: bool = False,
    share: slice = WHOLE,
) -> "Batches":
    """Loads each example of a split once, in an order that is always the same; no more than `limit` batches.

    Of each batch only a share is read, as by `train_loader`.
    """
    plan = eval_plan(examples, batch_size)[:limit]
    return _loader(_shared(examples, share), plan, 0, num_workers, pin_memory)


def _keys(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """A number for each example; those of like numbers are of like length, and the longest have the largest."""
    if lengths.ndim == 1:
        return lengths
    # By the longer side; within it by how much longer, to and fro, so that neighbours are alike at its ends as well.
    longer, more = lengths.max(1), lengths[:, 0] - lengths[:, 1]
    span = 2 * int(longer.max()) + 1
    keys: NDArray[np.int64] = longer * span + np.where(longer % 2, more, -more)
    return keys


def _cut(order: NDArray[np.int64], size: int) -> Plan:
    return [order[start : start + size] for start in range(0, len(order), size)]


@dataclass(frozen=True)
class _Streams(Sequence[NDArray[np.int64]]):
    """Successive examples cut into streams; a batch takes the next example of each, the longer streams first.

    Batches are told when they are asked for: of a large text there are too many to hold.
    """

    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    turns: range

    @classmethod
    def cut(cls, count: int, most: int) -> "_Streams":
        """As many streams as there may be, as equal as can be."""
        streams = min(most, count)
        lengths = count // streams + (np.arange(streams) < count % streams)
        return cls(np.cumsum(lengths) - lengths, lengths, range(lengths[0]))

    def __len__(self) -> int:
        return len(self.turns)

    @overload
    def __getitem__(self, turn: int) -> NDArray[np.int64]: ...

    @overload
    def __getitem__(self, turn: slice) -> "_Streams": ...

    def __getitem__(self, turn: int | slice) -> "NDArray[np.int64] | _Streams":
        if isinstance(turn, slice):
            return replace(self, turns=self.turns[turn])
        now = self.turns[turn]
        return self.starts[self.lengths > now] + now


@dataclass(frozen=True, eq=False)
class InPlace:
    """The batches of a plan, read one by one in this process, where a data loader would only add its own time.

    That is some 0.06 ms for each batch beside a training step, as much as reading a small batch takes.
    """

    examples: Dataset[Batch]
    plan: Plan
    epoch: int

    def __len__(self) -> int:
        return len(self.plan)

    def __iter__(self) -> Iterator[Batch]:
        for indices in self.plan:
            yield self.examples[Draw(indices, self.epoch)]


Batches = DataLoader[Batch] | InPlace
"""What can be asked for the batches of an epoch, in order, and for their number."""


def _shared(examples: Examples, share: slice) -> Dataset[Batch]:
    return examples if share == WHOLE else _Shared(examples, share)


class _Shared(Dataset[Batch]):
    """Reads a share of each batch that is asked for."""

    def __init__(self, examples: Examples, share: slice) -> None:
        self._examples = examples
        self._share = share

    def __getitem__(self, draw: Draw) -> Batch:
        mine = draw.indices[self._share]
        if len(mine):
            return self._examples.batch(mine, draw.epoch)
        return _without_sequences(self._examples.batch(draw.indices[:1], draw.epoch))


def _without_sequences(batch: Batch) -> Batch:
    targets = None if batch.target_lengths is None else batch.target_lengths[:0]
    return Batch(batch.inputs[:0], batch.lengths[:0], batch.targets[:0], batch.indices[:0], targets)


def _loader(examples: Dataset[Batch], plan: Plan, epoch: int, num_workers: int, pin_memory: bool) -> Batches:
    if num_workers == 0 and not pin_memory:
        return InPlace(examples, plan, epoch)
    return DataLoader(
        examples,
        batch_size=None,
        sampler=_Draws(plan, epoch),
        num_workers=num_workers,
        pin_memory=pin_memory,
        # Without a generator of its own, every epoch would take a number from torch's global one.
        generator=torch.Generator(),
    )


class _Draws(Sampler[Draw]):
    """Asks for the batches of a plan one by one."""

    def __init__(self, plan: Plan, epoch: int) -> None:
        self._plan = plan
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._plan)

    def __iter__(self) -> Iterator[Draw]:
        for indices in self._plan:
            yield Draw(indices, self._epoch)
