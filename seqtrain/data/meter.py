"""How far downloads are: a bar on a terminal, plain lines elsewhere; always on standard error."""

from types import TracebackType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rich.console import Console
from rich.filesize import decimal

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Meter:
    """Tells of one file after the other."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)
        self._bars: Progress | None = None
        self._bar: TaskID | None = None

    def __enter__(self) -> "Meter":
        if self.console.is_terminal:
            from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

            columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
            self._bars = Progress(*columns, console=self.console)
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def begin(self, name: str, size_bytes: int | None, url: str) -> None:
        """Names the file that comes next; None is a size that the server alone knows."""
        if self._bars is not None:
            self._bar = self._bars.add_task(name, total=size_bytes)
            return
        size = "" if size_bytes is None else f" ({decimal(size_bytes)})"
        self.say(f"downloading {name}{size} from {urlsplit(url).hostname}")

    def at(self, done_bytes: int) -> None:
        """Moves the bar."""
        if self._bars is not None and self._bar is not None:
            self._bars.update(self._bar, completed=done_bytes)

    def say(self, line: str) -> None:
        """Prints a line, above the bar if there is one."""
        self.console.print(line, highlight=False, markup=False, soft_wrap=True)
