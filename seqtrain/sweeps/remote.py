"""A job on another machine: a process there looks after it, and hears through the run folder that it should end.

The run folder has to be on a disk that all machines share, as it does for the results to be there.
"""

import signal
import subprocess
from pathlib import Path
from typing import Any

from seqtrain.signals import STOPPING
from seqtrain.sweeps.launchers import JOB_LOG, command

STOP = "stop.request"
"""A file in the run folder: the job should save and end."""

SECONDS_BETWEEN_LOOKS = 0.5


class Remote:
    """Goes on with a run in a process of its own; what a cluster sends to another machine and calls there."""

    def __init__(self, run: Path, argv: list[str] | None = None) -> None:
        """Prepares a call.

        Args:
            run: The run folder.
            argv: The command; by default the one that goes on with the run.
        """
        self.run = run
        self.argv = argv or command(run)
        self.child: subprocess.Popen[bytes] | None = None

    def __call__(self) -> int:
        """Runs the job to its end, and returns its exit code."""
        while True:
            code = self.watch(self.start())
            # A cluster that takes the machine back tells every process so; the job is not over for that.
            if code - 128 not in STOPPING or (self.run / STOP).exists():
                return code

    def start(self) -> "subprocess.Popen[bytes]":
        """Starts the job's process."""
        # What submitit understands as a warning, and what would end a process that knows nothing of it.
        before = signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        with (self.run / JOB_LOG).open("ab") as log:
            self.child = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        signal.signal(signal.SIGUSR2, before)
        return self.child

    def watch(self, child: "subprocess.Popen[bytes]") -> int:
        """Waits for the end of the job, and asks for it if it should come."""
        asked = False
        while True:
            try:
                return child.wait(SECONDS_BETWEEN_LOOKS)
            except subprocess.TimeoutExpired:
                if not asked and (self.run / STOP).exists():
                    child.terminate()
                    asked = True
            except BaseException:  # cancelled
                child.terminate()
                child.wait()
                raise

    def checkpoint(self) -> Any:
        """What submitit calls when the machine is taken back: saves, and asks to be called again elsewhere."""
        from submitit.helpers import DelayedSubmission

        if self.child is not None:
            self.child.terminate()
            self.child.wait()
        return DelayedSubmission(Remote(self.run, self.argv))


def request_stop(run: Path) -> None:
    """Asks a job to save and end, wherever it is."""
    (run / STOP).touch()


def withdraw_stop(run: Path) -> None:
    """Takes back what an earlier sweep asked of a job."""
    (run / STOP).unlink(missing_ok=True)
