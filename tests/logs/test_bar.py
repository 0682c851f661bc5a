import io
import time

import pytest
from rich.console import Console

from seqtrain.logs.bar import BarLine
from seqtrain.logs.numbers import brief
from seqtrain.logs.runlog import RunLog


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


def test_the_bar_is_drawn_a_few_times_a_second_at_most(tmp_path):
    console = Console(file=io.StringIO(), force_terminal=True, force_interactive=True)
    with RunLog(tmp_path, console) as log:
        log.start_progress(0, 10_000, ())
        log.advance(1)
        size = len(console.file.getvalue())
        for step in range(2, 50):
            log.advance(step)
        assert len(console.file.getvalue()) == size


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


@pytest.mark.parametrize(("unit", "speed"), [("tokens", 1234.0), ("frames", 48_210.0)])
def test_the_speed_is_in_what_the_task_reads(tmp_path, unit, speed):
    name = f"train/{unit}_per_second"
    console = Console(file=io.StringIO(), width=100, force_terminal=True, force_interactive=True)
    with RunLog(tmp_path, console) as log:
        log.start_progress(0, 200, ("train/loss", name))
        log.scalars(10, 0.1, 1.0, {"train/loss": 0.125, name: speed, "train/examples_per_second": 10.0})
        log.progress.next_draw = 0
        log.advance(20)
    assert f"{brief(speed)} {unit}/s" in console.file.getvalue()


def test_validation_is_named_in_the_bar_and_no_part_of_the_pace(tmp_path):
    console = Console(file=io.StringIO(), width=100, force_terminal=True, force_interactive=True, color_system=None)
    with RunLog(tmp_path, console) as log:
        log.start_progress(0, 100, ())
        log.advance(20)
        bar = log.progress
        bar.start = (bar.start[0] - 30, 0)  # as if that had taken half a minute
        with log.doing("validating"):
            assert console.file.getvalue().rpartition("\x1b[2K")[2].rstrip().endswith("validating")
        assert bar.seconds_aside > 0
        bar.seconds_aside = 20.0
        log.advance(20)
        drawn = console.file.getvalue().rpartition("\x1b[2K")[2]
    assert "2.0 steps/s" in drawn  # 20 in the 10 seconds that were training
    assert drawn.rstrip().endswith("2:00 left")  # with validations as often as up to here


def test_what_is_done_after_training_is_named_on_a_terminal_alone(tmp_path):
    for terminal in (True, False):
        console = Console(file=io.StringIO(), width=60, force_terminal=terminal, force_interactive=terminal)
        with RunLog(tmp_path, console) as log, log.doing("testing"):
            pass
        assert ("testing" in console.file.getvalue()) == terminal


def test_no_piece_moves_when_another_comes(tmp_path):
    console = Console(file=io.StringIO(), width=100, force_terminal=True, force_interactive=True, color_system=None)
    shown = ("train/loss", "val/accuracy", "train/tokens_per_second")
    drawn = []
    with RunLog(tmp_path, console) as log:
        log.start_progress(0, 100, shown)
        for name, value in zip((*shown, "other"), (0.5, 0.25, 20_000.0, 0.0), strict=True):
            log.progress.draw(log.progress.start[0] + 1)
            drawn.append(console.file.getvalue().rpartition("\x1b[2K")[2])
            log.latest[name] = value
    for piece in ("loss", "accuracy", "steps/s", "tokens/s", "left"):
        assert len({line.index(piece) for line in drawn}) == 1
    assert "accuracy     -" in drawn[0]
    assert "accuracy 0.250" in drawn[-1]
