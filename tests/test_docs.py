import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from own_files import write_own_files

from seqtrain.cli import COMMANDS, main, sweep
from seqtrain.cli.train import check_flags, composing, parse_flags
from seqtrain.sweeps import cluster, search
from seqtrain.words import GROUPS, built_in

REPOSITORY = Path(__file__).parents[1]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
DOCS = REPOSITORY / "docs"
PAGES = [*sorted(REPOSITORY.glob("README*.md")), *sorted(DOCS.rglob("*.md"))]

SHORT = ["trainer.max_epochs=1", "trainer.batch_size=8", "model.hidden_size=8"]
"""What makes training quick."""
SHIM = """#!/usr/bin/env bash
case "$1" in -m | *=*) set -- "$@" {short} trainer.limit_batches=2 ;; esac
exec {python} -m seqtrain "$@"
"""
"""The command as a page names it, but for training, which is cut short."""
LEFT_OUT = "^tensorboard |^seqtrain data|task=sst2"
"""Lines of a page that serve until they are stopped, or need the network."""


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
def test_every_link_and_picture_leads_somewhere(page):
    prose = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.S)
    for target in re.findall(r"\]\((?!http)([^)\s]+)\)", prose):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if file.is_relative_to(DOCS) and is_written_by_the_code(file.relative_to(DOCS)):
            continue  # mkdocs looks at these: see test_site
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def is_written_by_the_code(path: Path) -> bool:
    """Whether a page of the site is made from conf, and lies in no folder."""
    group = path.parent.name.removesuffix("s")
    if path.parent.name == "options":
        return path.stem in GROUPS
    if path.name == "experiments.md":
        return True
    return group in ("model", "task") and (path.stem == "index" or path.stem in built_in(group))


def anchors(file: Path) -> set[str]:
    """What a page's headings can be called by."""
    headings = re.findall(r"^#+ (.*)$", file.read_text("utf-8"), flags=re.M)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.slow
@pytest.mark.parametrize("page", ["tutorial", "using"])
def test_the_commands_of_a_page_run_one_after_the_other(page, tmp_path):
    shim = tmp_path / "bin" / "seqtrain"
    shim.parent.mkdir()
    shim.write_text(SHIM.format(python=sys.executable, short=" ".join(SHORT)))
    shim.chmod(0o755)
    work = tmp_path / "work"
    work.mkdir()
    env = {**os.environ, "PATH": f"{shim.parent}{os.pathsep}{os.environ['PATH']}"}
    blocks = re.findall(r"```(sh|python)\n(.*?)```", (DOCS / f"{page}.md").read_text("utf-8"), flags=re.S)
    assert blocks
    for kind, block in blocks:
        script = "".join(line + "\n" for line in block.splitlines() if not re.search(LEFT_OUT, line))
        runner = ["bash", "-e", "-c"] if kind == "sh" else [sys.executable, "-c"]
        done = subprocess.run([*runner, script], cwd=work, env=env, capture_output=True, text=True)
        assert done.returncode == 0, f"{script}{done.stdout}{done.stderr}"


@pytest.mark.slow
def test_the_commands_on_own_data_train(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_own_files(tmp_path)
    lines = re.findall(r"^seqtrain .*", (DOCS / "own-data.md").read_text("utf-8"), flags=re.M)
    assert len(lines) > 12
    for line in lines:
        if not re.search(LEFT_OUT, line):
            limit = [] if "overfit_batches" in line else ["trainer.limit_batches=2"]
            assert main([*shlex.split(line)[1:], *SHORT, *limit]) == 0, line + capsys.readouterr().err


def test_the_errors_shown_are_the_errors_given(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```console\n(.*?)```", README, flags=re.S)
    for command, answer in re.findall(r"\$ seqtrain (.*)\n(.*)\n", block):
        assert main(shlex.split(command)) == 2
        assert capsys.readouterr().err == answer + "\n"
