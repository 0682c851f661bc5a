"""The command line: the only place that knows Hydra, and where every user's error becomes one line.

Exit codes: 0 done, 1 a failure of ours or of a sweep's job, 2 an error of the user's input, and
128 + the signal's number for a run that was asked to stop (130 for Ctrl-C, 143 for SIGTERM, 138 for SIGUSR1, 129 for
SIGHUP).
"""

import errno
import os
import signal
import sys
from importlib import import_module
from importlib.metadata import version

from seqtrain.distributed.launcher import one_voice
from seqtrain.errors import ConfigError, UserError
from seqtrain.typos import did_you_mean

COMMANDS = {
    "train": "train",
    "lr_find": "lr_find",
    "resume": "resume",
    "eval": "evaluate",
    "predict": "predict",
    "generate": "generate",
    "explain": "explain",
    "export": "export",
    "compare": "compare",
    "list": "list_words",
    "data": "data",
    "doctor": "doctor",
}
"""Each command and the module of this package whose `main(arguments)` it is."""

ENVIRONMENT = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG, errno.EIO}
"""What an OSError says that no fault of ours brings about: a disk that is full, broken or not ours to write."""

DEBUG = "SEQTRAIN_DEBUG"
"""What `--debug` sets in the environment, so that processes that this one starts tell of their errors whole too."""


def main(arguments: list[str] | None = None) -> int:
    """Runs one command line and returns its exit code; never raises for an error of the user's."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if "--debug" in arguments:
        os.environ[DEBUG] = "1"
        arguments = [argument for argument in arguments if argument != "--debug"]
    debug = bool(os.environ.get(DEBUG))
    try:
        with one_voice():
            return dispatch(arguments)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # Whoever read our output has gone; Python would complain once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except UserError as error:
        if debug:
            raise
        sys.stderr.write(f"seqtrain: {error}\n")
        return 2
    except OSError as error:
        if debug or error.errno not in ENVIRONMENT:
            raise
        sys.stderr.write(f"seqtrain: {error.filename or 'a file'}: {error.strerror}\n")
        return 2


def dispatch(arguments: list[str]) -> int:
    """Hands the arguments to the command they name; without one, they are train's."""
    first = arguments[0] if arguments else ""
    if first == "--version":
        sys.stdout.write(f"seqtrain {version('seqtrain')}\n")
        return 0
    if first in COMMANDS:
        command, arguments = COMMANDS[first], arguments[1:]
    elif first and "=" not in first and first[0] not in "-+~":
        hint = did_you_mean(first, COMMANDS) or f"; choose from {', '.join(COMMANDS)}, or give key=value"
        raise ConfigError(f"{first}: no such command{hint}")
    else:
        command = "train"
    code: int = import_module(f"seqtrain.cli.{command}").main(arguments)
    return code
