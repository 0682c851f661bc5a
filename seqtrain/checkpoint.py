"""Everything the loop needs to go on, in one file that is either whole or not there.

A checkpoint is a torch zip archive of plain containers and tensors, so `torch.load(weights_only=True)`
opens it and nothing in it is ever executed. The zip's own CRC-32 of each record tells a damaged file.
"""

import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import torch

from seqtrain.errors import CheckpointError

FORMAT = 1
"""Version of the checkpoint's layout; a newer one is refused."""

LAST, PREVIOUS, BEST = "last.pt", "previous.pt", "best.pt"


def rng_state() -> dict[str, Any]:
    """The state of torch's global generators, of the CPU and of every CUDA device."""
    return {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []}


def set_rng_state(state: dict[str, Any]) -> None:
    """Puts the generators back to where `rng_state` saw them."""
    torch.set_rng_state(state["cpu"])
    if state["cuda"] and torch.cuda.device_count() == len(state["cuda"]):
        torch.cuda.set_rng_state_all(state["cuda"])


def write_atomically(path: Path, content: bytes) -> None:
    """Replaces a file so that a reader, or a machine that stops, sees the old or the new one whole."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def save(folder: Path, state: dict[str, Any], best: bool) -> None:
    """Writes `last.pt`, keeps the one before as `previous.pt`, and makes it `best.pt` too if it is.

    Each file is whole at every moment: written under another name, flushed to disk, then renamed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / (LAST + ".tmp")
    with temporary.open("wb") as file:
        torch.save({"format": FORMAT, **state}, file)
        file.flush()
        os.fsync(file.fileno())
    if (folder / LAST).exists():
        duplicate(folder / LAST, folder / PREVIOUS)
    temporary.replace(folder / LAST)
    if best:
        duplicate(folder / LAST, folder / BEST)
    sync_folder(folder)


def duplicate(source: Path, target: Path) -> None:
    """Makes target another name of the same bytes; they are never written in place, so both stay true."""
    temporary = target.with_name(target.name + ".tmp")
    temporary.unlink(missing_ok=True)
    try:
        temporary.hardlink_to(source)
    except OSError:  # a file system without hard links
        shutil.copyfile(source, temporary)
    temporary.replace(target)


def sync_folder(folder: Path) -> None:
    """Flushes a folder's names to disk, so that a rename outlives a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def load(path: Path) -> dict[str, Any]:
    """Reads one checkpoint onto the CPU, after checking that every byte of it is as written.

    Raises:
        CheckpointError: If it is missing, damaged, not a checkpoint, or of a newer format.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise CheckpointError(f"{path}: damaged (record {damaged} fails its checksum)")
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such checkpoint") from None
    except CheckpointError:
        raise
    except Exception as error:  # the parsers of a damaged file raise nearly anything
        raise CheckpointError(f"{path}: damaged or no checkpoint ({type(error).__name__})") from error
    if not isinstance(state, dict) or not isinstance(state.get("format"), int):
        raise CheckpointError(f"{path}: not a seqtrain checkpoint")
    if state["format"] > FORMAT:
        raise CheckpointError(
            f"{path}: written by a newer seqtrain (format {state['format']}, this one reads {FORMAT}); upgrade seqtrain"
        )
    return state


def load_newest(folder: Path) -> tuple[dict[str, Any] | None, list[str]]:
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
