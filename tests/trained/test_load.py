"""Taking a trained model out of its run folder, and every way in which that can't be done."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import seqtrain
from seqtrain.errors import ConfigError, UserError
from seqtrain.training import checkpoint


@pytest.fixture
def run(run_of, tmp_path) -> Path:
    """A copy of a run, to damage."""
    return Path(shutil.copytree(run_of("sentiment"), tmp_path / "run"))


def test_a_run_is_loaded_with_its_weights_and_its_vocabulary_and_no_data(run_of):
    folder = run_of("sentiment")
    before = torch.get_rng_state()
    trained = seqtrain.load(folder)
    saved = torch.load(folder / "checkpoints" / "best.pt", weights_only=True)["model"]
    assert all(torch.equal(part, saved[name]) for name, part in trained.model.state_dict().items())
    assert not trained.model.training
    assert (trained.config.task_name, trained.folder) == ("sentiment", folder)
    assert trained.task.codes.classes == ("negative", "positive")
    with pytest.raises(AssertionError):
        trained.task.examples(seqtrain.tasks.Split.VAL)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_last_checkpoint_can_be_asked_for(run):
    state = checkpoint.load(run / "checkpoints" / "last.pt")
    for part in state["model"].values():
        part.fill_(0.5)
    (run / "checkpoints" / "last.pt").unlink()
    torch.save(state | {"progress": state["progress"] | {"step": 77}}, run / "checkpoints" / "last.pt")
    last = seqtrain.load(run, "last")
    assert last.step == 77
    assert all((part == 0.5).all() for part in last.model.parameters())
    assert seqtrain.load(run).step == 2


def test_the_newest_run_is_called_last(run, tmp_path, monkeypatch):
    shutil.copytree(run, tmp_path / "outputs" / "day" / "one")
    monkeypatch.chdir(tmp_path)
    assert seqtrain.load("last").folder == tmp_path / "outputs" / "day" / "one"


def refused(run: str | Path, **options: Any) -> str:
    """What loading a run that can't be loaded says."""
    with pytest.raises(UserError) as error:
        seqtrain.load(run, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_what_is_no_run_is_refused(tmp_path):
    assert f"{tmp_path}: not a run folder" in refused(tmp_path)
    assert "nowhere: no such run folder" in refused("nowhere")


def test_a_run_without_a_checkpoint_is_refused(run):
    (run / "checkpoints" / "best.pt").unlink()
    assert refused(run) == f"{run}/checkpoints/best.pt: no such checkpoint; the run has checkpoint=last"
    shutil.rmtree(run / "checkpoints")
    assert refused(run) == f"{run}/checkpoints/best.pt: no such checkpoint; the run has saved none yet"


def test_a_checkpoint_of_another_name_is_refused(run):
    with pytest.raises(ConfigError, match="checkpoint=newest: choose from best, last"):
        seqtrain.load(run, "newest")


def test_a_checkpoint_of_a_newer_format_is_refused(run):
    path = run / "checkpoints" / "best.pt"
    state = torch.load(path, weights_only=True)
    path.unlink()
    torch.save(state | {"format": checkpoint.FORMAT + 1}, path)
    assert "best.pt: written by a newer seqtrain" in refused(run)


def test_a_checkpoint_without_a_model_is_refused(run):
    path = run / "checkpoints" / "best.pt"
    path.unlink()
    torch.save({"format": checkpoint.FORMAT}, path)
    assert refused(run) == f"{path}: not a seqtrain checkpoint (format {checkpoint.FORMAT} lacks 'model')"


def test_a_damaged_checkpoint_is_refused(run):
    path = run / "checkpoints" / "best.pt"
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[: len(content) // 2])
    assert f"{path}: damaged" in refused(run)


def test_a_run_that_lacks_a_part_of_its_task_is_refused(run):
    (run / "classes.json").unlink()
    assert refused(run) == f"{run}/classes.json: is missing, and without it the model can't be used"


@pytest.mark.parametrize(("content", "message"), [("{", "damaged"), ("{}", "this is no vocabulary")])
def test_a_damaged_vocabulary_is_refused(run, content, message):
    (run / "vocab.json").write_text(content)
    error = refused(run)
    assert message in error
    assert str(run) in error


def test_weights_of_another_vocabulary_are_refused(run):
    words = json.loads((run / "vocab.json").read_text())["words"]
    (run / "vocab.json").write_text(json.dumps({"words": [*words, "unheard-of"]}))
    error = refused(run)
    assert "its weights don't fit: " in error
    assert f"{len(words) + 4} x" in error
    assert f"make it {len(words) + 5} x" in error


def test_weights_of_another_model_are_refused(run):
    config = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(config.replace("num_layers: 1", "num_layers: 2"))
    assert "its weights are of another model: the checkpoint has no core." in refused(run)


def test_a_device_that_is_not_there_is_refused(run):
    with pytest.raises(ConfigError, match="device=tpu9"):
        seqtrain.load(run, device="tpu9")


def test_importing_the_package_loads_no_torch():
    code = "import sys, seqtrain; assert 'torch' not in sys.modules; seqtrain.load; assert 'torch' in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="nothing"):
        seqtrain.nothing  # noqa: B018


def test_a_configuration_that_cannot_be_is_named(run):
    with (run / "config.yaml").open("a") as file:
        file.write("invented: 1\n")
    wrong = f"{run}/config.yaml: invented: unknown key"
    assert refused(run) == wrong
    assert refused(run, options={"task.lowercase": False}) == wrong


def test_options_are_checked_as_on_the_command_line(run):
    assert seqtrain.load(run, options={"task.lowercase": False}).config.task.lowercase is False
    assert refused(run, options={"task.lowercas": 1}) == "task.lowercas: unknown key; did you mean task.lowercase?"
    assert "made.up" not in refused(run, options={"made.up": 1})  # it would suggest itself
    assert "beam_size" in refused(run, options={"decoder.beam_size": 3})
