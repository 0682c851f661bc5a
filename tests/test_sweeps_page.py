"""Every command of docs/sweeps.md, as far as it goes without training."""

import re
import shlex
from pathlib import Path

import pytest

from seqtrain.cli import main
from seqtrain.cli.sweep import check_arguments, chosen, jobs_told, parse, plan
from seqtrain.cli.train import check_flags, composing, parse_flags
from seqtrain.sweeps import cluster

PAGE = (Path(__file__).parents[1] / "docs" / "sweeps.md").read_text(encoding="utf-8")


def commands() -> list[list[str]]:
    """Every line of the page's shell blocks that begins with seqtrain, as arguments."""
    lines = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, flags=re.S) for line in block.splitlines()]
    split = [shlex.split(line, comments=True) for line in lines]
    return [words[1:] for words in split if words and words[0] == "seqtrain"]


def test_there_are_commands():
    assert {words[0] for words in commands()} == {"-m", "resume", "compare"}


@pytest.mark.parametrize("arguments", commands(), ids=" ".join)
def test_every_command_is_one(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    if arguments[0] != "-m":
        assert main(arguments) == 2
        assert re.search(r"no such (run )?folder", capsys.readouterr().err)
        return
    pytest.importorskip("optuna")
    monkeypatch.setattr(cluster, "which", lambda name: name)
    monkeypatch.setattr(cluster, "find_spec", lambda name: name)
    flags = parse_flags(arguments)
    check_flags(flags)
    check_arguments(flags)
    with composing(flags):
        choice, _ = chosen(flags.overrides)
        jobs = jobs_told(parse(flags.overrides), choice)
        planned = plan(jobs[0], 0)
    assert planned.folder.startswith("0-")
    assert len(jobs) > 1
