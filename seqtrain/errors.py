"""What goes wrong on the user's side: one sentence that says what, where, and what to do.

The command line prints such an error as one line and exits with code 2. Anything else that is
raised is a fault of ours and keeps its traceback.
"""


class UserError(Exception):
    """Something that the user gave can't be used.

    The message is a single line: what of a user's text would break it, or steer the terminal, is written as in Python.
    """

    def __init__(self, message: str) -> None:
        super().__init__("".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in message))


class ConfigError(UserError):
    """A configuration that names, types or combines things wrongly."""


class DataError(UserError):
    """A file that is missing, or that doesn't hold what it should."""


class CheckpointError(UserError):
    """A run folder or checkpoint that can't be read or doesn't fit."""


class LengthError(UserError):
    """Sequence lengths outside 1..T."""


class TrainingError(UserError):
    """A run that can't go on as it was asked to."""


class OutOfMemoryError(TrainingError):
    """A batch that doesn't fit in memory."""


class ProcessLostError(UserError):
    """Another process of the same run has ended, so that this one can't go on."""
