"""What a run tells: to the terminal, to files in its folder, and to TensorBoard."""

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any, cast

from rich.console import Console
from rich.live import Live
from rich.text import Text

from seqtrain.errors import TrainingError
from seqtrain.files import Appender, write_atomically
from seqtrain.logs.bar import StepProgress
from seqtrain.logs.numbers import number
from seqtrain.logs.tensorboard import EventFile
from seqtrain.logs.watch import Watched
from seqtrain.picture import Picture

PLOTS = "plots"
METRICS, SUMMARY, LOG = "metrics.jsonl", "summary.json", "train.log"


class RunLog:
    """The record of one run.

    Scalars go to `metrics.jsonl` and TensorBoard, lines to the terminal and `train.log`. On a terminal
    a progress bar stays below the lines and shows the training loss; elsewhere that is a line as well.
    """

    def __init__(self, folder: Path, console: Console, step: int = 0, *, tolerant: bool = False) -> None:
        """Opens the files of a run folder.

        Args:
            folder: The run folder; it exists.
            console: Where lines and progress go.
            step: Where the run goes on from: what was recorded past it is cut off.
            tolerant: Whether the run goes on when a file can't be written any more.
        """
        self.tolerant = tolerant
        self.failing = False
        self.folder = folder
        self.console = console
        self.progress: StepProgress | None = None
        self.latest: dict[str, float] = {}
        cut_rows(folder / METRICS, step)
        self.metrics = Appender(folder / METRICS)
        self.lines = Appender(folder / LOG)
        self.plain = Console(file=cast(IO[str], self.lines), width=120, color_system=None)
        self.tensorboard = EventFile(folder, step)

    def say(self, message: Any) -> None:
        """Prints a line, or anything rich can render, to the terminal and to train.log."""
        self.console.print(message, highlight=False)
        with self.writing():
            self.plain.print(message, highlight=False)

    def warn(self, message: str) -> None:
        """Prints a line that the user should not miss."""
        self.say(Text(f"warning: {message}", style="yellow"))

    def scalars(self, step: int, epoch: float, seconds: float, values: dict[str, float]) -> None:
        """Records values, by names like `train/loss`, after a step."""
        self.latest.update(values)
        told = (f"{name} {number(value):<6}" for name, value in values.items())
        pieces = [f"step {step:>5}", f"epoch {epoch:5.2f}", *told]
        line = "  ".join(pieces).rstrip()
        with self.writing():
            self.keep(step, epoch, seconds, values)
            self.plain.print(line, highlight=False, soft_wrap=True)
        if self.progress is None or any(name.startswith(("val/", "test/")) for name in values):
            laid = line if not self.console.is_terminal else packed(pieces, self.console.width)
            self.console.print(laid, highlight=False, soft_wrap=True)

    def watched(self, step: int, epoch: float, seconds: float, found: Watched) -> None:
        """Records what a step did layer by layer, without a line."""
        with self.writing():
            self.keep(step, epoch, seconds, found.scalars)
            self.tensorboard.histograms(step, found.histograms)

    def keep(self, step: int, epoch: float, seconds: float, values: dict[str, float]) -> None:
        """Writes values to `metrics.jsonl` and TensorBoard."""
        row = {"step": step, "epoch": round(epoch, 4), "seconds": round(seconds, 3), **values}
        self.metrics.write(json.dumps({key: finite(value) for key, value in row.items()}) + "\n")
        self.tensorboard.scalars(step, values)

    def note(self, message: str) -> None:
        """Leaves a line in train.log alone: nothing that a user has to know of."""
        with self.writing():
            self.plain.print(message, highlight=False, soft_wrap=True)

    def rewind(self, step: int) -> None:
        """Takes back what was recorded past a step, since the run goes on from there."""
        with self.writing():
            self.metrics.close()
            cut_rows(self.folder / METRICS, step)
            self.metrics = Appender(self.folder / METRICS)
            self.tensorboard.close()
            self.tensorboard = EventFile(self.folder, step)

    def pictures(self, step: int, pictures: Iterable[Picture], group: str = "pictures") -> None:
        """Shows pictures in a group of TensorBoard's, and leaves each as a file, unless no file can show it."""
        for picture in pictures:
            with self.writing():
                if picture.has_file:
                    name, content = picture.file()
                    (self.folder / PLOTS).mkdir(exist_ok=True)
                    write_atomically(self.folder / PLOTS / name, content)
                self.tensorboard.picture(step, picture, group)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A block that writes files of the run.

        Raises:
            TrainingError: If one can't be written, unless the run goes on without; that is then said once.
        """
        try:
            yield
        except OSError as error:
            message = f"{self.folder}: can't be written ({error.strerror or error})"
            if not self.tolerant:
                raise TrainingError(f"{message}. Make room and resume") from error
            if not self.failing:
                self.failing = True
                self.console.print(Text(f"warning: {message}; the record of this run has gaps from here", "yellow"))

    def start_progress(self, step: int, total_steps: int | None, shown: Sequence[str]) -> None:
        """Shows a bar from here to the end, with the latest of these values, where the console is a terminal."""
        if self.console.is_interactive:  # a terminal, and one that can move its cursor
            self.progress = StepProgress(self.console, step, total_steps, shown, self.latest)

    def advance(self, step: int) -> None:
        """Moves the bar; costs a comparison, since the bar is drawn only a few times a second."""
        if self.progress is not None:
            self.progress.advance(step)

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """A block that takes a while and isn't training: says on a terminal what is done, as long as it is."""
        if self.progress is not None:
            with self.progress.aside(what):
                yield
        elif self.console.is_interactive:
            with Live(Text(what, "dim"), console=self.console, auto_refresh=False, transient=True):
                yield
        else:
            yield

    def summary(self, content: dict[str, Any]) -> None:
        """Writes summary.json, whole or not at all."""
        text = json.dumps(content, indent=2, default=str)
        with self.writing():
            write_atomically(self.folder / SUMMARY, (text + "\n").encode())

    def stop_progress(self) -> None:
        """Takes the bar away."""
        if self.progress is not None:
            self.progress.close()
            self.progress = None

    def __enter__(self) -> "RunLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Takes the bar away and closes the files; says so if TensorBoard loses what it still holds back."""
        self.stop_progress()
        self.metrics.close()
        self.lines.close()
        try:
            self.tensorboard.close()
        except OSError as error:
            lost = f"warning: the last events for TensorBoard couldn't be written ({error.strerror or error})"
            self.console.print(Text(lost, "yellow"))


def cut_rows(path: Path, step: int) -> None:
    """Removes from a JSON-lines file what a resumed run repeats: rows past a step, of the test, or cut short."""
    if not path.exists():
        return
    kept = [line + b"\n" for line in path.read_bytes().split(b"\n") if stays(line, step)]
    write_atomically(path, b"".join(kept))


def stays(line: bytes, step: int) -> bool:
    """Whether a line is a whole row of a training that has come this far."""
    try:
        row = json.loads(line.decode())
    except (ValueError, RecursionError):  # cut short, or damaged
        return False
    if not isinstance(row, dict) or type(row.get("step")) is not int:
        return False
    return row["step"] <= step and not any(name.startswith("test/") for name in row)


def finite(value: float) -> float | None:
    """The value, or None where JSON has no word for it."""
    return value if math.isfinite(value) else None


def packed(pieces: Iterable[str], width: int) -> str:
    """Pieces two spaces apart, none broken, in lines of this many columns; all but the first line are set in."""
    lines: list[str] = []
    for piece in pieces:
        if lines and len(lines[-1]) + 2 + len(piece.rstrip()) <= width:
            lines[-1] += f"  {piece}"
        else:
            lines.append(f"  {piece}" if lines else piece)
    return "\n".join(line.rstrip() for line in lines)
