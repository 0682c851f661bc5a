"""The range test as a user starts it."""

import csv
import shlex

import pytest

from seqtrain.cli import main

SMALL = ["task=sine", "model=gru", "model.hidden_size=8", "task.train_size=256", "task.val_size=64", "task.lookback=8"]
SMALL += ["task.test_size=64", "task.horizon=4"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_it_leaves_a_curve_and_prints_the_command_that_trains(tmp_path, capsys):
    typed = [*SMALL, "optimizer.lr=0.5", "trainer.max_steps=2", "trainer.label_smoothing=0"]
    assert main(["lr_find", "--min", "1e-5", "--max=0.5", "--steps", "60", *typed]) == 0
    *table, command = capsys.readouterr().out.splitlines()
    assert "60 steps, rate 1e-05 to 0.5" in table[0]
    (folder,) = tmp_path.glob("outputs/*/*-lr_find-sine-gru")
    assert {path.name for path in folder.iterdir()} == {"lr_find.csv", "lr_find.png"}
    assert any(str(folder.relative_to(tmp_path) / "lr_find.png") in line for line in table)
    rows = list(csv.DictReader((folder / "lr_find.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 60
    assert [float(rows[i]["lr"]) for i in (0, -1)] == pytest.approx([1e-5, 0.5])

    program, *arguments = shlex.split(command)
    assert program == "seqtrain"
    assert arguments[:-1] == [each for each in typed if not each.startswith("optimizer.lr")]
    assert 1e-4 < float(arguments[-1].removeprefix("optimizer.lr=")) < 0.5
    assert main(arguments) == 0


def test_both_rates_of_muon_keep_their_ratio(capsys):
    rates = ["optimizer=muon", "optimizer.lr=0.02", "optimizer.adamw_lr=0.002", "run_dir=found"]
    assert main(["lr_find", "--min=1e-4", "--steps=60", *SMALL, *rates]) == 0
    *kept, first, second = shlex.split(capsys.readouterr().out.splitlines()[-1])
    assert kept == ["seqtrain", *SMALL, "optimizer=muon"]
    lr, adamw_lr = (float(each.partition("=")[2]) for each in (first, second))
    assert adamw_lr == pytest.approx(lr / 10)


def test_where_nothing_is_found_the_curve_tells_why(tmp_path, capsys):
    assert main(["lr_find", "--min=1e-12", "--max=1e-11", "--steps=20", *SMALL, "run_dir=found"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("seqtrain: ")
    assert error.endswith(
        "the loss hardly fell, or by no more than chance; raise --steps, --max or trainer.batch_size\n"
    )
    assert (tmp_path / "found" / "lr_find.png").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--min=1", "--max=0.1"], "--min=1 --max=0.1: must be above 0, and max above min"),
        (["--min=0"], "--min=0 --max=1: must be above 0, and max above min"),
        (["--max=inf"], "--min=1e-06 --max=inf: must be above 0, and max above min"),
        (["--steps=5"], "--steps=5: must be at least 20"),
        (["optimizer.lr=0"], "optimizer.lr=0.0: rates are told by their ratio to it; give any rate above 0"),
        (["optimizer.lrr=1"], "optimizer.lrr: unknown key; did you mean optimizer.lr?"),
        (["task=sine", "model=bilsm"], "model=bilsm: no such model; did you mean bilstm?"),
        (["task=text", "model=bilstm"], "model=bilstm doesn't fit task=text"),
        (["sine"], "lr_find sine: no such option; see seqtrain lr_find --help"),
        (["-m", "seed=1,2"], "lr_find -m: no such option; it finds one rate at a time; see"),
        (["--step=30"], "lr_find --step=30: no such option; see"),
    ],
)
def test_an_error_is_one_line_and_leaves_no_folder(tmp_path, capsys, arguments, message):
    assert main(["lr_find", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"seqtrain: {message}")
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())
