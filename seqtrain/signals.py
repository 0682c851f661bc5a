"""Being asked to stop: a signal sets a flag, and the loop ends at its next step."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM)


@dataclass
class StopFlag:
    """The name of the signal that asked the run to stop, if one has."""

    received: str | None = None


@contextmanager
def stop_on_signal() -> Iterator[StopFlag]:
    """Turns SIGINT and SIGTERM into a flag while the block runs; a second one ends the process at once."""
    flag = StopFlag()
    before = {number: signal.getsignal(number) for number in STOPPING}

    def receive(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  # Python's signature
        flag.received = signal.Signals(number).name
        for each, handler in before.items():
            signal.signal(each, handler)

    for number in STOPPING:
        signal.signal(number, receive)
    try:
        yield flag
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
