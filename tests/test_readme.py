import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from seqtrain.cli import main

REPOSITORY = Path(__file__).parents[1]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def commands() -> list[list[str]]:
    """Every line of the README's shell blocks that begins with seqtrain, as arguments."""
    blocks = re.findall(r"```sh\n(.*?)```", README, flags=re.S)
    lines = [line for block in blocks for line in block.splitlines()]
    split = [shlex.split(line, comments=True) for line in lines]
    return [words[1:] for words in split if words and words[0] in ("seqtrain", "scripts/seqtrain")]


def test_the_tables_of_words_are_up_to_date():
    check = [sys.executable, REPOSITORY / "scripts" / "readme_words.py", "--check"]
    assert subprocess.run(check, check=False).returncode == 0, "run scripts/readme_words.py"


@pytest.mark.parametrize("arguments", commands(), ids=" ".join)
def test_every_command_line_composes(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    if arguments[0] in ("resume", "list", "data") or arguments[0].startswith("-"):
        if arguments[0] == "resume":
            assert main(arguments) == 2
            assert "no run below outputs" in capsys.readouterr().err
        return
    assert main(["--cfg", "job", *arguments]) in (0, None)
    assert "trainer:" in capsys.readouterr().out


@pytest.mark.parametrize("path", re.findall(r"\]\((?!http)([^)#]+)\)", README))
def test_every_link_leads_somewhere(path):
    assert (REPOSITORY / path).exists()


def test_the_errors_shown_are_the_errors_given(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```console\n(.*?)```", README, flags=re.S)
    for command, answer in re.findall(r"\$ seqtrain (.*)\n(.*)\n", block):
        assert main(shlex.split(command)) == 2
        assert capsys.readouterr().err == answer + "\n"
