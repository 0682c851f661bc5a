import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from seqtrain.cli import COMMANDS, main, sweep
from seqtrain.cli.train import check_flags, composing, parse_flags
from seqtrain.sweeps import cluster, search

REPOSITORY = Path(__file__).parents[1]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]


def commands() -> list[list[str]]:
    """Every line of the pages' shell blocks that begins with seqtrain, as arguments."""
    blocks = [block for page in PAGES for block in re.findall(r"```sh\n(.*?)```", page.read_text("utf-8"), flags=re.S)]
    lines = [line.removesuffix("\\") for block in blocks for line in block.splitlines()]
    split = [shlex.split(line, comments=True) for line in lines if line.startswith(("seqtrain ", "scripts/seqtrain "))]
    return [words[1:] for words in split]


def test_the_tables_of_words_are_up_to_date():
    check = [sys.executable, REPOSITORY / "scripts" / "readme_words.py", "--check"]
    assert subprocess.run(check, check=False).returncode == 0, "run scripts/readme_words.py"


@pytest.mark.parametrize("arguments", commands(), ids=" ".join)
def test_every_command_line_is_understood(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    command = arguments[0] if arguments[0] in COMMANDS else "train"
    if command in ("list", "data", "doctor") or arguments[0].startswith(("-s", "--")):
        return
    if "-m" in arguments:
        assert is_understood_as_a_sweep(arguments, monkeypatch)
        return
    if command in ("train", "lr_find"):
        overrides = [each for each in arguments if each != command]
        assert main(["--cfg", "job", *overrides]) in (0, None)
        assert "trainer:" in capsys.readouterr().out
        return
    assert main(arguments) == 2  # for want of a run alone
    assert re.search(r"no run below outputs|no such run folder|not a run", capsys.readouterr().err)


def is_understood_as_a_sweep(arguments: list[str], monkeypatch) -> bool:
    """Whether a sweep's jobs can be planned, as if every extra and every cluster were here."""
    monkeypatch.setattr(cluster, "which", lambda name: name)
    for module in (cluster, search):
        monkeypatch.setattr(module, "find_spec", lambda name: name)
    flags = parse_flags(arguments)
    check_flags(flags)
    sweep.check_arguments(flags)
    with composing(flags):
        choice, _ = sweep.chosen(flags.overrides)
        jobs = sweep.jobs_told(sweep.parse(flags.overrides), choice)
        sweep.plan(jobs[0], 0)
    return len(jobs) > 1


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    for path in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text("utf-8")):
        assert (page.parent / path).exists(), path


def test_the_errors_shown_are_the_errors_given(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```console\n(.*?)```", README, flags=re.S)
    for command, answer in re.findall(r"\$ seqtrain (.*)\n(.*)\n", block):
        assert main(shlex.split(command)) == 2
        assert capsys.readouterr().err == answer + "\n"
