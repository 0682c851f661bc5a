"""What the processes tell that leave it to the first one of a run to tell: nothing."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from rich.console import Console

from seqtrain.logs.watch import Watched
from seqtrain.picture import Picture


class SilentLog:
    """Takes what `RunLog` takes, and leaves the run's folder and the terminal alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.console = Console(quiet=True)
        self.latest: dict[str, float] = {}

    def say(self, message: Any) -> None:
        """Says nothing."""

    def warn(self, message: str) -> None:
        """Says nothing."""

    def scalars(self, step: int, epoch: float, seconds: float, values: dict[str, float]) -> None:
        """Records nothing."""

    def watched(self, step: int, epoch: float, seconds: float, found: Watched) -> None:
        """Records nothing."""

    def note(self, message: str) -> None:
        """Leaves nothing."""

    def rewind(self, step: int) -> None:
        """Takes nothing back."""

    def pictures(self, step: int, pictures: Iterable[Picture], group: str = "pictures") -> None:
        """Asks for no picture, so that none is made."""

    def start_progress(self, step: int, total_steps: int | None, shown: Sequence[str]) -> None:
        """Shows nothing."""

    def advance(self, step: int) -> None:
        """Moves nothing."""

    def stop_progress(self) -> None:
        """Takes nothing away."""

    def doing(self, what: str) -> AbstractContextManager[None]:  # as RunLog's
        """Says nothing of what is done."""
        return nullcontext()

    def summary(self, content: dict[str, Any]) -> None:
        """Writes nothing."""

    def close(self) -> None:
        """Closes nothing."""
