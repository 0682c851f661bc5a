"""The command line as several processes, of which the second fails in the seventh step of the first attempt.

A launcher starts it: `failing.py error|fault|kill ARGUMENT...`.
"""

import os
import signal
import sys

from seqtrain.cli import main
from seqtrain.errors import DataError
from seqtrain.training.trainer import Trainer

kind, *arguments = sys.argv[1:]
train_step = Trainer.train_step


def failing_step(trainer, batches):
    if (os.environ["RANK"], os.environ["TORCHELASTIC_RESTART_COUNT"], trainer.progress.step) == ("1", "0", 6):
        if kind == "error":
            raise DataError("a.csv, line 7: not a number")
        if kind == "fault":
            raise ZeroDivisionError("a fault of ours")
        os.kill(os.getpid(), signal.SIGKILL)
    return train_step(trainer, batches)


Trainer.train_step = failing_step
sys.exit(main(arguments))
