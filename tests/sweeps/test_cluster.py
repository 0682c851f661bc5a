"""Jobs of a cluster, tried with submitit's local executor and a job that counts instead of training."""

import json
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest

from seqtrain.cli import main
from seqtrain.errors import ConfigError
from seqtrain.sweeps import Ray, Submitit, cluster
from seqtrain.sweeps.cluster import SubmititCrew, SubmititProcess
from seqtrain.sweeps.remote import STOP, Remote, request_stop, withdraw_stop

COUNT = """
import pathlib, signal, sys, time
file = pathlib.Path("{run}/count")
count = int(file.read_text()) if file.exists() else 0
(file.parent / "starts").open("a").write(f"{{count}}\\n")
stopped = []
signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
while count < {end} and not stopped:
    count += 1
    partial = file.with_name("partial")
    partial.write_text(str(count))
    partial.replace(file)
    time.sleep({pause})
sys.exit(143 if stopped else 0)
"""
"""Counts to a number, keeping how far it is; goes on from there when it is started again."""


def counting(run: Path, end: int, pause: float = 0.0) -> Remote:
    run.mkdir(exist_ok=True)
    return Remote(run, [sys.executable, "-c", COUNT.format(run=run, end=end, pause=pause)])


def counted(run: Path) -> int:
    return int((run / "count").read_text())


def starts(run: Path) -> list[int]:
    return [int(line) for line in (run / "starts").read_text().split()]


def until(condition) -> None:
    """Waits for something that another process does; far longer than it takes."""
    for _ in range(10_000):
        if condition():
            return
        time.sleep(0.02)
    pytest.fail("it never happened")


@pytest.fixture
def slurm(monkeypatch):
    """As if SLURM were here."""
    submitit = pytest.importorskip("submitit")
    monkeypatch.setattr(cluster, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(submitit.SlurmExecutor, "affinity", classmethod(lambda _: 2))


# -------------------------------------------------------------------- a job elsewhere


def test_a_remote_job_runs_to_its_end_and_tells_its_exit_code(tmp_path):
    assert counting(tmp_path, 3)() == 0
    assert counted(tmp_path) == 3
    assert Remote(tmp_path, [sys.executable, "-c", "print('why'); raise SystemExit(2)"])() == 2
    assert (tmp_path / "job.log").read_text() == "why\n"


def test_a_request_in_its_folder_stops_it(tmp_path):
    request_stop(tmp_path)
    assert counting(tmp_path, 10**6, 0.01)() == 143
    assert 0 < counted(tmp_path) < 10**6
    withdraw_stop(tmp_path)
    assert not (tmp_path / STOP).exists()


def test_a_signal_that_the_sweep_did_not_send_does_not_end_it(tmp_path):
    """As when a cluster warns every process of a machine that is taken back."""
    script = "import os, pathlib, sys; file = pathlib.Path(sys.argv[1]); first = not file.exists(); file.touch(); "
    script += "os.kill(os.getpid(), 15) if first else None"
    code = Remote(
        tmp_path,
        [
            sys.executable,
            "-c",
            "import signal, sys; signal.signal(15, lambda *_: sys.exit(143)); " + script,
            str(tmp_path / "f"),
        ],
    )()
    assert code == 0


def test_checkpoint_saves_and_asks_to_go_on(tmp_path):
    pytest.importorskip("submitit")
    remote = counting(tmp_path, 10**6, 0.01)
    child = remote.start()
    until(lambda: (tmp_path / "count").exists())
    delayed = remote.checkpoint()
    assert child.returncode == 143
    again = delayed.function
    assert (again.run, again.argv, again.child) == (tmp_path, remote.argv, None)


# -------------------------------------------------------------------- submitit


@pytest.mark.slow
def test_a_job_that_is_warned_saves_queues_again_and_goes_on_in_the_same_folder(tmp_path):
    submitit = pytest.importorskip("submitit")
    executor = submitit.AutoExecutor(folder=tmp_path / "cluster", cluster="local")
    executor.update_parameters(timeout_min=5)
    remote = counting(tmp_path / "run", 100, 0.02)
    job = executor.submit(remote)
    process = SubmititProcess(tmp_path / "run", job)
    until(lambda: (tmp_path / "run" / "count").exists() and counted(tmp_path / "run") > 2)
    # The warning goes to the task, as SLURM's does; the executor's controller is the task's parent.
    children = Path(f"/proc/{job.job_id}/task/{job.job_id}/children").read_text().split()
    subprocess.run(["kill", "-USR2", *children], check=True)
    until(lambda: len(starts(tmp_path / "run")) == 2)
    until(lambda: process.poll() is not None)
    assert process.poll() == 0
    first, second = starts(tmp_path / "run")
    assert first == 0 < second < 100
    assert counted(tmp_path / "run") == 100


@pytest.mark.slow
def test_the_crew_submits_stops_and_tells_a_lost_job(tmp_path, monkeypatch):
    pytest.importorskip("submitit")
    crew = Submitit(cluster="local", jobs=2, timeout_min=5).open(tmp_path, 0)
    assert (crew.places, crew.describe()) == (2, "up to 2 in the queue of local")
    monkeypatch.setattr(cluster, "Remote", lambda run: counting(run, 10**6, 0.02))
    run = tmp_path / "run"
    run.mkdir()
    process = crew.start(run, 0)
    assert json.loads((run / "cluster.json").read_text())["cluster"] == "local"
    until(lambda: (run / "count").exists())
    process.stop()
    until(lambda: process.poll() is not None)
    assert process.poll() == 143
    (tmp_path / "other").mkdir()
    lost = crew.start(tmp_path / "other", 1)
    until(lambda: (tmp_path / "other" / "count").exists())
    lost.kill()
    until(lambda: lost.poll() is not None)
    assert lost.poll() == 1
    assert "the cluster ended the job" in (tmp_path / "other" / "job.log").read_text()


def test_a_job_that_outlived_its_sweep_is_taken_up_not_doubled(tmp_path):
    alive = SimpleNamespace(done=lambda force_check: False, job_id="7")  # noqa: ARG005
    asked = []
    executor = SimpleNamespace(
        folder=tmp_path,
        job_class=lambda folder, job: asked.append((folder, job)) or alive,
        submit=lambda call: SimpleNamespace(job_id="8"),  # noqa: ARG005
    )
    crew = SubmititCrew(1, executor, "slurm")
    crew.start(tmp_path, 0)
    assert json.loads((tmp_path / "cluster.json").read_text()) == {"cluster": "slurm", "job": "8"}
    process = crew.start(tmp_path, 0)
    assert process.job is alive
    assert asked == [(tmp_path, "8")]
    alive.done = lambda force_check: True  # noqa: ARG005
    assert crew.start(tmp_path, 0).job is not alive


@pytest.mark.usefixtures("slurm")
def test_options_become_submitits():
    told = Submitit(
        partition="gpu",
        gpus=1,
        mem_gb=8.0,
        setup=["module load cuda"],
        additional={"constraint": "a100"},
        account="a",
        qos="q",
    ).parameters()
    assert told == {
        "name": "seqtrain",
        "timeout_min": 240,
        "cpus_per_task": 4,
        "gpus_per_node": 1,
        "mem_gb": 8.0,
        "slurm_partition": "gpu",
        "slurm_account": "a",
        "slurm_qos": "q",
        "slurm_setup": ["export OMP_NUM_THREADS=4", "module load cuda"],
        "slurm_additional_parameters": {"constraint": "a100"},
    }
    assert not {"mem_gb", "slurm_partition"} & Submitit().parameters().keys()


@pytest.mark.usefixtures("slurm")
def test_slurm_is_told_how_often_a_job_may_queue_again(tmp_path):
    crew = Submitit(requeues=3).open(tmp_path, 0)
    assert crew.executor._executor.max_num_timeout == 3


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["launcher=submitit"], "launcher.cluster=slurm: there is no SLURM here"),
        (["launcher=submitit", "launcher.cluster=slrm"], "did you mean slurm?"),
        (["launcher=submitit", "launcher.additional=5"], "launcher.additional=5: expected options"),
        (["launcher=submitit", "launcher.timeout_min=0"], "launcher.timeout_min=0: must be at least 1"),
    ],
)
def test_what_is_wrong_is_one_line(arguments, text, tmp_path, monkeypatch, capsys):
    pytest.importorskip("submitit")
    monkeypatch.chdir(tmp_path)
    assert main(["-m", "task=sine", "seed=1", *arguments]) == 2
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("launcher", "package"), [(Submitit, "submitit"), (Ray, "ray")])
def test_without_the_extra_one_line_names_it(launcher, package, monkeypatch):
    monkeypatch.setattr(cluster, "find_spec", lambda name: None if name == package else find_spec(name))
    with pytest.raises(ConfigError, match=rf"launcher={package}: needs .*pip install 'seqtrain\[{package}\]'"):
        launcher()


# -------------------------------------------------------------------- Ray


@pytest.mark.slow
def test_ray_runs_stops_and_loses_jobs(tmp_path):
    pytest.importorskip("ray", reason="the extra ray isn't installed; it is large, and tried by hand")
    crew = Ray(jobs=2, cpus=1).open(tmp_path, 0)
    try:
        assert crew.describe() == "up to 2 handed to Ray"
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "config.yaml").write_text("a: [")  # a run that can't go on says so
        process = crew.start(tmp_path / "a", 0)
        until(lambda: process.poll() is not None)
        assert process.poll() == 2
        assert "damaged" in (tmp_path / "a" / "job.log").read_text()
        lost = crew.start(tmp_path / "b", 1)
        lost.kill()
        until(lambda: lost.poll() is not None)
        lost.stop()
        assert (tmp_path / "b" / STOP).exists()
    finally:
        crew.close()
