"""Sweeps as a user types them. Their jobs train nothing here, but for one test marked slow."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from fake_crew import FakeCrew

from seqtrain.cli import main
from seqtrain.runs import leaderboard
from seqtrain.sweeps import Local, Manifest, locked, sweep

SINE = ["task=sine", "task.train_size=64"]


@pytest.fixture
def crew(monkeypatch, tmp_path):
    """Makes every local job one that trains nothing: its only validation is its seed, or what a test says."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sweep, "SECONDS_BETWEEN_LOOKS", 0)
    monkeypatch.setattr(leaderboard, "png", lambda found: b"")  # noqa: ARG005  # drawn once, in another test
    made = FakeCrew(lambda run: (0, [float(config(run)["seed"])]))

    def opened(self, folder, lock):  # noqa: ARG001
        made.places = self.jobs or 1
        return made

    monkeypatch.setattr(Local, "open", opened)
    return made


def config(run: Path) -> dict:
    return yaml.safe_load((run / "config.yaml").read_text())


def statuses(folder: str) -> dict[str, str]:
    return {job["folder"]: job["status"] for job in json.loads(Path(folder, "sweep.json").read_text())["jobs"]}


# -------------------------------------------------------------------- a grid


def test_a_sweep_runs_every_combination_and_leaves_a_leaderboard(crew, capsys):
    assert main(["-m", "model=rnn,gru", "seed=1,2", *SINE]) == 0
    (folder,) = Path("outputs").glob("*/*-sweep")
    assert [name for name, _ in crew.started] == ["0-sine-rnn", "1-sine-rnn", "2-sine-gru", "3-sine-gru"]
    assert (config(folder / "3-sine-gru")["model_name"], config(folder / "3-sine-gru")["seed"]) == ("gru", 2)
    assert config(folder / "0-sine-rnn").keys().isdisjoint({"sweep", "launcher", "hydra", "run_dir"})
    shown = capsys.readouterr().out
    assert "4 jobs" in shown
    assert "[1/4] finished 0-sine-rnn  model=rnn seed=1  val/mse 1" in shown
    assert "1.50 ± 0.71" in shown
    rows = list(csv.DictReader((folder / "leaderboard.csv").read_text().splitlines()))
    assert [(row["model"], row["runs"], float(row["val/mse"])) for row in rows] == [
        ("rnn", "2", 1.5),
        ("gru", "2", 1.5),
    ]
    assert (folder / "leaderboard.md").exists()
    assert (folder / "leaderboard.png").exists()
    assert main(["compare", str(folder)]) == 0


def test_a_failing_job_says_why_at_once_and_ends_no_other(crew, capsys):
    crew.script = lambda run: (2, []) if config(run)["seed"] == 1 else (0, [1.0])
    assert main(["-m", "seed=1,2", *SINE, "hydra.sweep.dir=s"]) == 1
    assert statuses("s") == {"0-sine-lstm": "failed", "1-sine-lstm": "finished"}
    told = capsys.readouterr()
    lines = told.out.splitlines()
    failed = next(number for number, line in enumerate(lines) if "failed 0-sine-lstm" in line)
    assert lines[failed].endswith("seed=1: the loss became NaN")
    assert failed < next(number for number, line in enumerate(lines) if "finished" in line)
    assert "1 of 2 jobs failed: 0-sine-lstm; seqtrain resume s" in told.err  # the reason was told


@pytest.mark.parametrize(
    ("code", "log", "reason"),
    [
        (-9, "", "killed by SIGKILL, as when memory runs out"),
        (2, "starting\nseqtrain: x.csv: no such file\n\n", "x.csv: no such file"),
        (1, "", "exit code 1"),
    ],
)
def test_a_job_that_could_say_nothing_is_told_by_its_last_words(code, log, reason, crew, capsys):
    def script(run):
        (run / "job.log").write_text(log)
        return (code if code != 2 else 3), [1.0]

    crew.script = script
    assert main(["-m", "seed=1", *SINE, "hydra.sweep.dir=s"]) == 1
    assert Manifest.load(Path("s")).jobs[0].reason == reason
    assert reason in capsys.readouterr().out


def test_started_again_a_sweep_skips_reruns_and_resumes(crew, capsys):
    """Of four jobs one has finished, one failed, one was cut off with a checkpoint, one never began."""
    arguments = ["-m", "seed=1,2,3,4", *SINE, "hydra.sweep.dir=s"]
    crew.script = lambda run: (2, [1.0]) if config(run)["seed"] == 2 else (0, [1.0])
    assert main(arguments) == 1
    manifest = Manifest.load(Path("s"))
    for number in (2, 3):
        (manifest.path(manifest.jobs[number]) / "summary.json").unlink()
    cut = Path("s/2-sine-lstm")
    (cut / "summary.json").write_text('{"status": "running"}')
    for run in (cut, Path("s/1-sine-lstm")):
        (run / "checkpoints").mkdir()
        (run / "checkpoints" / "last.pt").touch()
    manifest.jobs[2].status = "running"
    manifest.save()
    crew.started.clear()
    crew.script = lambda _: (0, [1.0])
    assert main(["resume", "s"]) == 0
    assert [name for name, _ in crew.started] == ["1-sine-lstm", "2-sine-lstm", "3-sine-lstm"]
    assert (cut / "checkpoints" / "last.pt").exists()  # it goes on
    assert not Path("s/1-sine-lstm/checkpoints").exists()  # it begins anew
    assert set(statuses("s").values()) == {"finished"}
    assert "4 jobs, 1 of them done" in capsys.readouterr().out


def test_the_same_command_with_its_folder_goes_on_too_and_takes_new_values(crew):
    assert main(["-m", "seed=1,2", *SINE, "hydra.sweep.dir=s"]) == 0
    assert main(["-m", "seed=1,2", *SINE, "hydra.sweep.dir=s", "launcher.jobs=2"]) == 0
    assert len(crew.started) == 2
    assert main(["-m", "seed=0,1,2,3", *SINE, "hydra.sweep.dir=s"]) == 0
    assert [name for name, _ in crew.started[2:]] == ["2-sine-lstm", "3-sine-lstm"]
    assert [config(Path("s") / f"{number}-sine-lstm")["seed"] for number in range(4)] == [1, 2, 0, 3]


def test_a_sweep_goes_on_as_it_was_but_for_how_it_is_launched(crew, capsys):
    crew.script = lambda run: (2, [1.0]) if config(run)["seed"] == 2 else (0, [1.0])
    assert main(["-m", "seed=1,2,3", *SINE, "hydra.sweep.dir=s"]) == 1
    assert main(["resume", "s", "launcher.jobs=3"]) == 1
    assert crew.places == 3
    assert main(["resume", "s", "optimizer.lr=1"]) == 2
    assert "optimizer.lr=1: a sweep goes on with the runs that it has" in capsys.readouterr().err


def test_jobs_that_are_the_same_run_once(crew):
    assert main(["-m", "seed=1,1,2", *SINE, "hydra.sweep.dir=s"]) == 0
    assert [name for name, _ in crew.started] == ["0-sine-lstm", "2-sine-lstm"]


def test_jobs_run_side_by_side_each_in_a_place_of_its_own(crew):
    crew.script = lambda run: (0, [1.0] * (1 + config(run)["seed"]))
    assert main(["-m", "seed=3,0,0,0,1", "model=rnn,gru", *SINE, "hydra.sweep.dir=s", "launcher.jobs=3"]) == 0
    assert {place for _, place in crew.started} == {0, 1, 2}
    assert [place for _, place in crew.started[:3]] == [0, 1, 2]
    assert set(statuses("s").values()) == {"finished"}


def test_values_with_spaces_commas_and_dots_stay_whole(crew):
    values = "'a, b.csv','c d=e.csv'"
    assert main(["-m", "task=series", f"task.path={values}", "hydra.sweep.dir=s s.x"]) == 0
    paths = [config(Path("s s.x") / f"{number}-series-lstm")["task"]["path"] for number in range(2)]
    assert [Path(path).name for path in paths] == ["a, b.csv", "c d=e.csv"]
    assert len(crew.started) == 2


def test_several_tasks_have_a_leaderboard_each(crew):
    assert main(["-m", "task=sine,adding", "seed=1,2", "hydra.sweep.dir=s"]) == 0
    assert {path.name for path in Path("s").glob("*.csv")} == {"leaderboard-sine.csv", "leaderboard-adding.csv"}
    assert len(crew.started) == 4


def test_ctrl_c_lets_the_jobs_save_and_says_how_to_go_on(crew, capsys):
    looks = iter(range(100))
    crew.on_look = lambda: os.kill(os.getpid(), signal.SIGINT) if next(looks) == 1 else None
    crew.script = lambda _: (0, [1.0] * 100)
    assert main(["-m", "seed=1,2,3", *SINE, "hydra.sweep.dir=s", "launcher.jobs=2"]) == 130
    assert all(process.asked_to_stop and not process.killed for process in crew.processes)
    assert list(statuses("s").values()) == ["stopped", "stopped", "waiting"]
    told = capsys.readouterr().out
    assert "SIGINT: running jobs save and end (2)" in told
    assert "go on  seqtrain resume s" in told


def test_a_second_ctrl_c_ends_the_jobs_at_once(crew):
    crew.on_look = lambda: os.kill(os.getpid(), signal.SIGINT)
    crew.script = lambda _: (0, [1.0] * 100)
    start = crew.start

    def deaf(run, place):
        process = start(run, place)
        process.stop = lambda: None
        return process

    crew.start = deaf
    assert main(["-m", "seed=1,2", *SINE, "hydra.sweep.dir=s"]) == 130
    assert crew.processes[0].killed


# -------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["seed=range(3,3)"], "seed=range(3,3): gives no value, so the sweep is empty"),
        (["seed=interval(0,1)"], "has no end of values; list some, or search with sweep=optuna"),
        (["launcher.jobs=1,2"], "launcher.jobs=1,2: is of the whole sweep"),
        (["launcher.job=2"], "launcher.job: unknown key; did you mean launcher.jobs?"),
        (["launcher.jobs=0"], "launcher.jobs=0: must be at least 1"),
        (["launcher=locl"], "launcher=locl: no such launcher; did you mean local?"),
        (["trainer.dry_run=true"], "trainer.dry_run=true: keeps nothing, and a sweep keeps all"),
        (["run_dir=x"], "run_dir=x: a sweep has a folder of its own; say hydra.sweep.dir=x"),
        (["hydra/launcher=joblib"], "hydra/launcher=joblib: seqtrain runs its own sweeps; say launcher=WORD"),
        (["hydra.sweeper.params.x=1"], "say sweep=WORD"),
        (["--config-name", "x"], "--config-name: a sweep doesn't take this"),
        (["optimizer.lr=0.1,-1"], "optimizer.lr=-1"),
        (["optimizer.lrr=0.1,1"], "did you mean optimizer.lr?"),
        (["seed=1,2", "hydra.sweep.subdir=same"], "hydra.sweep.subdir=same: two jobs would share it"),
    ],
)
def test_what_is_wrong_is_one_line_and_makes_no_run(arguments, text, crew, capsys):
    assert main(["-m", *SINE, *arguments]) == 2
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1
    assert crew.started == []
    assert list(Path().iterdir()) == []


def test_options_of_a_sweep_need_one(crew, capsys):
    for option in ("launcher.jobs=4", "sweep=optuna", "+launcher.x=1"):
        assert main([*SINE, option]) == 2
        assert f"{option}: is of a sweep; add -m" in capsys.readouterr().err
    assert crew.started == []


def test_a_sweep_that_runs_is_not_started_twice(crew, capsys):
    assert main(["-m", "seed=1", *SINE, "hydra.sweep.dir=s"]) == 0
    with locked(Path("s")):
        assert main(["resume", "s"]) == 2
    assert "s: this sweep is running" in capsys.readouterr().err
    assert len(crew.started) == 1


@pytest.mark.parametrize("content", ["", "{}", '{"format": 1, "jobs": [{"x": 1}]}', '{"format": 99}'])
def test_a_damaged_manifest_is_named(content, tmp_path, capsys):
    (tmp_path / "sweep.json").write_text(content)
    assert main(["resume", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "sweep.json: " in error
    assert error.count("\n") == 1


# -------------------------------------------------------------------- for real


@pytest.mark.slow
def test_a_real_sweep_is_stopped_and_goes_on(tmp_path):
    """Two jobs at a time; the whole sweep is stopped in their midst, then comes to its end."""
    small = ["task.val_size=64", "task.test_size=64", "task.lookback=12", "task.horizon=4", "model.hidden_size=4"]
    command = [sys.executable, "-m", "seqtrain"]
    arguments = ["-m", "model=rnn,gru", *SINE, *small, "trainer.max_epochs=60", "scheduler=constant"]
    whole = subprocess.Popen([*command, *arguments, "hydra.sweep.dir=s", "launcher.jobs=2"], cwd=tmp_path)
    while not all((tmp_path / "s" / run / "checkpoints/last.pt").exists() for run in ("0-sine-rnn", "1-sine-gru")):
        assert whole.poll() is None
        time.sleep(0.02)
    whole.send_signal(signal.SIGINT)
    assert whole.wait() == 130
    before = statuses(str(tmp_path / "s"))
    assert "stopped" in before.values()
    done = subprocess.run([*command, "resume", "s"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "by val/mse" in done.stdout
    assert (tmp_path / "s" / "leaderboard.png").read_bytes().startswith(b"\x89PNG")
    for run in ("0-sine-rnn", "1-sine-gru"):
        rows = [json.loads(line) for line in (tmp_path / "s" / run / "metrics.jsonl").read_text().splitlines()]
        validations = [row["step"] for row in rows if "val/mse" in row]
        assert validations == list(range(1, 61))
        assert ("resumed" in (tmp_path / "s" / run / "job.log").read_text()) is (before[run] == "stopped")
