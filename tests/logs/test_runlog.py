import io
import json
import math
import time

import numpy as np
import pytest
from rich.console import Console

from seqtrain.logs.runlog import BarLine, RunLog, brief, clock, cut_rows, number
from seqtrain.picture import Picture, Scores


def test_scalars_reach_the_file_and_the_console(tmp_path):
    console = Console(file=io.StringIO(), width=40)
    with RunLog(tmp_path, console) as log:
        log.scalars(5, 0.5, 1.25, {"train/loss": 0.25, "val/accuracy": math.nan})
        log.warn("look here")
    row = json.loads((tmp_path / "metrics.jsonl").read_text())
    assert row == {"step": 5, "epoch": 0.5, "seconds": 1.25, "train/loss": 0.25, "val/accuracy": None}
    for text in (console.file.getvalue(), (tmp_path / "train.log").read_text()):
        assert "step      5  epoch   0.50  train/loss 0.25  val/accuracy nan\n" in text
        assert "warning: look here\n" in text


def test_on_a_terminal_a_bar_shows_step_loss_speed_and_time_left(tmp_path):
    console = Console(file=io.StringIO(), width=100, force_terminal=True, force_interactive=True)
    with RunLog(tmp_path, console) as log:
        log.start_progress(0, 200, ("train/loss", "val/mse"))
        log.scalars(10, 0.1, 1.0, {"train/loss": 0.125, "train/lr": 0.1})
        log.progress.next_draw = 0
        log.advance(20)
    shown = console.file.getvalue()
    assert "20/200" in shown
    assert "loss 0.125" in shown
    assert "lr" not in shown
    assert "steps/s" in shown
    assert "left" in shown


def test_on_a_terminal_validation_leaves_a_line_and_training_only_moves_the_bar(tmp_path):
    console = Console(file=io.StringIO(), width=200, force_terminal=True, force_interactive=True)
    with RunLog(tmp_path, console) as log:
        log.start_progress(0, 200, ())
        log.scalars(10, 0.1, 1.0, {"train/loss": 0.125})
        log.scalars(10, 0.1, 1.0, {"val/mse": 0.5})
    assert "train/loss" not in console.file.getvalue()
    assert "val/mse 0.5" in console.file.getvalue()


def test_the_bar_is_drawn_a_few_times_a_second_at_most(tmp_path):
    console = Console(file=io.StringIO(), force_terminal=True, force_interactive=True)
    with RunLog(tmp_path, console) as log:
        log.start_progress(0, 10_000, ())
        log.advance(1)
        size = len(console.file.getvalue())
        for step in range(2, 50):
            log.advance(step)
        assert len(console.file.getvalue()) == size


def test_rows_past_the_checkpoint_of_the_test_and_half_written_ones_are_cut_off(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step": 1, "test/mse": 1}\n{"step": 2}\n{"step": 3}\n{"ste')
    cut_rows(path, 2)
    assert path.read_text() == '{"step": 1}\n{"step": 2}\n'
    cut_rows(tmp_path / "none.jsonl", 2)


def test_what_no_file_can_show_leaves_none(tmp_path):
    with RunLog(tmp_path, Console(file=io.StringIO())) as log:
        curve = Picture("curve", Scores(np.array([True]), np.array([0.5])))
        log.pictures(1, [curve, Picture("sample", "so it goes")])
    assert [path.name for path in (tmp_path / "plots").iterdir()] == ["sample.md"]


@pytest.mark.parametrize(
    "damaged", [b"1", b"\xff\xfe", b'{"steq": 1}', b'{"step": "1"}', b"9" * 5000, b"[" * 3000, b"null", b"\0\0"]
)
def test_damaged_rows_are_cut_off(tmp_path, damaged):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step": 1}\n' + damaged + b'\n{"step": 2}\n')
    cut_rows(path, 2)
    assert path.read_text() == '{"step": 1}\n{"step": 2}\n'


@pytest.mark.parametrize("width", [100, 80, 60, 40])
def test_the_bar_fits_in_one_line_with_its_step(tmp_path, width):
    console = Console(file=io.StringIO(), width=width, force_terminal=True, force_interactive=True, color_system=None)
    with RunLog(tmp_path, console) as log:
        log.start_progress(0, 1570, ("train/loss", "val/accuracy"))
        log.latest = {"train/loss": 0.0002261, "val/accuracy": 0.9985}
        log.progress.next_draw, log.progress.start = 0, (time.perf_counter() - 45, 0)
        log.advance(775)
        drawn = console.file.getvalue().rpartition("\x1b[2K")[2]
    assert "\n" not in drawn
    assert len(drawn) <= width
    assert "775/1570" in drawn
    assert drawn.rstrip().endswith("left")


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (65, "1:05"), (3600, "1:00:00"), (90_061, "25:01:01")])
def test_durations_read_like_a_clock(seconds, text):
    assert clock(seconds) == text


@pytest.mark.parametrize(("value", "text"), [(0.123456, "0.1235"), (1234.5, "1234"), (0.0, "0"), (2e-5, "2e-05")])
def test_numbers_are_short(value, text):
    assert number(value) == text


def drawn_at(width: int, pieces: dict[str, str], line: BarLine | None = None) -> str:
    line = line or BarLine(100)
    line.show(5, pieces)
    console = Console(file=io.StringIO(), width=width, color_system=None, force_terminal=True, force_interactive=True)
    console.print(line)
    return console.file.getvalue().rstrip("\n")


PIECES = {"loss": "loss 0.5", "acc": "acc 0.9", "pace": "8.0 steps/s", "speed": "512 examples/s", "left": "0:10 left"}


@pytest.mark.parametrize(
    ("width", "kept"),
    [
        (30, ["left"]),
        (40, ["loss", "left"]),
        (50, ["loss", "acc", "left"]),
        (60, ["loss", "acc", "pace", "left"]),
        (80, list(PIECES)),
    ],
)
def test_the_bar_shows_what_matters_most_first(width, kept):
    drawn = drawn_at(width, PIECES)
    assert [name for name, text in PIECES.items() if text in drawn] == kept
    assert len(drawn) < width


def test_pieces_neither_move_nor_come_and_go_as_numbers_change():
    line = BarLine(100)
    first = drawn_at(42, PIECES | {"loss": "loss 0.123456"}, line)
    second = drawn_at(42, PIECES | {"loss": "loss 1"}, line)
    assert first.index("0:10") == second.index("0:10")
    assert ("loss" in first) == ("loss" in second)


def test_a_bar_without_an_end_counts():
    line = BarLine(None)
    assert drawn_at(40, {"pace": "8.0 steps/s"}, line).startswith("5 ")


def test_a_terminal_that_cannot_move_its_cursor_gets_lines(tmp_path, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    with RunLog(tmp_path, console) as log:
        log.start_progress(0, 200, ())
        log.scalars(10, 0.1, 1.0, {"train/loss": 0.125})
    assert "train/loss 0.125" in console.file.getvalue()


def test_examples_per_second_are_in_the_bar(tmp_path):
    console = Console(file=io.StringIO(), width=100, force_terminal=True, force_interactive=True)
    with RunLog(tmp_path, console) as log:
        log.start_progress(0, 200, ("train/loss",))
        log.scalars(10, 0.1, 1.0, {"train/loss": 0.125, "train/examples_per_second": 1234.0})
        log.progress.next_draw = 0
        log.advance(20)
    assert "1.2k examples/s" in console.file.getvalue()


def test_on_a_narrow_terminal_a_line_breaks_between_values_only(tmp_path):
    console = Console(file=io.StringIO(), width=40, force_terminal=True, force_interactive=True, color_system=None)
    with RunLog(tmp_path, console) as log:
        log.scalars(5, 0.5, 1.25, {"val/loss": 0.25, "val/accuracy": 0.5, "val/f1": 0.125})
    lines = console.file.getvalue().splitlines()
    assert lines == ["step      5  epoch   0.50  val/loss 0.25", "  val/accuracy 0.5  val/f1 0.125"]
    assert "val/accuracy 0.5  val/f1 0.125" in (tmp_path / "train.log").read_text().splitlines()[0]


@pytest.mark.parametrize(
    ("value", "text"), [(0.4, "0"), (950, "950"), (1234, "1.2k"), (48_210, "48k"), (3_100_000, "3.1M"), (5e9, "5000M")]
)
def test_speeds_are_brief(value, text):
    assert brief(value) == text
