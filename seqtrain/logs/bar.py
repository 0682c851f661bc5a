"""The bar that a run, or a sweep, shows on a terminal."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from seqtrain.logs.numbers import brief, clock, leaf, short

PER_SECOND = "_per_second"
"""How the names of speeds end: `train/tokens_per_second`."""


class StepProgress:
    """A bar with the step, some of the latest values, the speed and the time that is left, in one line of any width."""

    seconds_between_draws = 0.25

    def __init__(
        self, console: Console, step: int, total_steps: int | None, shown: Sequence[str], latest: Mapping[str, float]
    ) -> None:
        """Draws the bar.

        Args:
            console: A terminal.
            step: Where training goes on.
            total_steps: Where it ends, if that is known.
            shown: Names of values, what matters most first.
            latest: Where the values are found, as they are recorded.
        """
        self.shown = shown
        self.latest = latest
        self.start = (time.perf_counter(), step)
        self.step = step
        self.seconds_aside = 0.0
        self.next_draw = 0.0
        self.line = BarLine(total_steps)
        # The loop draws the bar itself: a drawing thread would take the interpreter from it mid-step.
        self.bar = Live(self.line, console=console, auto_refresh=False, transient=True, vertical_overflow="crop")
        self.advance(step)
        self.next_draw = 0.0
        self.bar.start(refresh=True)

    def advance(self, step: int) -> None:
        """Redraws the bar if the last drawing is old enough."""
        self.step = step
        now = time.perf_counter()
        if now >= self.next_draw:
            self.next_draw = now + self.seconds_between_draws
            self.draw(now)

    @contextmanager
    def aside(self, doing: str) -> Iterator[None]:
        """A block that does something else than training, named in the bar; the pace is that of training alone."""
        began = time.perf_counter()
        self.draw(began, doing)
        try:
            yield
        finally:
            self.seconds_aside += time.perf_counter() - began
            self.next_draw = 0.0

    def draw(self, now: float, doing: str = "") -> None:
        """Draws the bar anew, with what is done in place of the time that is left."""
        seconds, steps = now - self.start[0], self.step - self.start[1]
        speeds = [name for name in self.shown if name.endswith(PER_SECOND)]
        # Each piece is there from the beginning, and as wide as it will be, so that none has to move for another.
        pieces = {name: f"{leaf(name)} {self.told(name, short):>5}" for name in self.shown if name not in speeds}
        pace = steps / max(seconds - self.seconds_aside, 1e-9)
        pieces["pace"] = f"{(f'{pace:.1f}' if pace < 9.95 else brief(pace)) if steps else '-':>3} steps/s"
        for name in speeds:
            pieces["speed"] = f"{self.told(name, brief):>4} {leaf(name).removesuffix(PER_SECOND)}/s"
        if doing:
            pieces["left"] = f"{doing:>9}"
        elif self.line.total is not None:
            left = clock((self.line.total - self.step) * seconds / steps) if steps else "-"
            pieces["left"] = f"{left:>4} left"
        self.line.show(self.step, pieces)
        if self.bar.is_started:
            self.bar.refresh()

    def told(self, name: str, form: Callable[[float], str]) -> str:
        """The latest value of a name, or a dash as long as there is none."""
        return form(self.latest[name]) if name in self.latest else "-"

    def close(self) -> None:
        """Leaves the terminal as it was."""
        self.bar.stop()


class BarLine:
    """`12/100 ━━━━━ loss 0.31  8.2 steps/s  0:10 left`: as many of the pieces as the width allows.

    A piece keeps the most columns that it ever took, so that none comes and goes, or moves, as numbers change.
    """

    least_bar = 4
    quiet = ("pace", "speed", "left")
    """Pieces that are there if one looks for them."""

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
        free = options.max_width - 3 - len(count) - 1 - self.least_bar  # 3 for the ^C of a user, which would wrap
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
                Text(f"  {text:>{self.columns[name]}}", "dim" if name in self.quiet else "")
                for name, text in self.pieces.items()
                if name in kept
            ),
        )
        yield line
