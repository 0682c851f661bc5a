import io
import json
import os
from pathlib import Path

import pytest
from rich.console import Console

from seqtrain.runs.report import Sparkline, curve, end_panel, next_commands, took
from seqtrain.tasks import Adding, CopyMemory, Sentiment, Sine, Text, Translation

SUMMARY = {
    "status": "finished",
    "ended_by": "patience",
    "metric": "val/accuracy",
    "best": {"step": 1200, "loss": 0.4321, "accuracy": 0.8125},
    "test": {"loss": 0.45, "accuracy": 0.8},
    "baseline": {"accuracy": 0.5},
    "steps": 1500,
    "epochs": 2.5,
    "seconds": 12.34,
}


@pytest.fixture
def run(tmp_path, monkeypatch) -> Path:
    """The newest run below outputs, with three validations."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "outputs" / "day" / "run"
    folder.mkdir(parents=True)
    (folder / "config.yaml").touch()
    rows = [{"step": 1, "train/loss": 1.0}, *({"step": step, "val/accuracy": step / 4} for step in (1, 2, 3))]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def rendered(panel, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(panel)
    return console.file.getvalue().splitlines()


def test_the_end_shows_scores_beside_what_was_to_beat_and_the_curve(run):
    shown = [line.strip("│ ") for line in rendered(end_panel(SUMMARY, run, Adding()))]
    assert shown[1].split("  ")[0] == "val, step 1,200"
    assert shown[2].split() == ["accuracy", "0.8125", "0.8000", "0.5000"]
    assert shown[3].split() == ["loss", "0.4321", "0.4500"]
    assert "curve  ▁▅█" in shown or "curve  ▁▄█" in shown
    assert "val/accuracy, 0.2500 to 0.7500 in 3 validations" in shown
    assert "took   1,500 steps, 2.5 epochs, 12.3 s" in shown


def test_one_step_of_one_epoch_is_singular_and_minutes_read_like_a_clock():
    assert took({"steps": 1, "epochs": 1.0, "seconds": 75}) == "1 step, 1 epoch, 1:15"


def test_on_a_wide_terminal_a_panel_is_no_wider_than_is_easy_to_read(run):
    assert {len(line) for line in rendered(end_panel(SUMMARY, run, Adding()), 200)} == {100}


def test_a_run_that_was_stopped_before_a_validation_says_how_to_go_on(run):
    summary = {**SUMMARY, "status": "stopped", "ended_by": "SIGINT", "best": {"step": 0}, "test": {}}
    (run / "metrics.jsonl").unlink()
    shown = "\n".join(rendered(end_panel(summary, run, Adding())))
    assert "seqtrain resume last" in shown
    assert "curve" not in shown
    assert "to beat" not in shown


@pytest.mark.parametrize("width", [40, 60, 80])
def test_no_line_of_the_end_is_wider_than_the_terminal_and_commands_stay_whole(run, width):
    lines = rendered(end_panel(SUMMARY, run, Sine()), width)
    assert {len(line) for line in lines} == {width}
    for command in ("eval last", "predict last FILE", "generate last"):
        assert any(f"seqtrain {command} " in line for line in lines)
    assert any("tensorboard --logdir outputs" in line for line in lines)


@pytest.mark.parametrize(
    ("task", "asked", "goes_on"),
    [
        (Adding(), "predict last FILE", False),
        (CopyMemory(), "predict last FILE", False),
        (Sentiment(), "predict last --text '...'", False),
        (Sine(), "predict last FILE", True),
        (Text(), "predict last --text '...'", True),
        (Translation(), "predict last --text '...'", True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_to_try_next_fits_the_task(run, task, asked, goes_on):
    commands = [command for _, command in next_commands("finished", run, task)]
    assert f"seqtrain {asked}" in commands
    assert ("seqtrain generate last" in commands) == goes_on


def test_a_run_that_is_not_the_newest_or_lies_elsewhere_is_named(run, tmp_path):
    newer = tmp_path / "outputs" / "newer"
    newer.mkdir()
    (newer / "config.yaml").touch()
    os.utime(run / "config.yaml", ns=(0, 0))
    assert ("score", "seqtrain eval outputs/day/run") in next_commands("finished", run, Adding())
    elsewhere = tmp_path / "my runs"
    commands = dict(next_commands("finished", elsewhere, Adding()))
    assert commands["score"] == "seqtrain eval 'my runs'"
    assert commands["look"] == "tensorboard --logdir 'my runs'"


def test_a_relative_folder_is_the_same_one(run):
    relative = run.relative_to(Path.cwd())
    assert next_commands("finished", relative, Adding()) == next_commands("finished", run, Adding())


def test_a_curve_has_a_bar_for_each_value_or_for_the_mean_of_neighbours():
    bars = Sparkline.bars
    assert Sparkline([0, 1]).drawn(10, bars) == "▁█"
    assert Sparkline([2, 2, 2]).drawn(10, bars) == "▁▁▁"
    assert Sparkline([0, 0, 5, 5, 10, 10]).drawn(3, bars)[::2] == "▁█"
    assert len(Sparkline(list(range(1000))).drawn(48, bars)) == 48


def test_a_terminal_without_such_signs_gets_plain_ones():
    class Ascii(io.StringIO):
        encoding = "ascii"

    console = Console(file=Ascii(), width=40)
    console.print(Sparkline([0, 1]))
    assert console.file.getvalue().strip() == "_@"


@pytest.mark.parametrize("damaged", ["{", "[1]", '{"val/mse": "x"}', ""])
def test_a_damaged_record_costs_the_curve_only(tmp_path, damaged):
    (tmp_path / "metrics.jsonl").write_text('{"val/mse": 1}\n{"val/mse": null}\n' + damaged)
    assert curve(tmp_path / "metrics.jsonl", "val/mse") == [1.0]
    assert curve(tmp_path / "none", "val/mse") == []
