"""Runs as a user starts, stops and resumes them, each in a process of its own."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

SINE = ["model=gru", "task=sine", "model.hidden_size=8", "model.dropout=0.2", "trainer.log_every=2"]
SMALL = ["task.train_size=256", "task.val_size=64", "task.test_size=64", "task.lookback=12", "task.horizon=4"]


def seqtrain(*arguments: str, cwd: Path, expect: int = 0) -> subprocess.CompletedProcess[str]:
    """Runs one command line to its end."""
    command = [sys.executable, "-m", "seqtrain", *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == expect, done.stdout + done.stderr
    return done


def started(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    """Starts one command line and leaves it running."""
    command = [sys.executable, "-m", "seqtrain", *arguments]
    return subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    """Waits until a file is there, or says what the process printed if it ended without it."""
    while not path.exists():
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)


def weights(run: Path, name: str = "last.pt") -> dict[str, torch.Tensor]:
    return torch.load(run / "checkpoints" / name, weights_only=True)["model"]


def summary(run: Path) -> dict:
    return json.loads((run / "summary.json").read_text())


def rows(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    """A run that nothing interrupts."""
    cwd = tmp_path_factory.mktemp("undisturbed")
    seqtrain(*SINE, *SMALL, "trainer.max_epochs=30", "run_dir=run", cwd=cwd)
    return cwd / "run"


def test_a_run_folder_holds_what_repeats_and_explains_the_run(undisturbed):
    found = {str(path.relative_to(undisturbed)) for path in undisturbed.rglob("*") if path.is_file()}
    events = {name for name in found if name.startswith("tensorboard/events.out.tfevents")}
    assert len(events) == 1
    assert found - events == {
        ".lock",
        "config.yaml",
        "overrides.yaml",
        "metrics.jsonl",
        "summary.json",
        "train.log",
        "checkpoints/last.pt",
        "checkpoints/previous.pt",
        "checkpoints/best.pt",
        "plots/forecasts.png",
        "plots/gradient-flow.png",
    }


def test_the_summary_says_how_it_went(undisturbed):
    content = summary(undisturbed)
    assert content["status"] == "finished"
    assert content["ended_by"] == "max_epochs"
    assert (content["model"], content["task"], content["seed"]) == ("gru", "sine", 0)
    assert content["parameters"] == sum(value.numel() for value in weights(undisturbed).values())
    assert (content["steps"], content["epochs"]) == (120, 30)
    assert content["seconds"] > 0
    assert content["versions"]["torch"] == torch.__version__
    assert set(content["val"]) == set(content["test"]) == {"loss", "mse", "mae"}
    assert content["best"]["mse"] == min(row["val/mse"] for row in rows(undisturbed) if "val/mse" in row)
    assert len(content["git_commit"] or "0" * 40) >= 40


def test_tensorboard_shows_the_curves(undisturbed):
    events = EventAccumulator(str(undisturbed / "tensorboard"))
    events.Reload()
    assert set(events.Tags()["scalars"]) >= {"train/loss", "train/lr", "train/grad_norm", "val/mse", "test/mse"}
    curve = {event.step: event.value for event in events.Scalars("val/mse")}
    assert curve == pytest.approx({row["step"]: row["val/mse"] for row in rows(undisturbed) if "val/mse" in row})


def test_off_a_terminal_lines_are_plain(tmp_path):
    done = seqtrain(*SINE, *SMALL, "trainer.max_steps=4", cwd=tmp_path)
    assert "\x1b" not in done.stdout
    assert any(line.startswith("step     2") and "train/loss" in line for line in done.stdout.splitlines())
    (run,) = (tmp_path / "outputs").glob("*/*-sine-gru")
    assert str(run.relative_to(tmp_path)) in done.stdout
    assert "tensorboard --logdir outputs" in done.stdout


def test_a_run_killed_at_any_moment_and_resumed_ends_with_the_same_bits(undisturbed, tmp_path):
    process = started(*SINE, *SMALL, "trainer.max_epochs=30", "trainer.checkpoint_every=1", "run_dir=run", cwd=tmp_path)
    wait_for(tmp_path / "run" / "checkpoints" / "previous.pt", process)
    process.kill()
    process.communicate()
    assert summary(tmp_path / "run")["status"] == "running"
    assert torch.load(tmp_path / "run/checkpoints/last.pt", weights_only=True)["progress"]["step"] < 120

    seqtrain("resume", "run", cwd=tmp_path)
    assert summary(tmp_path / "run")["status"] == "finished"
    for name in ("last.pt", "best.pt"):
        for key, value in weights(undisturbed, name).items():
            assert torch.equal(value, weights(tmp_path / "run", name)[key]), key
    timed = ("seconds", "_per_second")
    assert [{k: v for k, v in row.items() if not k.endswith(timed)} for row in rows(tmp_path / "run")] == [
        {k: v for k, v in row.items() if not k.endswith(timed)} for row in rows(undisturbed)
    ]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_asked_to_stop_saves_and_says_so(number, code, tmp_path):
    process = started(*SINE, *SMALL, "trainer.max_epochs=100000", "scheduler=constant", "run_dir=run", cwd=tmp_path)
    wait_for(tmp_path / "run" / "checkpoints" / "last.pt", process)
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == code, output
    assert "seqtrain resume" in output
    assert "Traceback" not in output
    content = summary(tmp_path / "run")
    assert (content["status"], content["ended_by"]) == ("stopped", number.name)
    state = torch.load(tmp_path / "run" / "checkpoints" / "last.pt", weights_only=True)
    assert state["progress"]["step"] == content["steps"]


def test_resuming_a_finished_run_changes_nothing_but_says_so(undisturbed):
    before = {path: path.read_bytes() for path in undisturbed.rglob("*") if path.is_file()}
    done = seqtrain("resume", str(undisturbed), cwd=undisturbed.parent)
    assert "finished" in done.stdout
    assert {path: path.read_bytes() for path in undisturbed.rglob("*") if path.is_file()} == before


def test_what_only_shows_with_all_options_together_is_found_before_the_folder_is_made(tmp_path):
    for wrong in ("trainer.amp=fp16", "trainer.max_epochs=null"):
        done = seqtrain(*SINE, *SMALL, wrong, "trainer.max_time=60", "device=cpu", cwd=tmp_path, expect=2)
        assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_run_stopped_before_its_first_checkpoint_starts_anew(undisturbed, tmp_path):
    (tmp_path / "run").mkdir()
    for name in ("config.yaml", "overrides.yaml"):
        (tmp_path / "run" / name).write_bytes((undisturbed / name).read_bytes())
    seqtrain("resume", "run", cwd=tmp_path)
    assert all(torch.equal(value, weights(undisturbed)[key]) for key, value in weights(tmp_path / "run").items())


def test_a_failed_run_says_why_and_keeps_its_checkpoints(tmp_path):
    arguments = [*SINE, *SMALL, "optimizer=sgd", "optimizer.lr=1e30", "trainer.clip_norm=null", "run_dir=run"]
    done = seqtrain(*arguments, cwd=tmp_path, expect=2)
    assert "of step 2 is infinite or NaN" in done.stderr
    assert done.stderr.count("\n") == 1
    assert summary(tmp_path / "run")["status"] == "failed"


@pytest.mark.slow
def test_a_sweep_makes_a_run_folder_for_each_job_and_goes_on_past_a_failure(tmp_path):
    arguments = [*SINE[1:], *SMALL, "trainer.max_steps=4", "optimizer=sgd", "trainer.clip_norm=null"]
    done = seqtrain("-m", "model=rnn,gru", "optimizer.lr=1e30,0.01", *arguments, cwd=tmp_path, expect=1)
    (sweep,) = (tmp_path / "outputs").glob("*/*-sweep")
    runs = sorted(path.name for path in sweep.iterdir() if path.is_dir())
    assert runs == ["0-sine-rnn", "1-sine-rnn", "2-sine-gru", "3-sine-gru"]
    assert [summary(sweep / run)["status"] for run in runs] == ["failed", "finished", "failed", "finished"]
    assert "2 of 4 jobs failed" in done.stderr


TRACED = """
import sys
from functools import partial
import torch

torch.compile = partial(torch.compile, backend="eager")  # the model is traced whole; no C compiler is asked
from seqtrain.cli import main

sys.exit(main())
"""


@pytest.mark.slow
def test_what_torch_compiles_trains_as_the_model_does(tmp_path):
    options = [*SINE, *SMALL, "trainer.max_steps=4", "model.dropout=0"]
    seqtrain(*options, "run_dir=./plain", cwd=tmp_path)
    compiled = [*options, "trainer.compile=true", "run_dir=./compiled"]
    done = subprocess.run(
        [sys.executable, "-c", TRACED, *compiled], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    torch.testing.assert_close(weights(tmp_path / "compiled"), weights(tmp_path / "plain"))
