"""Several processes as a user starts and stops them."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

pytestmark = pytest.mark.slow

SINE = ["model=gru", "task=sine", "model.hidden_size=8", "model.dropout=0", "trainer.log_every=4", "device=cpu"]
SMALL = ["task.train_size=250", "task.val_size=61", "task.test_size=31", "task.lookback=12", "task.horizon=4"]
RUN = [*SINE, *SMALL, "trainer.max_epochs=3", "run_dir=./run"]
SEQTRAIN = [sys.executable, "-m", "seqtrain"]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
FAILING = str(Path(__file__).with_name("failing.py"))
LONGEST = 240
"""Seconds after which a command is given up, on a machine that is busy with much else."""


def run(command: list[str], cwd: Path, expect: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=LONGEST)
    assert done.returncode == expect, done.stdout + done.stderr
    return done


def weights(folder: Path) -> list[torch.Tensor]:
    return list(torch.load(folder / "checkpoints" / "last.pt", weights_only=True)["model"].values())


def summary(folder: Path) -> dict:
    return json.loads((folder / "summary.json").read_text())


def assert_alike(some: Path, others: Path) -> None:
    for one, other in zip(weights(some), weights(others), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=2e-5)


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Path:
    """A run in one process."""
    cwd = tmp_path_factory.mktemp("alone")
    run([*SEQTRAIN, *RUN], cwd)
    return cwd / "run"


def ours(lines: str) -> list[str]:
    """The lines that are not the launcher's own."""
    return [line for line in lines.splitlines() if line.startswith("seqtrain: ")]


def test_a_run_asks_for_two_processes_and_goes_on_in_two(tmp_path):
    done = run([*SEQTRAIN, *RUN, "trainer.devices=2", "trainer.max_epochs=2", "scheduler=constant"], tmp_path)
    assert done.stderr == ""
    assert done.stdout.count("2 processes") == 1
    content = summary(tmp_path / "run")
    assert (content["status"], content["processes"]) == ("finished", 2)
    assert set(content["test"]) == {"loss", "mse", "mae"}
    assert {path.name for path in tmp_path.iterdir()} == {"run"}
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    steps = [row["step"] for row in rows if "train/loss" in row]
    assert steps == sorted(set(steps))  # one process wrote

    done = run([*SEQTRAIN, "resume", "run", "trainer.max_epochs=3"], tmp_path)
    assert "resumed  after step 8" in done.stdout
    assert summary(tmp_path / "run")["steps"] == 12


def test_torchrun_starts_them_too_and_a_dry_run_keeps_nothing(alone, tmp_path):
    run([*TORCHRUN, "-m", "seqtrain", *RUN], tmp_path)
    assert_alike(tmp_path / "run", alone)
    done = run([*SEQTRAIN, *RUN, "run_dir=./dry", "trainer.devices=2", "trainer.dry_run=true"], tmp_path)
    assert "nothing was kept" in done.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"run"}


def test_a_failure_of_one_is_told_once_and_an_attempt_after_it_goes_on(alone, tmp_path):
    done = run([*TORCHRUN, "--max-restarts=1", FAILING, "error", *RUN, "model.dropout=0"], tmp_path)
    assert ours(done.stderr) == ["seqtrain: process 1 of 2: a.csv, line 7: not a number"]
    assert "resumed  after step 4" in done.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"run"}
    assert_alike(tmp_path / "run", alone)


def test_a_fault_of_ours_is_told_once_with_its_traceback(tmp_path):
    done = run([*TORCHRUN, FAILING, "fault", *RUN], tmp_path, expect=1)
    assert done.stderr.count("ZeroDivisionError: a fault of ours") == 1
    assert ours(done.stderr) == []
    assert "ProcessLostError" not in done.stderr
    assert summary(tmp_path / "run")["status"] == "failed"


def test_what_all_refuse_is_said_once(tmp_path):
    done = run([*TORCHRUN, "-m", "seqtrain", *RUN, "trainer.devices=3"], tmp_path, expect=1)
    assert len(ours(done.stderr)) == 1
    assert "trainer.devices=3: 2 processes were started" in done.stderr
    done = run(
        [*SEQTRAIN, *RUN, "trainer.devices=2", "optimizer.lr=1e30", "trainer.clip_norm=null"], tmp_path, expect=2
    )
    (line,) = done.stderr.splitlines()
    assert "is infinite or NaN" in line


ENDLESS = ["trainer.devices=2", "trainer.max_epochs=1000000", "scheduler=constant", "trainer.eval_every=1000000000"]


def started(cwd: Path) -> subprocess.Popen[str]:
    """A run of two processes that has taken some steps."""
    command = [*SEQTRAIN, *RUN, *ENDLESS]
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + LONGEST
    while not (cwd / "run" / "metrics.jsonl").exists() or not (cwd / "run" / "metrics.jsonl").stat().st_size:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGUSR1"])
def test_a_signal_to_the_launcher_stops_all_and_saves(tmp_path, name):
    process = started(tmp_path)
    process.send_signal(signal.Signals[name])
    out, errors = process.communicate(timeout=LONGEST)
    assert process.returncode == 128 + signal.Signals[name], out + errors
    assert errors == ""
    content = summary(tmp_path / "run")
    assert (content["status"], content["ended_by"]) == ("stopped", name)
    state = torch.load(tmp_path / "run" / "checkpoints" / "last.pt", weights_only=True)
    assert state["progress"]["step"] == content["steps"]
    assert len(state["rng_of_others"]) == 1


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads /proc to find the processes")
def test_a_process_that_is_killed_ends_all_with_one_line(tmp_path):
    process = started(tmp_path)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    workers = [pid for pid in children if b"resume" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert len(workers) == 2
    subprocess.run(["kill", "-KILL", workers[1]], check=True)
    out, errors = process.communicate(timeout=LONGEST)
    assert process.returncode == 128 + signal.SIGKILL, out + errors
    (line,) = errors.splitlines()
    assert line.startswith("seqtrain: process 1 of 2 was ended by SIGKILL; if memory ran out, lower trainer.batch_size")


def test_processes_without_their_launcher_save_and_end(tmp_path):
    process = started(tmp_path)
    process.kill()
    process.communicate(timeout=LONGEST)
    deadline = time.monotonic() + LONGEST
    while summary(tmp_path / "run")["status"] == "running":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert summary(tmp_path / "run")["ended_by"] == "SIGHUP"


def test_a_finished_run_is_shown_once(alone, tmp_path):
    done = run([*TORCHRUN, "-m", "seqtrain", "resume", str(alone)], tmp_path)
    assert done.stdout.count("finished (max_epochs)") == 1


def test_data_that_cannot_be_read_leaves_no_folder(tmp_path):
    (tmp_path / "a.csv").write_text("hour,load\n1,2\n")
    several = [*SEQTRAIN, "model=gru", "task=series", "task.path=a.csv", "device=cpu", "trainer.devices=2"]
    (error,) = run([*several, "run_dir=./run"], tmp_path, expect=2).stderr.splitlines()
    assert "a.csv" in error
    assert {path.name for path in tmp_path.iterdir()} == {"a.csv"}
    assert "Traceback" in run([*several, "run_dir=./run", "--debug"], tmp_path, expect=1).stderr
