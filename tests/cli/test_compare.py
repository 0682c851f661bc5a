"""`seqtrain compare` as a user types it."""

import json

import pytest
from fake_runs import fake_run

from seqtrain.cli import main


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for seed in range(2):
        for model in ("lstm", "gru"):
            folder = tmp_path / "outputs" / f"{model}-{seed}"
            fake_run(
                folder,
                model=model,
                seed=seed,
                val=1.0 + seed,
                curve=((1, 1.0), (2, 1.0 + seed)),
                config={"optimizer": {"lr": 0.1}},
            )
    return tmp_path / "outputs"


def test_a_table_and_files(runs, capsys):
    assert main(["compare", "outputs", "--csv", "a.csv", "--markdown", "a.md", "--plot", "a.png"]) == 0
    shown = capsys.readouterr().out
    assert "by val/mse, lower is better" in shown
    assert "1.50 ± 0.71" in shown
    assert (runs.parent / "a.csv").read_text().startswith("model,val/mse,")
    assert "1.50 ± 0.71" in (runs.parent / "a.md").read_text()
    assert (runs.parent / "a.png").stat().st_size > 1000


@pytest.mark.usefixtures("runs")
def test_json_and_the_terminal_as_a_file_are_alone_on_it(capsys):
    assert main(["compare", "outputs", "--json", "--by", "model"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [group["choice"]["model"] for group in found["groups"]] == ["gru", "lstm"]
    assert [run["seed"] for run in found["groups"][0]["runs"]] == [0, 1]
    assert main(["compare", "outputs", "--csv", "-"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


@pytest.mark.usefixtures("runs")
def test_split_shows_one_alone(capsys):
    assert main(["compare", "outputs", "--split", "val"]) == 0
    assert "test" not in capsys.readouterr().out


@pytest.mark.usefixtures("runs")
def test_last_is_a_run_too(capsys):
    assert main(["compare", "last"]) == 0
    assert "best run" in capsys.readouterr().out


@pytest.mark.usefixtures("runs")
def test_errors_are_one_line(capsys):
    for arguments, text in (
        (["nowhere"], "nowhere: no such run folder"),
        (["outputs", "--metric", "msee"], "did you mean mse?"),
        (["outputs", "--plot", "no/a.png"], "no/a.png: can't be written"),
    ):
        assert main(["compare", *arguments]) == 2
        error = capsys.readouterr().err
        assert text in error
        assert error.count("\n") == 1


def test_where_nothing_has_finished_it_says_so(runs, capsys):
    fake_run(runs / "new" / "0-sine", status="stopped", ended_by="SIGINT")
    assert main(["compare", "outputs/new"]) == 0
    assert capsys.readouterr().out == "no run has finished yet\nnot counted: 0-sine: stopped (SIGINT)\n"
    assert main(["compare", "outputs/new", "--plot", "a.png"]) == 2
    assert "no run has finished" in capsys.readouterr().err
