"""Training from Python."""

import re
from pathlib import Path

import pytest

import seqtrain
from seqtrain.errors import ConfigError, TrainingError
from seqtrain.logs.runlog import RunLog
from seqtrain.runs import run as running

SMALL = ["task=sine", "task.train_size=20", "task.val_size=8", "task.test_size=8", "model.hidden_size=4"]


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(RunLog, "pictures", lambda *_: None)


def test_a_run_is_trained_and_loaded(capsys):
    trained = seqtrain.train(["model=gru", *SMALL, "trainer.max_steps=2", "device=cpu"], quiet=True)
    assert (trained.config.model_name, trained.step) == ("gru", 2)
    assert trained.folder.is_relative_to(Path("outputs").absolute())
    assert seqtrain.load("last", device="cpu").folder == trained.folder
    assert trained.evaluate("test").metrics["mse"] > 0
    assert capsys.readouterr().out == ""
    seqtrain.train([*SMALL, "trainer.max_steps=1", "device=cpu", "run_dir=mine"])
    assert re.search(r"│ run +mine +│", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("modle=lstm", "modle: unknown key; did you mean model"),
        ("model=bilsm", "model=bilsm: no such model; did you mean bilstm"),
        ("optimizer.lr=fast", "optimizer.lr=fast: expected a number"),
        ("-m", "-m: not an override; write key=value"),
        ("last", "last: not an override; write key=value"),
    ],
)
def test_mistakes_are_told_as_on_the_command_line(override, message):
    with pytest.raises(ConfigError, match=message):
        seqtrain.train([override])
    assert list(Path().iterdir()) == []


def test_a_run_that_was_stopped_is_no_trained_model(monkeypatch):
    monkeypatch.setattr(running, "start", lambda *_: running.Outcome(Path("here"), {}, "SIGINT"))
    with pytest.raises(TrainingError, match="here: stopped by SIGINT; `seqtrain resume` goes on with it"):
        seqtrain.train(SMALL)


def test_what_is_promised_is_there():
    assert all(callable(getattr(seqtrain, name)) for name in seqtrain.__all__)
