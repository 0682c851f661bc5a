import io
import json
import math

import numpy as np
import pytest
from rich.console import Console

from seqtrain.logs.runlog import RunLog, cut_rows
from seqtrain.picture import Picture, Scores


def test_scalars_reach_the_file_and_the_console(tmp_path):
    console = Console(file=io.StringIO(), width=40)
    with RunLog(tmp_path, console) as log:
        log.scalars(5, 0.5, 1.25, {"train/loss": 0.25, "val/accuracy": math.nan})
        log.warn("look here")
    row = json.loads((tmp_path / "metrics.jsonl").read_text())
    assert row == {"step": 5, "epoch": 0.5, "seconds": 1.25, "train/loss": 0.25, "val/accuracy": None}
    for text in (console.file.getvalue(), (tmp_path / "train.log").read_text()):
        assert "step     5  epoch  0.50  train/loss 0.2500  val/accuracy nan\n" in text
        assert "warning: look here\n" in text


def test_on_a_terminal_validation_leaves_a_line_and_training_only_moves_the_bar(tmp_path):
    console = Console(file=io.StringIO(), width=200, force_terminal=True, force_interactive=True)
    with RunLog(tmp_path, console) as log:
        log.start_progress(0, 200, ())
        log.scalars(10, 0.1, 1.0, {"train/loss": 0.125})
        log.scalars(10, 0.1, 1.0, {"val/mse": 0.5})
    assert "train/loss" not in console.file.getvalue()
    assert "val/mse 0.5" in console.file.getvalue()


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


def test_a_terminal_that_cannot_move_its_cursor_gets_lines(tmp_path, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    with RunLog(tmp_path, console) as log:
        log.start_progress(0, 200, ())
        log.scalars(10, 0.1, 1.0, {"train/loss": 0.125})
    assert "train/loss 0.125" in console.file.getvalue()


def test_on_a_narrow_terminal_a_line_breaks_between_values_only(tmp_path):
    console = Console(file=io.StringIO(), width=40, force_terminal=True, force_interactive=True, color_system=None)
    with RunLog(tmp_path, console) as log:
        log.scalars(5, 0.5, 1.25, {"val/loss": 0.25, "val/accuracy": 0.5, "val/f1": 0.125})
    lines = console.file.getvalue().splitlines()
    assert lines == ["step     5  epoch  0.50  val/loss 0.2500", "  val/accuracy 0.5000  val/f1 0.1250"]
    assert "val/accuracy 0.5000  val/f1 0.1250" in (tmp_path / "train.log").read_text().splitlines()[0]
