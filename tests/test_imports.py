"""Who may import whom: DESIGN's rule, walked over the source."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import seqtrain
from seqtrain.cli import COMMANDS

PACKAGE = Path(seqtrain.__file__).parent
LEAVES = {"spec", "batch", "errors", "limits", "seeding", "model", "picture", "data"}
MAY_IMPORT = {
    "spec": set(),
    "plugins": set(),
    "words": {"errors", "plugins"},
    "errors": set(),
    "seeding": set(),
    "limits": {"errors"},
    "batch": set(),
    "model": {"batch"},
    "histogram": set(),
    "picture": set(),
    "hyperparameters": set(),
    "gallery": LEAVES | {"gradient_flow", "tasks.task"},
    "tensorboard": {"batch", "histogram", "hyperparameters", "model", "picture"},
    "watch": {"batch", "histogram", "model"},
    "gradient_flow": LEAVES | {"tasks.task", "tasks.drawing"},
    "loader": {"batch"},
    "compare": {"errors", "typos"},
    "leaderboard": {"compare"},
    "sweeps": {"sweeps", "compare", "errors", "files", "launcher", "leaderboard", "limits", "signals"},
    "optimizer": {"errors", "limits", "model"},
    "scheduler": {"errors", "limits"},
    "data": {"data", "errors"},
    "models": LEAVES | {"models"},
    "tasks": LEAVES | {"tasks"},
    "trainer_config": {"device", "errors", "limits"},
    "files": set(),
    "signals": set(),
    "host_memory": set(),
    "progress": set(),
    "ema": set(),
    "memory": {"batch", "errors"},
    "nonfinite": {"errors"},
    "checkpoint": {"errors", "files"},
    "saver": {"checkpoint", "errors"},
    "launcher": {"errors"},
    "team": {"errors", "launcher", "signals"},
    "silent_log": {"picture", "watch"},
    "evaluator": LEAVES | {"device", "loader", "memory", "tasks.class_scores", "tasks.task", "team"},
    "feed": {"batch", "loader", "tasks.task", "trainer_config"},
    "calendar": {"progress", "team", "trainer_config"},
    "stepper": {"ema", "model", "nonfinite", "optimizer", "scheduler", "trainer_config"},
    "monitor": {"errors", "progress", "tasks.task", "trainer_config"},
    "export": LEAVES | {"export", "files", "models", "run_folder", "trained"},
    "trainer": LEAVES
    | {"gallery", "gradient_flow", "watch"}
    | {
        "calendar",
        "checkpoint",
        "device",
        "evaluator",
        "feed",
        "memory",
        "monitor",
        "nonfinite",
        "optimizer",
        "progress",
    }
    | {"runlog", "saver", "scheduler", "signals", "silent_log", "stepper", "tasks.task", "team", "trainer_config"},
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
