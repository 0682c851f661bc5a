"""A tiny run of each kind of task, trained once in a test session when it is first asked for."""

import io
from collections.abc import Callable
from pathlib import Path

import hydra
import numpy as np
import pytest
from hydra.core.hydra_config import HydraConfig
from rich.console import Console

from seqtrain.cli.train import plain
from seqtrain.logs.runlog import RunLog
from seqtrain.runs.run import start

SIZES = ["task.train_size=40", "task.val_size=12", "task.test_size=12"]
SPEECH = ["task=speech", "task.mels=10", "task.train_size=90", "task.val_size=8", "task.test_size=8"]
KINDS: dict[str, list[str]] = {
    "sentiment": ["task=sentiment", *SIZES],
    "averaged": ["task=sentiment", "trainer.ema=0.5", "trainer.label_smoothing=0.2", *SIZES],
    "ner": ["task=ner", *SIZES],
    "crf": ["task=ner", "task.crf=true", "task.characters=false", *SIZES],
    "translation": ["model=seq2seq_attention", "task=translation", "decoder.beam_size=2", *SIZES],
    "text": ["task=text", "task.steps=20", "task.sample_length=12", *SIZES],
    "words": ["task=text", "task.level=words", "task.steps=10", "task.sample_length=5", "task.carry=false", *SIZES],
    "sine": ["task=sine", "task.lookback=12", "task.horizon=4", "task.subtract_last=true", *SIZES],
    "series": ["task=series", "task.lookback=8", "task.horizon=4", "task.date_column=date"],
    "apart": [
        "task=series", "task.lookback=8", "task.horizon=4", "task.segment=2", "task.date_column=date",
        "task.channel_independent=true", "task.calendar=true", "task.subtract_last=true", "task.units=file",
        "task.target=[load]",
    ],
    "speech": SPEECH,
    "digits": [*SPEECH, "task.target=digits", "task.normalize=utterance"],
    "moving_mnist": [
        "model=convlstm", "task=moving_mnist", "task.size=28", "task.frames_in=3", "task.frames_out=2", *SIZES,
    ],
    "sequential_mnist": ["task=sequential_mnist", *SIZES],
    "adding": ["task=adding", "task.steps=10", *SIZES],
    "copy_memory": ["task=copy_memory", "task.delay=4", "task.length=3", *SIZES],
}  # fmt: skip
"""What each kind is trained with besides what all have in common."""

ROWS = 80
"""Of the series that is trained on."""


@pytest.fixture(scope="session")
def run_of(tmp_path_factory) -> Callable[[str], Path]:
    """The run folder of a kind."""
    home = tmp_path_factory.mktemp("trained")
    made: dict[str, Path] = {}

    def found(kind: str) -> Path:
        if kind not in made:
            own = [f"task.path={write_series(home)}"] if "task=series" in KINDS[kind] else []
            made[kind] = train(home / kind, [*KINDS[kind], *own])
        return made[kind]

    return found


def write_series(folder: Path) -> Path:
    """Hours with a load that swings and a temperature that wanders."""
    path = folder / "hours.csv"
    rng = np.random.default_rng(0)
    load = 5 + np.sin(np.arange(ROWS) / 4) + 0.1 * rng.standard_normal(ROWS)
    heat = 100 + rng.standard_normal(ROWS).cumsum()
    hours = np.datetime64("2020-01-30T22:00") + np.arange(ROWS).astype("timedelta64[h]")
    rows = [f"{hour},{a:.4f},{b:.4f}" for hour, a, b in zip(hours, load, heat, strict=True)]
    path.write_text("\n".join(["date,load,heat", *rows]) + "\n")
    return path


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
