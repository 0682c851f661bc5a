"""Splitting validation and test off a user's one file."""

from pathlib import Path

from seqtrain import limits
from seqtrain.errors import ConfigError, DataError
from seqtrain.seeding import stream
from seqtrain.tasks.task import Split

HELD_OUT = 0.1
"""The part that is split off where the user says nothing."""


def check_fraction(name: str, fraction: float | None, path: Path | None) -> None:
    """Refuses a fraction outside (0, 1), or of a split that has a file of its own.

    Raises:
        ConfigError: Naming the option of the split `name`, val or test.
    """
    if fraction is not None and path is not None:
        raise ConfigError(f"task.{name}_fraction={fraction}: task.{name}_path={path} is there already")
    limits.fraction("task", **{f"{name}_fraction": fraction})


def share(fraction: float | None, path: Path | None) -> float:
    """The part of the file that is split off: none if the split has a file of its own."""
    if path is not None:
        return 0.0
    return HELD_OUT if fraction is None else fraction


def split_off(path: Path, size: int, val: float, test: float) -> dict[Split, list[int]]:
    """Which of a file's examples belong to which split, in their order.

    Drawn at random but the same for every seed, so that runs over seeds can be compared.

    Args:
        path: The file, to name it.
        size: Its examples.
        val: The part to validate on; at least one example unless it is 0.
        test: The part to test on; likewise.

    Raises:
        DataError: If nothing is left to train on.
    """
    validated, tested = (max(1, round(size * part)) if part else 0 for part in (val, test))
    if size - validated - tested < 1:
        raise DataError(
            f"{path}: {size} examples are too few to split {validated} off to validate and {tested} to test"
        )
    order = stream(0, "split").permutation(size)
    parts = {
        Split.TEST: order[:tested],
        Split.VAL: order[tested : tested + validated],
        Split.TRAIN: order[tested + validated :],
    }
    return {split: sorted(part.tolist()) for split, part in parts.items()}
