"""The folder that a trained model is shipped in: it is there whole, and true to the model, or not at all."""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from seqtrain.batch import BOS, EOS, PAD, UNK
from seqtrain.errors import UserError
from seqtrain.export import FORMATS
from seqtrain.export.graphs import Graph, Port, graphs
from seqtrain.export.parity import TOLERANCE, ExportError, largest_difference
from seqtrain.export.programs import OPSET, need_onnx, save_onnx, save_torch, trace
from seqtrain.export.weights import WEIGHTS, need_safetensors, save_weights
from seqtrain.files import sync_folder, write_atomically
from seqtrain.model import Model
from seqtrain.runs.run_folder import read_tree
from seqtrain.runs.trained import Trained

DESCRIPTION = "model.json"
"""What the folder holds, for people and programs."""

VERSION = 1
"""Of the folder's layout."""


@dataclass(frozen=True)
class Exported:
    """An export that was written.

    Attributes:
        folder: Where it is.
        description: What model.json holds.
    """

    folder: Path
    description: dict[str, Any]


def export(
    trained: Trained,
    formats: Iterable[str] = FORMATS,
    folder: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Exported:
    """Writes a model in each of the formats, with all that reads new input for it, and checks what was written.

    Each program is read back from its file and compared with the model on batches of many shapes, ragged ones too.

    Args:
        trained: As `seqtrain.load` gives it.
        formats: Some of `FORMATS`.
        folder: Where to; None is `export` in the run folder. An earlier export there is replaced.
        say: Is told of each file.

    Raises:
        ExportError: If a format is unknown or its packages aren't installed, if the model can't be written so, if a
            program strays from it by more than 1e-5, or if something else is at the folder; nothing is left behind.
    """
    folder = trained.folder / "export" if folder is None else folder.absolute()
    wanted = list(dict.fromkeys(formats))
    check(wanted, folder)
    model = deepcopy(trained.model).cpu().eval().requires_grad_(False)  # a graph for gradients would take a while
    assets = trained.task.assets()
    description = described_run(trained, list(assets))
    with replaced(folder) as fresh:
        if "safetensors" in wanted:
            save_weights(model, fresh / WEIGHTS)
            description["files"][WEIGHTS] = {"format": "safetensors", "largest_difference": 0.0}
            say(f"{WEIGHTS}: the weights, bit for bit")
        if {"onnx", "torch"} & set(wanted):
            write_programs(trained, model, wanted, fresh, description, say)
        for name, content in {**assets, DESCRIPTION: description}.items():
            write_atomically(fresh / name, json.dumps(content, ensure_ascii=False, indent=1).encode() + b"\n")
    return Exported(folder, description)


def described_run(trained: Trained, assets: list[str]) -> dict[str, Any]:
    """What model.json tells of a run; of its files, it will."""
    task = trained.task.spec
    return {
        "version": VERSION,
        "made_by": f"seqtrain {version('seqtrain')}",
        "model": trained.config.model_name,
        "task": trained.config.task_name,
        "steps": trained.step,
        "alignment": str(task.align),
        "horizon": task.horizon,
        "special_symbols": {"PAD": PAD, "UNK": UNK, "BOS": BOS, "EOS": EOS},
        "assets": assets,
        "graphs": {},
        "files": {},
        "config": read_tree(trained.folder),
    }


def check(formats: list[str], folder: Path) -> None:
    """Finds what can be known to be wrong before any work is done."""
    for name in formats:
        if name not in FORMATS:
            raise ExportError(f"--format {name}: choose from {', '.join(FORMATS)}")
    if folder.exists() and not (folder / DESCRIPTION).is_file() and not (folder.is_dir() and not any(folder.iterdir())):
        raise ExportError(f"{folder}: is there already and is no export; name another folder by --output")
    if "safetensors" in formats:
        need_safetensors()
    if "onnx" in formats:
        need_onnx()


def write_programs(
    trained: Trained,
    model: Model,
    formats: list[str],
    folder: Path,
    description: dict[str, Any],
    say: Callable[[str], None],
) -> None:
    """Writes each graph of a model in each format, and compares it with the model."""
    pair = f"model={trained.config.model_name} on task={trained.config.task_name}"
    with named(pair, "to programs"):
        found = graphs(model, trained.task.spec)
    for graph in found:
        with named(pair, f"({graph.name})"):
            program = trace(graph)
        description["graphs"][graph.name] = {
            "inputs": [described(port) for port in graph.inputs],
            "outputs": [described(port) for port in graph.outputs],
        }
        for form in formats:
            if form == "safetensors":
                continue
            path = folder / f"{graph.name}.{'onnx' if form == 'onnx' else 'pt2'}"
            with named(pair, f"to {form}"):
                run = save_onnx(program, graph, path) if form == "onnx" else save_torch(program, path)
                difference = compare(graph, path, run)
            details = {"opset": OPSET} if form == "onnx" else {}
            facts = {"format": form, "graph": graph.name, **details, "largest_difference": difference}
            description["files"][path.name] = facts
            say(f"{path.name}: {difference:.1e} from the model at most" + (f", opset {OPSET}" if details else ""))


def compare(graph: Graph, path: Path, run: Any) -> float:
    """How far a program strays from the model, which mustn't be far."""
    difference = largest_difference(graph, run)
    if difference > TOLERANCE:
        raise ExportError(f"{path.name} strays from the model by {difference:.1e}, where {TOLERANCE:.0e} is allowed")
    return difference


def described(port: Port) -> dict[str, Any]:
    """What programs may know of a tensor."""
    dtype = str(port.dtype).removeprefix("torch.")
    ids = {} if port.below is None else {"below": port.below}
    return {"name": port.name, "dtype": dtype, "shape": list(port.shape), "meaning": port.meaning, **ids}


@contextmanager
def named(pair: str, what: str) -> Iterator[None]:
    """Makes whatever the exporters raise one line that names the model."""
    try:
        yield
    except UserError as error:
        raise ExportError(f"{pair} can't be exported {what}: {error}") from error
    except Exception as error:  # the exporters raise nearly anything
        reason = next((line.strip() for line in str(error).splitlines() if line.strip()), "no reason given")
        raise ExportError(f"{pair} can't be exported {what}: {type(error).__name__}: {reason}") from error


@contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """A new folder to fill, which takes the place of an old one at the end, or goes if anything goes wrong.

    Raises:
        ExportError: If it can't be made or filled.
    """
    fresh, old = (folder.with_name(f".{folder.name}.{word}-{os.getpid()}") for word in ("new", "old"))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh.mkdir()
    except OSError as error:
        raise ExportError(f"{folder}: can't be made ({error.strerror})") from None
    try:
        yield fresh
        sync_folder(fresh)
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise ExportError(f"{folder}: can't be written ({error.strerror})") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
