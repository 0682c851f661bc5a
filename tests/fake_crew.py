"""Jobs that train nothing: what they would record is told by the test."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seqtrain.runs.compare import read_json
from seqtrain.sweeps.launchers import Crew, Process

Script = tuple[int, list[float]]
"""An exit code, and the validations that a job gives, one at each look at it."""


class FakeProcess(Process):
    """Records one more validation at each look, and ends after the last, or when it is asked to."""

    def __init__(self, run: Path, code: int, values: list[float], on_look: Callable[[], None] | None = None) -> None:
        self.run, self.code, self.values, self.on_look = run, code, list(values), on_look
        self.given: list[float] = []
        self.asked_to_stop = False
        self.killed = False
        self.summary("running")

    def summary(self, status: str, **content: Any) -> None:
        values = {"metric": "val/mse", "parameters": 3, "seconds": 1.0, "status": status, **content}
        (self.run / "summary.json").write_text(json.dumps(values))

    def poll(self) -> int | None:
        if self.asked_to_stop:
            self.summary("stopped", ended_by="SIGTERM")
            return 143
        if self.on_look is not None:
            self.on_look()
        if self.values:
            self.given.append(self.values.pop(0))
            rows = [{"step": 10 * number, "val/mse": value} for number, value in enumerate(self.given, 1)]
            (self.run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
            return None
        if self.code == 0:
            best = {"step": 1, "mse": min(self.given), "loss": 0.0}
            self.summary("finished", ended_by="max_epochs", best=best, test={"mse": 0.0})
        elif self.code == 2:
            self.summary("failed", ended_by="the loss became NaN")
        return self.code

    def stop(self) -> None:
        self.asked_to_stop = True

    def kill(self) -> None:
        self.killed = True


class FakeCrew(Crew):
    """A crew whose jobs go as `script` says, by their configuration."""

    def __init__(self, script: Callable[[Path], Script], places: int = 1) -> None:
        self.script, self.places = script, places
        self.started: list[tuple[str, int]] = []
        self.processes: list[FakeProcess] = []
        self.most_at_once = 0
        self.on_look: Callable[[], None] | None = None

    def start(self, run: Path, place: int) -> Process:
        assert read_json(run / "summary.json").get("status") not in ("finished", "failed")
        self.started.append((run.name, place))
        self.processes.append(FakeProcess(run, *self.script(run), self.on_look))
        return self.processes[-1]
