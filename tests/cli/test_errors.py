"""Every mistake in a command line: one line that names it, exit code 2, and nothing left behind."""

import pytest
import torch

from seqtrain.cli import COMMANDS, main

MISTAKES = {
    "model=bilsm": "model=bilsm: no such model; did you mean bilstm? Choose from ",
    "task=sentimet": "task=sentimet: no such task; did you mean sentiment? Choose from ",
    "optimizer.lrr=1": "optimizer.lrr: unknown key; did you mean optimizer.lr?",
    "+optimizer.lrr=1": "optimizer.lrr: unknown key; did you mean optimizer.lr?",
    "modle=lstm": "modle: unknown key; did you mean model?",
    "hidden_size=3": "hidden_size: unknown key; did you mean model.hidden_size?",
    "+lr=3": "lr: unknown key; did you mean optimizer.lr?",
    "trainer.max_steps=many": "trainer.max_steps=many: expected a whole number or null",
    "optimizer.lr=fast": "optimizer.lr=fast: expected a number",
    "optimizer.lr=-1.0": "optimizer.lr=-1.0: must ",
    "model.dropout=1": "model.dropout=1.0: must be ",
    "model.hidden_size=0": "model.hidden_size=0: must be ",
    "trainer.batch_size=0": "trainer.batch_size=0: must be ",
    "trainer.max_epochs=null": "the run has no end: set trainer.max_steps, trainer.max_epochs or trainer.max_time",
    "seed=-1": "seed=-1: must be at least 0",
    "trainer.amp=half": "trainer.amp=half: expected one of auto, off, bf16, fp16",
    "device=tpu9": "device=tpu9: no such device",
    "model._target_=os.system": "model._target_=os.system: only classes of seqtrain",
    "data_dir=[": "data_dir=[: not an override",
    "optimizer.lr=${nothing}": "Interpolation key 'nothing' not found",
    "model=null": "Config group override must be a string",
    "run_dir=null": "run_dir=null: expected a path",
    "~nothing": "'nothing' does not exist",
    "hydra.run.dir=here": "hydra.run.dir=here: seqtrain makes its own run folders; say run_dir=here",
    "task.path=none.tsv": "none.tsv",
    "resum": "resum: no such command; did you mean resume?",
    "walk": "walk: no such command; choose from train, ",
    "dat": "dat: no such command; did you mean data?",
    "-x": "-x: no such option; see seqtrain --help",
    "--multrun": "--multrun: no such option; did you mean --multirun?",
}


@pytest.mark.parametrize("argument", list(MISTAKES))
def test_a_mistake_is_one_line(argument, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([argument]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("seqtrain: ")
    assert MISTAKES[argument] in error
    assert list(tmp_path.iterdir()) == []


def refusals(arguments, tmp_path, monkeypatch, capsys) -> str:
    """What a command line that must fail says."""
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_missing_data_names_the_files_and_the_remedy(tmp_path, monkeypatch, capsys):
    error = refusals(["task=sst2", "data_dir=nowhere"], tmp_path, monkeypatch, capsys)
    assert str(tmp_path / "nowhere" / "sst2" / "train.tsv") in error
    assert "$SEQTRAIN_DATA" in error
    assert list(tmp_path.iterdir()) == []


def test_a_bad_row_names_file_and_line(tmp_path, monkeypatch, capsys):
    (tmp_path / "mine.tsv").write_text("text\tlabel\ngood\t1\nbad\n")
    error = refusals(["task.path=mine.tsv"], tmp_path, monkeypatch, capsys)
    assert "mine.tsv" in error
    assert "line 3" in error or ":3" in error
    assert [path.name for path in tmp_path.iterdir()] == ["mine.tsv"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="the machine has the device")
def test_a_device_that_is_not_there_is_named(tmp_path, monkeypatch, capsys):
    assert "device=cuda: torch sees 0 CUDA devices here" in refusals(["device=cuda"], tmp_path, monkeypatch, capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", ["optimizer.lrr=1", "+optimizer.lrr=1", "trainer.max_steps=x", "model=lstm,bilsm"])
def test_a_sweep_is_checked_whole_before_it_starts(wrong, tmp_path, monkeypatch, capsys):
    error = refusals(["-m", "task=sine", "seed=1,2", wrong], tmp_path, monkeypatch, capsys)
    assert error.startswith("seqtrain: ")
    assert list(tmp_path.iterdir()) == []


def test_a_config_dir_that_is_hidden_by_a_built_in_is_refused(tmp_path, monkeypatch, capsys):
    (tmp_path / "mine" / "model").mkdir(parents=True)
    (tmp_path / "mine" / "model" / "lstm.yaml").write_text("_target_: seqtrain.models.RecurrentSpec\ncell: gru\n")
    error = refusals(["--config-dir", "mine"], tmp_path, monkeypatch, capsys)
    assert "mine/model/lstm.yaml: model=lstm is built in and would win; give it another name" in error


def test_a_word_of_ones_own_that_cannot_be_read_is_one_line(tmp_path, monkeypatch, capsys):
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    (tmp_path / "mine" / "experiment" / "broken.yaml").write_text("# @package _global_\nmodel: [\n")
    error = refusals(["--config-dir", "mine", "experiment=broken"], tmp_path, monkeypatch, capsys)
    assert "broken.yaml" in error


def test_an_option_that_the_task_cannot_honour_is_refused(tmp_path, monkeypatch, capsys):
    error = refusals(["task=sine", "model.embedding_size=4"], tmp_path, monkeypatch, capsys)
    assert "model=lstm doesn't fit task=sine: it can't embed (model.embedding_size=4)" in error
    assert "models that fit" not in error


@pytest.mark.parametrize("run", ["nowhere", "last", "."])
def test_resuming_what_is_no_run_is_one_line(run, tmp_path, monkeypatch, capsys):
    error = refusals(["resume", run], tmp_path, monkeypatch, capsys)
    assert "run" in error


def test_debug_shows_the_traceback(tmp_path, monkeypatch):
    from seqtrain.errors import ConfigError

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEQTRAIN_DEBUG", "")
    with pytest.raises(ConfigError):
        main(["model=bilsm", "--debug"])
    with pytest.raises(ConfigError):
        main(["model=bilsm"])  # as a process that the first one started would


@pytest.mark.parametrize("command", [command for command in COMMANDS if command != "train"])
def test_an_unknown_option_is_one_line_in_every_command(command, tmp_path, monkeypatch, capsys):
    given = {"export": ["last"], "data": ["list"], "predict": ["last", "-"]}.get(command, [])
    assert "seqtrain " + command in refusals([command, *given, "--no-such-option"], tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize(("asked", "meant"), [(["list", "modl"], "model"), (["data", "fetsh"], "fetch")])
def test_a_misspelt_choice_is_answered_with_what_was_meant(asked, meant, tmp_path, monkeypatch, capsys):
    assert f"did you mean {meant}?" in refusals(asked, tmp_path, monkeypatch, capsys)


def test_resuming_asks_for_a_run_alone(tmp_path, monkeypatch, capsys):
    assert "required: RUN;" in refusals(["resume"], tmp_path, monkeypatch, capsys)


def test_words_are_listed_for_a_group_in_singular_or_plural(capsys):
    assert main(["list", "optimizer"]) == 0
    singular = capsys.readouterr().out
    assert main(["list", "optimizers"]) == 0
    assert capsys.readouterr().out == singular
    assert "adamw" in singular
