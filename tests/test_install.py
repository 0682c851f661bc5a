"""What a stranger does first: install the wheel, or call the scripts of a fresh clone."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
TRAIN = ["model=bilstm", "task=sentiment", "model.hidden_size=8", "task.train_size=200", "trainer.max_steps=3"]


def run(*command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a command that must succeed."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture
def clone(tmp_path) -> Path:
    """What a clone of the present state would hold."""
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", cwd=REPOSITORY).stdout
    for name in filter(None, listed.split("\0")):
        if (REPOSITORY / name).is_file():
            (tmp_path / "clone" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, tmp_path / "clone" / name)
    return tmp_path / "clone"


@pytest.mark.slow
def test_the_wheel_holds_the_words_and_runs_from_an_empty_folder(clone, tmp_path):
    run(sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path, clone, cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    shipped = {name for name in names if name.endswith(".yaml")}
    assert shipped == {f"seqtrain/conf/{path.relative_to(clone / 'conf')}" for path in (clone / "conf").rglob("*.yaml")}
    assert {"seqtrain/explain/page.css", "seqtrain/explain/page.js"} <= names

    run(sys.executable, "-m", "venv", "venv", cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=tmp_path)
    # What the project needs comes from this environment; a .pth file there would be read only in its own.
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")

    (tmp_path / "empty").mkdir()
    where = run(python, "-c", "import seqtrain; print(seqtrain.__file__)", cwd=tmp_path / "empty").stdout
    assert where.startswith(str(site))
    run(tmp_path / "venv" / "bin" / "seqtrain", *TRAIN, "run_dir=run", cwd=tmp_path / "empty")
    assert json.loads((tmp_path / "empty" / "run" / "summary.json").read_text())["status"] == "finished"


@pytest.mark.slow
def test_the_script_of_a_fresh_clone_sets_up_once_and_trains(clone, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "elsewhere").mkdir()
    script = clone / "scripts" / "seqtrain"
    first = run(script, *TRAIN, "run_dir=first", cwd=tmp_path / "elsewhere", HOME=str(tmp_path / "home"))
    assert "setting up" in first.stderr
    assert json.loads((tmp_path / "elsewhere" / "first" / "summary.json").read_text())["status"] == "finished"

    # With no way to reach an index, a second install would fail.
    again = run(script, "list", cwd=tmp_path / "elsewhere", PIP_NO_INDEX="1", PIP_FIND_LINKS=str(tmp_path))
    assert again.stderr == ""
    assert "bilstm" in again.stdout
