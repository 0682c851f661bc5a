"""A model's weights as safetensors: a header and the bytes, which any language reads and nothing executes."""

import shutil
from importlib.util import find_spec
from pathlib import Path

import torch

from seqtrain.export.parity import ExportError
from seqtrain.model import Model

WEIGHTS = "model.safetensors"


def need_safetensors() -> None:
    """Raises ExportError if the package isn't installed."""
    if find_spec("safetensors") is None:
        raise ExportError("safetensors isn't installed: pip install 'seqtrain[export]'")


def save_weights(model: Model, path: Path) -> None:
    """Writes the weights, those that two parts share once, and reads them again.

    Raises:
        ExportError: If they come back as others.
    """
    from safetensors.torch import load_file, save_model

    private = path.with_suffix(".tmp")  # safetensors makes files that only their owner may read
    save_model(model, str(private))
    shutil.copyfile(private, path)
    private.unlink()
    found, own = load_file(path), model.state_dict()
    if not all(name in own and torch.equal(weight, own[name]) for name, weight in found.items()):
        raise ExportError(f"{path.name}: the weights were read back as others")
