"""A tiny run of each kind of task, trained once in a test session when it is first asked for."""

import io
from collections.abc import Callable
from pathlib import Path

import hydra
import pytest
from hydra.core.hydra_config import HydraConfig
from rich.console import Console

from seqtrain.cli.train import plain
from seqtrain.run import start
from seqtrain.runlog import RunLog

SIZES = ["task.train_size=40", "task.val_size=12", "task.test_size=12"]
KINDS: dict[str, list[str]] = {
    "sentiment": ["task=sentiment", *SIZES],
}
"""What each kind is trained with besides what all have in common."""


@pytest.fixture(scope="session")
def run_of(tmp_path_factory) -> Callable[[str], Path]:
    """The run folder of a kind."""
    home = tmp_path_factory.mktemp("trained")
    made: dict[str, Path] = {}

    def found(kind: str) -> Path:
        if kind not in made:
            made[kind] = train(home / kind, KINDS[kind])
        return made[kind]

    return found


def train(folder: Path, overrides: list[str]) -> Path:
    """Trains a run of two steps, and draws no pictures: they would take longer."""
    common = ["model.hidden_size=8", "trainer.max_steps=2", "trainer.batch_size=8", "device=cpu"]
    with hydra.initialize_config_module("seqtrain.conf", version_base="1.3"):
        overrides = [*common, *overrides]
        cfg = hydra.compose("config", overrides=overrides, return_hydra_config=True)
        HydraConfig.instance().set_config(cfg)
        tree = plain(cfg).tree
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunLog, "pictures", lambda *_: None)
        return start(tree, overrides, folder, Console(file=io.StringIO())).folder
