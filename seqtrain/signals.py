"""Being asked to stop: a signal sets a flag, and the loop ends at its next step."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

STOPPING = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1", "SIGHUP") if hasattr(signal, name)
]  # not every system has the last two
"""What asks a run to stop: Ctrl-C, a scheduler's end, a scheduler's warning, a terminal that has closed."""


@dataclass
class StopFlag:
    """The name of the signal that asked the run to stop, if one has."""

    received: str | None = None


@contextmanager
def stop_on_signal() -> Iterator[StopFlag]:
    """Turns the stopping signals into a flag while the block runs.

    A second SIGINT ends the process at once; of the others any number may come. Outside the main thread Python lets
    nobody listen for signals, and the flag stays down.
    """
    flag = StopFlag()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return
    before = {number: signal.getsignal(number) for number in STOPPING}

    def receive(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  # Python's signature
        if flag.received is not None and number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            raise KeyboardInterrupt
        flag.received = flag.received or signal.Signals(number).name

    for number in STOPPING:
        signal.signal(number, receive)
    try:
        yield flag
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
