"""Everything the loop needs to go on, in one file that is either whole or not there.

A checkpoint is a torch zip archive of plain containers and tensors, so `torch.load(weights_only=True)`
opens it and nothing in it is ever executed. The zip's own CRC-32 of each record tells a damaged file.
"""

import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

import torch

from seqtrain.errors import CheckpointError
from seqtrain.files import duplicate, replacing, sync_folder

FORMAT = 2
"""Version of the checkpoint's layout. An older one is brought forward, a newer one is refused."""

FOLDER = "checkpoints"
LAST, PREVIOUS, BEST = "last.pt", "previous.pt", "best.pt"
TOP = "step-{step:08d}.pt"
"""The name of one of the several best."""

Checkpoint = dict[str, Any]


def rng_state() -> dict[str, Any]:
    """The state of torch's global generators, of the CPU and of every CUDA device."""
    return {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []}


def set_rng_state(state: dict[str, Any]) -> None:
    """Puts the generators back to where `rng_state` saw them."""
    torch.set_rng_state(state["cpu"])
    if state["cuda"] and torch.cuda.device_count() == len(state["cuda"]):
        torch.cuda.set_rng_state_all(state["cuda"])


def save(folder: Path, state: Checkpoint, *, best: bool = False, top: list[int] | None = None) -> None:
    """Writes `last.pt`, keeps the one before as `previous.pt`, and gives it its other names.

    Args:
        folder: Made, if it isn't there.
        state: Plain containers and tensors, with the step under `progress`.
        best: Whether it becomes `best.pt` too.
        top: The steps of the best checkpoints to keep by name, this one perhaps among them; others go.

    Raises:
        OSError: If it can't be written. What was there before still is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    new = folder / "new.pt"
    try:
        with replacing(new) as file:
            torch.save({"format": FORMAT, **state}, file)
    except RuntimeError as error:
        # torch's writer complains of its own when the file beneath it can't be written.
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise
    kept = {TOP.format(step=step) for step in top or []}
    name = TOP.format(step=state["progress"]["step"])
    try:
        # The run may be cut off at any of these lines: what last.pt says is the best must be there before it.
        if best:
            duplicate(new, folder / BEST)
        if name in kept:
            duplicate(new, folder / name)
        if (folder / LAST).exists():
            duplicate(folder / LAST, folder / PREVIOUS)
        new.replace(folder / LAST)
    except OSError:
        new.unlink(missing_ok=True)  # its room is needed
        raise
    for path in folder.glob("step-*.pt"):
        if path.name not in kept and re.fullmatch(r"step-\d{8,}\.pt", path.name):
            path.unlink()
    sync_folder(folder)


def load(path: Path) -> Checkpoint:
    """Reads one checkpoint onto the CPU, after checking that every byte of it is as written.

    Raises:
        CheckpointError: If it is missing, damaged, not a checkpoint, or of a newer format.
    """
    try:
        check_records(path)
        with catch_warnings():
            simplefilter("ignore")  # what torch finds strange in a file is no line for the user
            state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such checkpoint") from None
    except CheckpointError:
        raise
    except Exception as error:  # the parsers of a damaged file raise nearly anything
        raise CheckpointError(f"{path}: damaged or no checkpoint ({type(error).__name__})") from error
    if not isinstance(state, dict) or type(state.get("format")) is not int:
        raise CheckpointError(f"{path}: not a seqtrain checkpoint")
    if state["format"] > FORMAT:
        raise CheckpointError(
            f"{path}: written by a newer seqtrain (format {state['format']}, this one reads {FORMAT}); upgrade seqtrain"
        )
    try:
        state = brought_forward(state)
        model, step = state["model"], state["progress"]["step"]
    except (KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path}: not a seqtrain checkpoint (format {state['format']} lacks {error})") from error
    if not isinstance(model, dict) or type(step) is not int or step < 0:
        raise CheckpointError(f"{path}: not a seqtrain checkpoint (its model or step is none)")
    return state


def check_records(path: Path) -> None:
    """Reads every record of the archive and compares it with its checksum.

    Raises:
        CheckpointError: If one differs, or is packed: torch packs nothing, and what is packed can unpack to any size.
    """
    with zipfile.ZipFile(path) as archive:
        packed = [info.filename for info in archive.infolist() if info.compress_type != zipfile.ZIP_STORED]
        if packed:
            raise CheckpointError(f"{path}: not a seqtrain checkpoint (record {packed[0]} is compressed)")
        damaged = archive.testzip()
    if damaged is not None:
        raise CheckpointError(f"{path}: damaged (record {damaged} fails its checksum)")


def load_newest(folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """The newest checkpoint that is whole, and a warning for each that had to be passed over.

    Returns:
        state: None if nothing was ever saved here.
        warnings: One line per damaged file.

    Raises:
        CheckpointError: If checkpoints are there but none can be read.
    """
    warnings: list[str] = []
    for name in (LAST, PREVIOUS, BEST):
        if not (folder / name).exists():
            continue
        try:
            return load(folder / name), warnings
        except CheckpointError as error:
            warnings.append(str(error))
    if warnings:
        raise CheckpointError(f"no checkpoint in {folder} can be read: " + "; ".join(warnings))
    return None, []


# -------------------------------------------------------------------- older formats


def brought_forward(state: Checkpoint) -> Checkpoint:
    """A checkpoint of any older format in today's."""
    for version in range(state["format"], FORMAT):
        state = MIGRATIONS[version](state)
    return {**state, "format": FORMAT}


def from_1(state: Checkpoint) -> Checkpoint:
    """Format 1 knew no averaged weights, no schedule that looks at validations, and no steps that were left out."""
    progress = dict(state["progress"])
    progress |= {"history": [], "top": [], "validated": progress["step"], "left_out": []}
    return {**state, "progress": progress, "training_model": None}


MIGRATIONS: dict[int, Callable[[Checkpoint], Checkpoint]] = {1: from_1}
"""How a checkpoint of each format becomes one of the next."""
