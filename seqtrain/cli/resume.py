"""`seqtrain resume RUN`: goes on with a run where it stopped."""

import signal
from pathlib import Path
from typing import TYPE_CHECKING

from seqtrain.cli.parser import Parser
from seqtrain.runs.find import find_run

if TYPE_CHECKING:
    from seqtrain.runs.run import Outcome


def main(arguments: list[str]) -> int:
    """Resumes one run; starts it, if it was stopped before its first checkpoint."""
    parser = Parser(prog="seqtrain resume", description="Goes on with a run, or a sweep, as if it had never stopped.")
    parser.add_argument("run", metavar="RUN", help="a run's folder or a sweep's, or `last` for the newest run")
    parser.add_argument(
        "overrides",
        metavar="key=value",
        nargs="*",
        default=[],
        help="what is to be different from now on, like trainer.max_epochs=20; what belongs to what the run has "
        "learned, like its model, can't be",
    )
    options = parser.parse_args(arguments)
    folder = find_run(options.run)
    if (folder / "sweep.json").exists():
        from seqtrain.cli.sweep import resume_sweep

        return resume_sweep(folder, options.overrides)
    return go_on(folder, options.overrides)


def go_on(folder: Path, overrides: list[str]) -> int:
    """Resumes the run of a folder, in this process or in as many as it asks for; the exit code."""
    from rich.console import Console

    from seqtrain.distributed.launcher import is_first
    from seqtrain.runs.run import resume
    from seqtrain.runs.together import resume_together

    code = resume_together(folder, overrides)
    return exit_code(resume(folder, Console(quiet=not is_first()), overrides)) if code is None else code


def exit_code(outcome: "Outcome") -> int:
    """0 for a run that came to its end, 128 + the signal's number for one that was asked to stop."""
    return 0 if outcome.signal is None else 128 + signal.Signals[outcome.signal]
