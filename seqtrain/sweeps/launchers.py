"""Where the jobs of a sweep run: each in a process of its own, which goes on with a prepared run folder."""

import os
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

from seqtrain import limits
from seqtrain.distributed.launcher import cores

JOB_LOG = "job.log"
"""All that a job's process printed, in its run folder."""


class Process(ABC):
    """A job that has been started."""

    @abstractmethod
    def poll(self) -> int | None:
        """Its exit code, negative for the signal that killed it; None while it runs."""

    @abstractmethod
    def stop(self) -> None:
        """Asks it to save and end."""

    @abstractmethod
    def kill(self) -> None:
        """Ends it at once."""


class Crew(ABC):
    """What a launcher opens for one sweep: a number of places, each for one job at a time."""

    places: int

    @abstractmethod
    def start(self, run: Path, place: int) -> Process:
        """Starts the run of a prepared folder in a free place."""

    def describe(self) -> str:
        """How the jobs will run."""
        return f"{self.places} at a time"

    def close(self) -> None:
        """Gives back what was opened; no job runs any more."""
        return


class Launcher(ABC):
    """A choice of where jobs run, as a user configures it."""

    @abstractmethod
    def open(self, sweep: Path, lock: int) -> Crew:
        """Makes the places ready.

        Args:
            sweep: The sweep's folder.
            lock: The handle that jobs keep open as long as they live.
        """


def command(run: Path) -> list[str]:
    """The command line of a job."""
    return [sys.executable, "-m", "seqtrain", "resume", str(run)]


# -------------------------------------------------------------------- this machine


@final
@dataclass(frozen=True, kw_only=True)
class Local(Launcher):
    """Processes on this machine.

    Attributes:
        jobs: How many run side by side; null: one per GPU, or one.
        threads: Threads of each; null: the processor's cores shared out among them.
    """

    jobs: int | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        limits.at_least("launcher", 1, jobs=self.jobs, threads=self.threads)

    def open(self, sweep: Path, lock: int) -> Crew:
        found = gpus(os.environ)
        places = self.jobs or max(1, len(found))
        return LocalCrew(places, environments(places, found, cores(), self.threads, os.environ), lock)


class LocalCrew(Crew):
    """Places on this machine, each with its share of the processor and a GPU."""

    def __init__(self, places: int, environments: list[dict[str, str]], lock: int) -> None:
        self.places = places
        self.environments = environments
        self.lock = lock

    def start(self, run: Path, place: int) -> Process:
        environment = dict(self.environments[place])
        with (run / JOB_LOG).open("ab") as log:
            # In a session of their own, jobs don't hear a Ctrl-C that the sweep passes on in its own time.
            started = subprocess.Popen(
                command(run),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
                pass_fds=(self.lock,),
            )
        return LocalProcess(started)

    def describe(self) -> str:
        first = self.environments[0]
        told = f"{self.places} at a time"
        if "OMP_NUM_THREADS" in first:
            threads = first["OMP_NUM_THREADS"]
            told += f", {threads} thread{'s' * (threads != '1')} each"
        shares = {each["CUDA_VISIBLE_DEVICES"] for each in self.environments if "CUDA_VISIBLE_DEVICES" in each}
        devices = {device for share in shares for device in share.split(",")}
        return told + (f", on {len(devices)} GPUs" if devices and self.places > 1 else "")


class LocalProcess(Process):
    """A process on this machine."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process

    def poll(self) -> int | None:
        return self.process.poll()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def environments(
    places: int, gpus: list[str], cores: int, threads: int | None, given: Mapping[str, str]
) -> list[dict[str, str]]:
    """The environment of each place: with several, each gets its share of the cores and of the GPUs.

    What the user set for threads stands. A GPU is shared by turns where there are more places than GPUs.
    """
    found = []
    for place in range(places):
        environment = dict(given)
        if threads is not None:
            environment["OMP_NUM_THREADS"] = str(threads)
        elif places > 1:
            environment.setdefault("OMP_NUM_THREADS", str(max(1, cores // places)))
        if places > 1 and gpus:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(gpus[place::places] or [gpus[place % len(gpus)]])
        found.append(environment)
    return found


def gpus(given: Mapping[str, str]) -> list[str]:
    """The GPUs that jobs may use, by the names that CUDA_VISIBLE_DEVICES knows."""
    import torch

    count = torch.cuda.device_count()
    named = [name.strip() for name in given.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return named[:count] if named else [str(number) for number in range(count)]
