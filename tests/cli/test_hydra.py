"""What a Hydra user expects of the command line."""

import json
import os
import re
import subprocess
import sys

import pytest

from seqtrain.cli import COMMANDS, main


def answer(arguments, capsys) -> str:
    try:
        code = main(arguments)
    except SystemExit as stopped:
        code = stopped.code
    assert not code
    return capsys.readouterr().out


def test_help_lists_the_words_and_the_values(capsys):
    text = answer(["--help"], capsys)
    for word in ("bilstm", "sentiment", "adamw", "cosine", "resume RUN", "hidden_size: 128", "data_dir:"):
        assert word in text
    assert re.findall(r"^ +seqtrain ([a-z_]+) ", text, flags=re.M) == [name for name in COMMANDS if name != "train"]


def test_cfg_shows_what_would_run(capsys):
    text = answer(["--cfg", "job", "model=gru", "optimizer.lr=0.5"], capsys)
    assert "cell: gru" in text
    assert "lr: 0.5" in text
    assert "\nhydra:" not in text


def test_a_config_dir_brings_words_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine" / "model").mkdir(parents=True)
    (tmp_path / "mine" / "model" / "tiny.yaml").write_text(
        "_target_: seqtrain.models.RecurrentSpec\ncell: gru\nhidden_size: 4\n"
    )
    arguments = ["--config-dir", "mine", "model=tiny", "task=sine", "task.train_size=64", "trainer.max_steps=1"]
    assert main([*arguments, "run_dir=run"]) == 0
    assert "hidden_size: 4" in (tmp_path / "run" / "config.yaml").read_text()


def test_an_experiment_changes_the_other_words(capsys):
    text = answer(["--cfg", "job", "experiment=sst2_bilstm"], capsys)
    assert "_target_: seqtrain.tasks.SST2" in text


@pytest.mark.parametrize(("line", "completed"), [("seqtrain model=bil", "model=bilstm"), ("seqtrain opt", "optimizer")])
def test_shell_completion_completes_words(line, completed, tmp_path):
    environment = {**os.environ, "COMP_LINE": line, "COMP_POINT": str(len(line)), "_HYDRA_COMPLETE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "seqtrain", "-sc", "query=bash"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert completed in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_version_is_ours(capsys):
    assert answer(["--version"], capsys).startswith("seqtrain 0.")


def test_list_shows_each_word_with_one_line(capsys):
    text = answer(["list", "models"], capsys)
    assert "bilstm" in text
    assert "Bidirectional LSTM" in text
    assert "sentiment" not in text


def test_list_answers_programs(capsys):
    found = json.loads(answer(["list", "--json"], capsys))
    models, tasks = ({each["name"]: each for each in found[group]} for group in ("model", "task"))
    assert models["bilstm"]["summary"].startswith("Bidirectional LSTM")
    assert models["bilstm"]["paper"].startswith("Schuster & Paliwal 1997")
    assert models["lstm"]["alignments"] == ["whole", "each", "ahead", "free"]
    assert models["convlstm"]["alignments"] == ["whole", "each", "ahead"]
    assert (tasks["sentiment"]["alignment"], tasks["sentiment"]["metric"]) == ("whole", "accuracy")
    assert (tasks["sine"]["alignment"], tasks["sine"]["metric"], tasks["sine"]["data"]) == ("ahead", "mse", None)
    assert tasks["sst2"]["data"]["name"] == "sst2"
    assert all(each["summary"] for group in found.values() for each in group)
