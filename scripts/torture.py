"""Does to runs what happens to runs, and sees whether they survive it. Linux only.

    python scripts/torture.py [kill damage disk stop twice memory] [--quick] [--seed 0] [--folder DIR]

    kill     200 SIGKILLs at random moments of one run, a third of them within a save, each followed by resume
    damage   1,000 damaged or hostile checkpoints, configurations and data files
    disk     a disk that is full at every page and at every new file in turn
    stop     50 SIGTERMs at random moments of one run, each followed by resume
    twice    two runs that start in the same second; two that resume the same folder
    memory   resident memory over 20,000 steps

Each section prints what was tried and what was seen; the exit code is 1 if anything was not as it must be.
--quick does a tenth of each. docs/torture.md holds the figures of a whole run.
"""

import argparse
import json
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from torture_children import (
    TINY,
    Child,
    differences,
    fork,
    has_finished,
    last_step,
    resident_or_virtual,
    saved_step,
    unreadable,
    warm_up,
)
from torture_damage import damage
from torture_disk import INSIDE, disk, inside

RACE_STEPS = 2
"""A step may end between the look at the last row and the signal, and the one after it has then begun."""

WARM_STEPS = 1200
"""After which a run has done everything once or twice that it will do: its memory is what it will be."""


@dataclass
class Torture:
    """What all sections need, and what they found.

    Attributes:
        folder: An empty folder of this section's own.
        share: The part of each section that is done.
        rng: What moments and damages are drawn from.
        seen: How often each thing was seen, in words.
        failures: What must not be, with enough to see it again.
    """

    folder: Path
    share: float
    rng: np.random.Generator
    seen: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def fail(self, *failures: str) -> None:
        """Notes what must not be, and tells it at once."""
        for failure in failures:
            print(f"  FAILED: {failure}", flush=True)
        self.failures += failures

    def times(self, whole: int) -> int:
        """So many, or a tenth of them."""
        return max(1, round(whole * self.share))

    def finished(self, name: str, *options: str) -> Path:
        """A run that nothing disturbs."""
        run = self.folder / name
        child = fork([*TINY, *options, f"run_dir={run}"], self.folder / f"{name}.out", cwd=self.folder)
        if child.wait() != 0:
            raise SystemExit(f"the undisturbed run fails: {child.error()}")
        return run


def begun(child: Child, run: Path) -> bool:
    """Waits until a child has taken a step."""
    path = run / "metrics.jsonl"
    before = path.stat().st_size if path.exists() else 0
    return child.until(lambda: path.exists() and path.stat().st_size > before)


def saving(child: Child, run: Path) -> bool:
    """Waits until a child is in the middle of a save."""
    return child.until(lambda: any(name.name.endswith(".tmp") for name in (run / "checkpoints").glob("*")), 20.0)


def kill(torture: Torture) -> None:
    """Kills one run again and again."""
    kills, steps = torture.times(200), torture.times(3000)
    options = [f"trainer.max_steps={steps}"]
    reference, run = torture.finished("undisturbed", *options), torture.folder / "killed"
    pace = json.loads((reference / "summary.json").read_text())["seconds"] / steps
    done, kinds = 0, ["start", "loop", "loop", "save", "save"]
    while done < kills:
        resumed = (run / "config.yaml").exists()
        arguments = ["resume", str(run)] if resumed else [*TINY, *options, f"run_dir={run}"]
        kind = str(torture.rng.choice(kinds)) if resumed else "loop"
        left = max(0, steps - last_step(run)) / (kills - done)
        child = fork(arguments, torture.folder / "killed.out", cwd=torture.folder)
        if kind == "start":
            child.wait(torture.rng.uniform(0, 0.5))
        elif begun(child, run):
            child.wait(torture.rng.uniform(0, 2 * left * pace))
            if kind == "save":
                saving(child, run)
        if not child.running():
            torture.seen[f"ended by itself with code {child.code}"] += 1
            if child.code != 0:
                torture.fail(f"resume after kill {done}: code {child.code}: {child.error()[-300:]}")
            if child.code != 0 or has_finished(run):
                break
            continue
        child.kill(signal.SIGKILL)
        child.wait()
        done += 1
        torture.seen[f"killed, meant for the {kind}"] += 1
        torture.seen["left a file that was being written"] += any(run.rglob("*.tmp"))
        torture.fail(*unreadable(run))
    child = fork(["resume", str(run)], torture.folder / "killed.out", cwd=torture.folder)
    if child.wait() != 0:
        torture.fail(f"the last resume: code {child.code}: {child.error()[-300:]}")
    torture.seen["steps of the run"] = last_step(run)
    torture.fail(*unreadable(run), *differences(run, reference))
    if done < kills:
        torture.fail(f"the run ended after {done} of {kills} kills")


def stop(torture: Torture) -> None:
    """Asks one run to stop again and again."""
    stops, steps = torture.times(50), torture.times(600)
    options = [f"trainer.max_steps={steps}"]
    reference, run = torture.finished("undisturbed", *options), torture.folder / "stopped"
    pace = json.loads((reference / "summary.json").read_text())["seconds"] / steps
    seconds, further = [], []
    for done in range(stops):
        resumed = (run / "config.yaml").exists()
        arguments = ["resume", str(run)] if resumed else [*TINY, *options, f"run_dir={run}"]
        child = fork(arguments, torture.folder / "stopped.out", cwd=torture.folder)
        in_loop = not resumed or torture.rng.random() < 0.85
        left = max(0, steps - last_step(run)) / (stops - done)
        if not in_loop:
            child.wait(torture.rng.uniform(0, 0.5))
        elif begun(child, run):
            child.wait(torture.rng.uniform(0, 2 * left * pace))
        before, asked = last_step(run), time.monotonic()
        if not child.running():
            torture.fail(f"stop {done}: ended by itself: code {child.code}: {child.error()[-300:]}")
            break
        child.kill(signal.SIGTERM)
        if child.wait(60.0) != 128 + signal.SIGTERM:
            torture.fail(f"stop {done}: code {child.code}: {child.error()[-300:]}")
        torture.seen["killed while starting" if child.signalled else "stopped and saved"] += 1
        torture.fail(*unreadable(run))
        if in_loop and not child.signalled:
            seconds.append(time.monotonic() - asked)
            further.append(saved_step(run) - before)
    child = fork(["resume", str(run)], torture.folder / "stopped.out", cwd=torture.folder)
    if child.wait() != 0:
        torture.fail(f"the last resume: code {child.code}: {child.error()[-300:]}")
    torture.fail(*unreadable(run), *differences(run, reference))
    if max(further, default=0) > RACE_STEPS:
        torture.fail(f"{max(further)} steps were taken after the signal")
    torture.seen[f"most steps after the signal: {max(further, default=0)}"] = 1
    torture.seen[
        f"seconds from signal to exit: median {statistics.median(seconds):.3f}, most {max(seconds):.3f}; "
        f"a step takes {pace:.4f}"
    ] = 1


def twice(torture: Torture) -> None:
    """Two at once: of new runs, and of one that was stopped."""
    options = ["trainer.max_steps=30"]
    reference = torture.finished("undisturbed", *options)
    for n in range(torture.times(20)):
        place = torture.folder / f"start{n}"
        place.mkdir()
        pair = [fork([*TINY, *options], place / f"{side}.out", cwd=place) for side in "ab"]
        codes = [child.wait() for child in pair]
        runs = [path.parent for path in place.rglob("config.yaml")]
        torture.seen[f"two starts: codes {codes}, {len(runs)} folders"] += 1
        for run in runs:
            torture.fail(*[f"two starts: {line}" for line in (*unreadable(run), *differences(run, reference))])
        if codes != [0, 0] or len(runs) != 2:
            torture.fail(f"two starts in {place}: codes {codes}, {len(runs)} folders")
    for n in range(torture.times(20)):
        run = torture.folder / f"resume{n}"
        child = fork([*TINY, *options, f"run_dir={run}"], torture.folder / "stop.out", cwd=torture.folder)
        begun(child, run)
        child.until(lambda run=run: (run / "checkpoints" / "last.pt").exists())
        child.kill(signal.SIGKILL)
        child.wait()
        pair = [fork(["resume", str(run)], torture.folder / f"{n}{side}.out", cwd=torture.folder) for side in "ab"]
        codes = sorted(child.wait() or 0 for child in pair)
        torture.seen[f"two resumes: codes {codes}"] += 1
        if codes not in ([0, 2], [0, 0]) or any(child.code == 2 and not one_line(child) for child in pair):
            torture.fail(f"two resumes of {run}: codes {codes}: {[child.error()[-300:] for child in pair]}")
        said = [(torture.folder / f"{n}{side}.out").read_text() for side in "ab"]
        if codes == [0, 0] and all("step " in text for text in said):
            torture.fail(f"two resumes of {run} both trained")
        torture.fail(*[f"two resumes: {line}" for line in (*unreadable(run), *differences(run, reference))])


def one_line(child: Child) -> bool:
    """Whether a child that was refused said so in a single line."""
    error = child.error()
    return error.startswith("seqtrain: ") and error.count("\n") == 1


def memory(torture: Torture) -> None:
    """Watches the memory of one long run, and fits a line to it."""
    steps, run = torture.times(20_000), torture.folder / "long"
    options = [f"trainer.max_steps={steps}", "trainer.eval_every=500", "trainer.checkpoint_every=250"]
    child = fork([*TINY, *options, f"run_dir={run}"], torture.folder / "long.out", cwd=torture.folder)
    begun(child, run)
    samples: list[tuple[int, float]] = []
    while child.running():
        samples.append((last_step(run), resident_or_virtual(child.pid, 1) / 2**20))
        child.wait(0.2)
    if child.code != 0:
        torture.fail(f"the long run: code {child.code}: {child.error()[-300:]}")
        return
    x, y = np.array([sample for sample in samples if WARM_STEPS < sample[0] < steps]).T
    # Neighbouring samples are alike: the error is that of 20 means, as if only these had been measured.
    x, y = (np.array([part.mean() for part in np.array_split(values, 20)]) for values in (x, y))
    (slope, level), covariance = np.polyfit(x - x.mean(), y, 1, cov=True)
    error = float(np.sqrt(covariance[0, 0]))
    torture.seen[f"resident memory {level:.1f} MiB, from {y.min():.1f} to {y.max():.1f}"] = 1
    torture.seen[f"{1e4 * slope:.3f} +- {1e4 * error:.3f} MiB per 10,000 steps, over {len(samples)} samples"] = 1
    if slope > 3 * error and slope * (x.max() - x.min()) > 0.5:
        torture.fail(f"memory grows by {1e4 * slope:.3f} +- {1e4 * error:.3f} MiB per 10,000 steps")


SECTIONS: dict[str, Callable[[Torture], None]] = {
    "kill": kill,
    "damage": damage,
    "disk": disk,
    "stop": stop,
    "twice": twice,
    "memory": memory,
}


def main() -> int:
    """Runs the sections that were asked for, and tells of each."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}; all without one")
    parser.add_argument("--quick", action="store_true", help="a tenth of each")
    parser.add_argument("--seed", type=int, default=0, help="of moments and damages")
    parser.add_argument("--folder", type=Path, help="where runs are left; without it they are removed")
    parser.add_argument(INSIDE, type=int, help=argparse.SUPPRESS)  # by the section on disks, of itself
    options = parser.parse_args()
    if unknown := set(options.sections) - set(SECTIONS):
        parser.error(f"no such section: {', '.join(unknown)}")
    place = (options.folder or Path(tempfile.mkdtemp(prefix="torture-"))).absolute()
    place.mkdir(parents=True, exist_ok=True)
    warm_up(place)
    if options.inside is not None:
        inside(place, options.inside)
        return 0
    failed = 0
    try:
        for name in options.sections or SECTIONS:
            folder = place / name
            folder.mkdir()
            torture = Torture(folder, 0.1 if options.quick else 1.0, np.random.default_rng(options.seed))
            start = time.monotonic()
            SECTIONS[name](torture)
            failed += len(torture.failures)
            tell(name, torture, time.monotonic() - start)
    finally:
        if options.folder is None:
            shutil.rmtree(place)
    return int(failed > 0)


def tell(name: str, torture: Torture, seconds: float) -> None:
    """Prints what one section tried and saw."""
    table = Table("seen", "times", title=f"{name}, {seconds:.0f} s", title_justify="left")
    for what, times in torture.seen.items():
        table.add_row(what, f"{times:,}")
    table.add_row("FAILURES", f"{len(torture.failures):,}")
    console = Console(width=120, color_system=None)
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
