"""What a run tells: to the terminal, to files in its folder, and to TensorBoard."""

import json
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any, cast

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from seqtrain.errors import TrainingError
from seqtrain.files import Appender, write_atomically
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
        self.latest |= values
        told = (f"{name} {number(value)}" for name, value in values.items())
        pieces = [f"step {step:>6}", f"epoch {epoch:6.2f}", *told]
        line = "  ".join(pieces)
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
            self.progress = StepProgress(self, step, total_steps, shown)

    def advance(self, step: int) -> None:
        """Moves the bar; costs a comparison, since the bar is drawn only a few times a second."""
        if self.progress is not None:
            self.progress.advance(step)

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


class StepProgress:
    """A bar with the step, some of the latest values, the speed and the time that is left, in one line of any width."""

    seconds_between_draws = 0.25
    speed = "train/examples_per_second"

    def __init__(self, log: RunLog, step: int, total_steps: int | None, shown: Sequence[str]) -> None:
        self.log = log
        self.shown = shown
        self.start = (time.perf_counter(), step)
        self.next_draw = 0.0
        self.line = BarLine(total_steps)
        # The loop draws the bar itself: a drawing thread would take the interpreter from it mid-step.
        self.bar = Live(self.line, console=log.console, auto_refresh=False, transient=True, vertical_overflow="crop")
        self.advance(step)
        self.next_draw = 0.0
        self.bar.start(refresh=True)

    def advance(self, step: int) -> None:
        """Redraws the bar if the last drawing is old enough."""
        now = time.perf_counter()
        if now < self.next_draw:
            return
        self.next_draw = now + self.seconds_between_draws
        seconds, steps, latest = now - self.start[0], step - self.start[1], self.log.latest
        pieces = {name: f"{leaf(name)} {number(latest[name])}" for name in self.shown if name in latest}
        if steps and seconds > 0:
            pieces["pace"] = f"{steps / seconds:.1f} steps/s"
        if self.speed in latest:
            pieces["speed"] = f"{brief(latest[self.speed])} examples/s"
        if self.line.total is not None and steps:
            pieces["left"] = f"{clock((self.line.total - step) * seconds / steps)} left"
        self.line.show(step, pieces)
        if self.bar.is_started:
            self.bar.refresh()

    def close(self) -> None:
        """Leaves the terminal as it was."""
        self.bar.stop()


class BarLine:
    """`12/100 ━━━━━ loss 0.31  8.2 steps/s  0:10 left`: as many of the pieces as the width allows.

    A piece keeps the most columns that it ever took, so that none comes and goes, or moves, as numbers change.
    """

    least_bar = 8

    def __init__(self, total: int | None) -> None:
        self.total = total
        self.step = 0
        self.pieces: dict[str, str] = {}
        self.columns: dict[str, int] = {}

    def show(self, step: int, pieces: dict[str, str]) -> None:
        """What the next drawing shows: the pieces in their order, of which the last matters most, then the first."""
        self.step, self.pieces = step, pieces
        for name, text in pieces.items():
            self.columns[name] = max(self.columns.get(name, 0), len(text))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        total = "" if self.total is None else f"/{self.total}"
        count = f"{self.step:>{len(total) - 1}}{total}" if total else str(self.step)
        free = options.max_width - 1 - len(count) - 1 - self.least_bar  # the last column stays free: some would wrap
        kept = set()
        for name in [*list(self.pieces)[-1:], *list(self.pieces)[:-1]]:
            if free >= self.columns[name] + 2:
                kept.add(name)
                free -= self.columns[name] + 2
        done = None if self.total is None else self.step / max(self.total, 1)
        line = Table.grid(padding=0)
        line.add_row(
            Text(f"{count} "),
            ProgressBar(total=None if done is None else 1.0, completed=done or 0, width=self.least_bar + free),
            *(
                Text(f"  {text:>{self.columns[name]}}", "dim" if name in ("pace", "speed", "left") else "")
                for name, text in self.pieces.items()
                if name in kept
            ),
        )
        yield line


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


def number(value: float) -> str:
    """A value in four significant digits."""
    return f"{value:.4g}" if value == 0 or abs(value) < 1000 else f"{value:.0f}"


def brief(value: float) -> str:
    """A count in three digits: 950, 1.2k, 48k, 3.1M."""
    for unit in ("", "k", "M"):
        if value < 1000 or unit == "M":
            break
        value /= 1000
    return f"{value:.1f}{unit}" if unit and value < 10 else f"{value:.0f}{unit}"


def packed(pieces: Iterable[str], width: int) -> str:
    """Pieces two spaces apart, none broken, in lines of this many columns; all but the first line are set in."""
    lines: list[str] = []
    for piece in pieces:
        if lines and len(lines[-1]) + 2 + len(piece) <= width:
            lines[-1] += f"  {piece}"
        else:
            lines.append(f"  {piece}" if lines else piece)
    return "\n".join(lines)


def clock(seconds: float) -> str:
    """A duration as 1:23:45, or 23:45 below an hour."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def leaf(name: str) -> str:
    """A value's name without what it is of: `loss` of `train/loss`."""
    return name.rpartition("/")[2]
