"""The folder of one run: reserved for it alone, with all that repeats the run, and read back from there."""

import itertools
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from omegaconf import OmegaConf

from seqtrain.config import RunConfig, Tree, pin_paths
from seqtrain.errors import CheckpointError, ConfigError
from seqtrain.files import write_atomically
from seqtrain.logs.runlog import SUMMARY

CONFIG, OVERRIDES = "config.yaml", "overrides.yaml"
"""What repeats the run: the resolved tree, and what the user typed."""
JOB = "job.json"
"""Which job of a cluster's scheduler began the run."""
LOCK = ".lock"


def reserve(folder: Path) -> Path:
    """Makes a folder that no other run has: the one asked for, or its name with the next free number.

    Raises:
        ConfigError: If it can't be made.
    """
    candidates = itertools.chain([folder], (folder.with_name(f"{folder.name}-{n}") for n in itertools.count(2)))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        return next(candidate for candidate in candidates if made(candidate))
    except OSError as error:
        raise ConfigError(f"run_dir={folder}: can't be made ({error.strerror})") from None


def made(folder: Path) -> bool:
    """Makes a folder; False if its name is taken."""
    try:
        folder.mkdir()
    except FileExistsError:
        return False
    return True


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keeps every other process from training this run while the block runs, and no longer than this process lives.

    Raises:
        CheckpointError: If another process trains it.
    """
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise CheckpointError(f"{folder}: another process is training this run; wait for it, or stop it") from None
    except NotImplementedError:  # a file system that knows no locks
        pass
    try:
        yield
    finally:
        lock.release()


def read_tree(folder: Path) -> Tree:
    """The configuration that a run folder holds.

    Raises:
        CheckpointError: If it holds none, or a damaged one.
    """
    path = folder / CONFIG
    try:
        tree = OmegaConf.to_container(OmegaConf.load(path))
    except OSError:
        raise CheckpointError(f"{folder}: not a run folder (it has no {CONFIG})") from None
    except Exception as error:  # the parser of a damaged file raises nearly anything
        raise CheckpointError(f"{path}: damaged ({type(error).__name__})") from None
    if not isinstance(tree, dict):
        raise CheckpointError(f"{path}: damaged (holds no configuration)")
    return {str(key): value for key, value in tree.items()}


def read_overrides(folder: Path) -> list[str]:
    """What the user typed, as a run folder holds it; nothing if that can't be read."""
    try:
        content = OmegaConf.to_container(OmegaConf.load(folder / OVERRIDES))
    except Exception:  # it explains the run, but nothing hangs on it
        return []
    return [str(each) for each in content] if isinstance(content, list) else []


def read_finished(folder: Path) -> dict[str, Any] | None:
    """The summary of a run that has finished; None if it hasn't."""
    try:
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # not there yet, or damaged: the checkpoints tell how far the run is
        return None
    return summary if isinstance(summary, dict) and summary.get("status") == "finished" else None


def write_config(folder: Path, config: RunConfig, tree: Tree, overrides: list[str]) -> None:
    """Writes what repeats the run from any folder; config.yaml last, since it is what makes a run folder."""
    if job := scheduler_job():
        write_atomically(folder / JOB, json.dumps({"job": job, "overrides": overrides}).encode())
    for name, content in ((OVERRIDES, overrides), (CONFIG, pin_paths(tree, config))):
        text = OmegaConf.to_yaml(OmegaConf.create(content))
        write_atomically(folder / name, text.encode())


def keep_assets(folder: Path, assets: dict[str, Any], *, resumed: bool) -> None:
    """Writes what reading new input needs; of a resumed run, checks that the data still gives the same."""
    for name, content in assets.items():
        text = json.dumps(content, ensure_ascii=False, indent=1).encode() + b"\n"
        path = folder / name
        if resumed and path.exists() and path.read_bytes() != text:
            raise CheckpointError(f"{path}: the data gives another {name} than when the run began; it has changed")
        write_atomically(path, text)


# -------------------------------------------------------------------- clusters


def scheduler_job() -> str | None:
    """The job that this process belongs to: of a cluster's scheduler, or of a launcher that restarts processes."""
    launched = os.environ.get("TORCHELASTIC_RUN_ID")
    if launched is not None and os.environ.get("TORCHELASTIC_MAX_RESTARTS", "0") != "0":
        # Many launchers call their job "none"; the process that starts ours tells them apart.
        return os.environ.get("SLURM_JOB_ID", f"{launched}/{os.getppid()}")
    return os.environ.get("SLURM_JOB_ID")


def requeued(run_dir: Path, overrides: list[str]) -> Path | None:
    """The folder in which this very command of this job began, if the scheduler has put the job back and restarted it.

    So too if a launcher of several processes has started them again after one had failed.

    A time in `run_dir` is another one after a restart, so the folder is found by what it says of its job.
    """
    counts = [os.environ.get(name, "0") for name in ("SLURM_RESTART_COUNT", "TORCHELASTIC_RESTART_COUNT")]
    if counts == ["0", "0"]:
        return None
    mine = {"job": scheduler_job(), "overrides": overrides}
    for path in itertools.chain(Path("outputs").rglob(JOB), run_dir.parent.glob(f"*/{JOB}")):
        try:
            if json.loads(path.read_bytes()) == mine and (path.parent / CONFIG).exists():
                return path.parent.absolute()
        except (OSError, ValueError):
            continue
    return None
