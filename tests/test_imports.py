"""Who may import whom: DESIGN's rule, walked over the source."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import seqtrain
from seqtrain.cli import COMMANDS

PACKAGE = Path(seqtrain.__file__).parent
LEAVES = {"spec", "batch", "errors", "limits", "seeding", "model", "picture", "shown", "data"}
TASK = {"tasks.task", "tasks.class_scores", "tasks.drawing"}  # what is common to all tasks; no task is named
MAY_IMPORT = {
    "spec": set(),
    "errors": set(),
    "seeding": set(),
    "plugins": set(),
    "files": set(),
    "signals": set(),
    "host_memory": set(),
    "picture": set(),
    "shown": set(),
    "limits": {"errors"},
    "typos": {"errors"},
    "device": {"errors"},
    "words": {"errors", "plugins"},
    "batch": set(),
    "model": {"batch"},
    "optimizer": {"errors", "limits", "model"},
    "scheduler": {"errors", "limits"},
    "data": {"data", "errors"},
    "models": LEAVES | {"models"},
    "tasks": LEAVES | {"tasks"},
    "logs": LEAVES | TASK | {"logs", "files"},
    "distributed": {"distributed", "errors", "logs.watch", "picture", "signals"},
    "training": LEAVES
    | TASK
    | {"training", "logs", "distributed", "device", "files", "optimizer", "scheduler", "signals"},
    "training/checkpoint": {"errors", "files"},
    "training/loader": {"batch"},
    "runs/compare": {"errors", "typos"},
    "runs/leaderboard": {"runs.compare"},
    "runs/find": {"errors"},
    "sweeps": {"sweeps", "distributed.launcher", "errors", "files", "limits", "signals"}
    | {"logs.bar", "logs.numbers", "runs.compare", "runs.leaderboard"},
    "logs/numbers": set(),
    "logs/bar": {"logs.numbers"},
    "explain": LEAVES
    | TASK
    | {"explain", "device", "logs", "models", "runs.run_folder", "runs.trained", "tasks.given"},
    "export": LEAVES | {"export", "files", "models", "runs.run_folder", "runs.trained"},
}


def imports_of(path: Path) -> set[str]:
    """The modules of seqtrain that a file imports, relative to the package."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.removeprefix("seqtrain.") for name in found if name.startswith("seqtrain.")}


@pytest.mark.parametrize("room", list(MAY_IMPORT))
def test_a_room_imports_only_its_neighbours(room):
    files = [PACKAGE / f"{room}.py"] if (PACKAGE / f"{room}.py").exists() else sorted((PACKAGE / room).rglob("*.py"))
    assert files
    for file in files:
        for name in imports_of(file):
            allowed = any(name == other or name.startswith(f"{other}.") for other in MAY_IMPORT[room])
            assert allowed, f"{file.name} imports seqtrain.{name}"


def test_only_the_command_line_knows_hydra():
    for file in PACKAGE.rglob("*.py"):
        if file.parent.name != "cli":
            assert "hydra" not in {name.partition(".")[0] for name in all_imports(file)}, file


def all_imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


ASK = """
import sys
from seqtrain.cli import main
try:
    main({arguments})
except SystemExit:
    pass
assert "torch" not in sys.modules
"""


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["list"], ["data"], ["--cfg", "job"], *([word, "--help"] for word in COMMANDS)],
)
def test_help_and_list_answer_without_torch(arguments, tmp_path):
    subprocess.run([sys.executable, "-c", ASK.format(arguments=arguments)], cwd=tmp_path, check=True)
