"""What is told when memory runs out. Imports nothing of ours but batches and errors."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from seqtrain.batch import Batch
from seqtrain.errors import OutOfMemoryError

ON_CPU = ("can't allocate memory", "not enough memory", "Cannot allocate memory")
"""How torch's allocator on the CPU says it, in an error of no type of its own."""


@contextmanager
def out_of_memory_told(batch: Batch) -> Iterator[None]:
    """Turns running out of memory over a batch into one line with its sizes and what to lower.

    Raises:
        OutOfMemoryError: If memory runs out.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        told = isinstance(error, torch.OutOfMemoryError | MemoryError) or any(word in str(error) for word in ON_CPU)
        if not told:
            raise
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        raise OutOfMemoryError(
            f"out of memory on {batch.inputs.device} over a batch of {len(batch)} sequences of "
            f"{batch.inputs.shape[1]} steps: lower trainer.batch_size (trainer.accumulate makes up for it), the "
            f"sequences' length, or model.hidden_size"
        ) from error
