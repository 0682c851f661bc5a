"""What a sweep shows while it runs."""

import io

from fake_crew import FakeProcess
from rich.console import Console

from seqtrain.sweeps import Job, Manifest
from seqtrain.sweeps.board import Board
from seqtrain.sweeps.sweep import Running


def shown(tmp_path, *, terminal: bool) -> str:
    """A sweep of three jobs: one has finished, one failed, one runs."""
    jobs = [Job(str(n), f"{n}-sine-lstm", ["task=sine", f"seed={n}"]) for n in range(3)]
    manifest = Manifest(tmp_path, ["task=sine", "seed=0,1,2"], None, "grid", jobs)
    console = Console(file=io.StringIO(), width=80, force_terminal=terminal, color_system=None, legacy_windows=False)
    with Board(manifest, 3, console) as board:
        for job in jobs:
            board.started(job)
        jobs[0].status = "finished"
        board.ended(jobs[0], {"metric": "val/mse", "best": {"mse": 0.25}, "seconds": 75.0})
        jobs[1].status, jobs[1].reason = "failed", "no [bold]such[/bold] file"
        board.ended(jobs[1], {})
        board.show([Running(jobs[2], tmp_path, FakeProcess(tmp_path, 0, []), "val/mse", [0.5, 0.125], 40)])
        board.stop("SIGINT", 1)
    return console.file.getvalue()


def test_off_a_terminal_each_start_and_end_is_a_plain_line(tmp_path):
    assert shown(tmp_path, terminal=False).splitlines() == [
        "started 0-sine-lstm  seed=0",
        "started 1-sine-lstm  seed=1",
        "started 2-sine-lstm  seed=2",
        "[1/3] finished 0-sine-lstm  seed=0  val/mse 0.25  1:15",
        "[2/3] failed 1-sine-lstm  seed=1: no [bold]such[/bold] file",
        "SIGINT: running jobs save and end (1); once more ends them at once",
    ]


def test_the_time_left_counts_down_until_the_next_job_ends(tmp_path):
    jobs = [Job(str(n), str(n), []) for n in range(4)]
    board = Board(Manifest(tmp_path, [], None, "grid", jobs), 4, Console(file=io.StringIO()))
    board.start = board.latest = (100.0, 0)
    assert board.seconds_left(105.0) is None
    jobs[0].status = "finished"
    assert [board.seconds_left(now) for now in (110.0, 115.0, 150.0)] == [30, 25, 0]
    jobs[1].status = "failed"
    assert board.seconds_left(160.0) == 60


def test_on_a_terminal_running_jobs_stand_below_the_lines(tmp_path):
    text = shown(tmp_path, terminal=True)
    assert "started" not in text
    assert "[1/3] finished 0-sine-lstm" in text
    assert "2-sine-lstm  seed=2  step 40  val/mse 0.125" in text
    bar = next(line for line in text.splitlines() if "━" in line)
    assert "2/3 ━" in bar
    assert "1 running" in bar
    assert bar.rstrip().endswith("left")
