"""What a sweep consists of and how far each job is: the file that lets it go on where it was cut off."""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from seqtrain.errors import CheckpointError, ConfigError
from seqtrain.files import write_atomically
from seqtrain.runs.compare import SWEEP, read_json

FORMAT = 1
"""Version of the manifest's layout; a newer one is refused."""

LOCK = "sweep.lock"
KEPT = ("config.yaml", "overrides.yaml")
"""What stays of a failed job when it is run again: all that says what it is."""


@dataclass
class Job:
    """One run of a sweep.

    Attributes:
        key: The hash of its resolved configuration: the same key is the same experiment.
        folder: The name of its run folder.
        overrides: What it was composed from.
        status: `waiting`, `running`, `finished`, `stopped`, `failed` or `pruned`.
        reason: Why it failed or was pruned.
        trial: Its number in a study, if a search asked for it.
    """

    key: str
    folder: str
    overrides: list[str]
    status: str = "waiting"
    reason: str = ""
    trial: int | None = None


@dataclass
class Manifest:
    """All jobs of a sweep, and the command line that they come from.

    Attributes:
        folder: The sweep's folder.
        overrides: As typed.
        config_dir: Where the user's own words are.
        kind: What chose the jobs: `grid` or a search's name.
    """

    folder: Path
    overrides: list[str]
    config_dir: str | None
    kind: str
    jobs: list[Job] = field(default_factory=list)

    @classmethod
    def load(cls, folder: Path) -> "Manifest":
        """Reads a sweep's manifest.

        Raises:
            CheckpointError: If it is damaged or of a newer format.
        """
        path = folder / SWEEP
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["format"] > FORMAT:
                raise CheckpointError(f"{path}: written by a newer seqtrain; upgrade seqtrain")
            jobs = [Job(**job) for job in content["jobs"]]
            return cls(folder, list(content["overrides"]), content["config_dir"], str(content["kind"]), jobs)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise CheckpointError(f"{path}: damaged or no sweep ({type(error).__name__})") from None

    def save(self) -> None:
        """Writes it, whole or not at all."""
        content = {
            "format": FORMAT,
            "kind": self.kind,
            "overrides": self.overrides,
            "config_dir": self.config_dir,
            "jobs": [asdict(job) for job in self.jobs],
        }
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        write_atomically(self.folder / SWEEP, text.encode())

    def find(self, key: str) -> Job | None:
        """The job that is this very experiment, or None."""
        return next((job for job in self.jobs if job.key == key), None)

    def path(self, job: Job) -> Path:
        """A job's run folder."""
        return self.folder / job.folder

    def settle(self) -> None:
        """Brings the jobs to where their folders are, after whatever cut the sweep off; failed ones start anew."""
        for job in self.jobs:
            summary = read_json(self.path(job) / "summary.json")
            if summary.get("status") == "finished":
                job.status, job.reason = "finished", ""
            elif not (self.path(job) / KEPT[0]).exists():  # a search drew what makes no run
                job.status = "failed"
            elif job.status == "failed" or summary.get("status") == "failed":
                clear(self.path(job))
                job.status, job.reason = "waiting", ""
            elif job.status != "pruned":
                job.status, job.reason = "waiting", ""


def key_of(tree: dict[str, Any]) -> str:
    """The hash of a resolved configuration."""
    text = json.dumps(tree, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def clear(folder: Path) -> None:
    """Removes what a failed run left, but for what it was asked to do."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name in KEPT:
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


@contextmanager
def locked(folder: Path) -> Iterator[int]:
    """Holds a sweep for this process and for the jobs that inherit the handle, as long as any of them lives.

    Yields:
        The handle.

    Raises:
        ConfigError: If another holds it.
    """
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise ConfigError(f"{folder}: this sweep is running: it, or a job that it left behind") from None
    try:
        yield handle
    finally:
        os.close(handle)
