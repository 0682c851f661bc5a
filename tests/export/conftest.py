from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jaxtyping
import pytest
import torch

from seqtrain.config import build_config
from seqtrain.models import build_model
from seqtrain.runs.run_folder import keep_assets, write_config
from seqtrain.runs.trained import Trained, load
from seqtrain.training import checkpoint


@pytest.fixture
def sizes_unknown() -> Iterator[None]:
    """While a program is traced, sizes are symbols and no whole numbers: types can't be checked."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture
def run(compose, tmp_path) -> Callable[..., Trained]:
    """Makes a run folder as training leaves it, of random weights, and loads it."""

    def made(*overrides: str) -> Trained:
        tree: dict[str, Any] = compose("model.hidden_size=8", *overrides)
        folder: Path = tmp_path / "run"
        folder.mkdir()
        config = build_config(tree)
        config.task.prepare(config.data_dir, 0)
        torch.manual_seed(0)
        model = build_model(config.model, config.task.spec, config.decoder)
        write_config(folder, config, tree, list(overrides))
        keep_assets(folder, config.task.assets(), resumed=False)
        state = {"model": model.state_dict(), "progress": {"step": 3}}
        checkpoint.save(folder / "checkpoints", state, best=True)
        return load(folder, device="cpu")

    return made
