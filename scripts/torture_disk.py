"""A disk that is full at every page and at every new file in turn: a real, small file system in memory.

`unshare -rm` lets any user mount one where the kernel allows user namespaces. The run's folder lies on it; it is
made one page larger, or one file, from attempt to attempt, so that each write that needs room is the first to find
none once. What the run then says is looked at, the disk is made large, and the run is resumed.
"""

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from torture_children import PAGE_BYTES, TINY, Child, differences, fork, unreadable

SHORT = [*TINY, "trainer.max_steps=6", "trainer.eval_every=3"]
LARGE = "size=64m,nr_inodes=10000"
INSIDE = "--inside"
MOST = 2000
"""Pages or files after which something is wrong with the torture: a run needs fewer."""


def disk(torture: Any) -> None:
    """Starts itself anew where file systems may be mounted, and takes over what is told there."""
    report = torture.folder / "report.txt"
    step = max(1, round(1 / torture.share))
    script = Path(__file__).with_name("torture.py")
    command = ["unshare", "-rm", sys.executable, str(script), INSIDE, str(step), "--folder", str(torture.folder)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        torture.fail(f"unshare -rm: code {ended.returncode}: {ended.stderr[-500:]}")
        return
    for line in report.read_text().splitlines():
        kind, _, what = line.partition("\t")
        if kind == "failure":
            torture.fail(what)
        else:
            torture.seen[what] += int(kind)


def inside(folder: Path, step: int) -> None:
    """All attempts, and a report of them; every so many pages only."""
    seen: Counter[str] = Counter()
    failures: list[str] = []
    reference = folder / "undisturbed"
    child = fork([*SHORT, f"run_dir={reference}"], folder / "undisturbed.out", cwd=folder)
    if child.wait() != 0:
        raise SystemExit(f"the undisturbed run fails: {child.error()}")
    place = folder / "disk"
    place.mkdir()
    for unit, option in (("page", "nr_inodes=10000,size={}k"), ("file", "size=64m,nr_inodes={}")):
        for answer in ("stop", "continue"):
            number = 1
            while number < MOST:
                room = option.format(number * PAGE_BYTES // 1024 if unit == "page" else number)
                subprocess.run(["mount", "-t", "tmpfs", "-o", room, "tmpfs", str(place)], check=True)
                try:
                    full = attempt(
                        place / "run", answer, folder / "disk.out", reference, seen, failures, f"{unit} {number}"
                    )
                finally:
                    subprocess.run(["umount", str(place)], check=True)
                if not full:
                    break
                number += (step * (4 if answer == "continue" else 1)) if unit == "page" else max(1, step // 3)
            seen[f"on_save_error={answer}: room is enough from {unit} {number} on"] = 1
            if number >= MOST:
                failures.append(f"even {MOST} times one {unit} are not enough for a run")
    lines = [*(f"{times}\t{what}" for what, times in seen.items()), *(f"failure\t{what!r}" for what in failures)]
    (folder / "report.txt").write_text("\n".join(lines))


def attempt(
    run: Path, answer: str, output: Path, reference: Path, seen: Counter[str], failures: list[str], room: str
) -> bool:
    """One run with too little room, then one with enough; whether the first met a full disk."""
    arguments = [*SHORT, f"trainer.on_save_error={answer}", f"run_dir={run}"]
    child = fork(arguments, output, cwd=output.parent)
    code, error = child.wait(), child.error()
    said = " ".join(output.read_text().split())
    full = code != 0 or "warning" in said or "No space" in error
    outcome = f"on_save_error={answer}: code {code}" + (", with warnings" if "warning" in said else "")
    print(f"{room}, {outcome}", flush=True)
    seen[outcome] += 1
    if code not in (0, 2) or (code == 2 and not told(child)) or (code == 0 and error):
        failures.append(f"{outcome}, {room}: {error[-400:]}")
    failures += [f"{outcome}, {room}: {line}" for line in unreadable(run)]
    subprocess.run(["mount", "-o", f"remount,{LARGE}", str(run.parent)], check=True)
    # A folder that is not a run yet is no run to resume.
    arguments = ["resume", str(run)] if (run / "config.yaml").exists() else [*arguments[:-1], f"run_dir={run}-again"]
    folder = run if arguments[0] == "resume" else run.with_name("run-again")
    child = fork(arguments, output, cwd=output.parent)
    if child.wait() != 0:
        failures.append(f"{outcome}, {room}, then resumed: code {child.code}: {child.error()[-400:]}")
        return full
    if code == 0 and full:  # it went on to its end, and what found no room is gone, as was asked for
        return full
    for line in differences(folder, reference, gaps="for TensorBoard couldn't be written" in said):
        failures.append(f"{outcome}, {room}, then resumed: {line}")
    return full


def told(child: Child) -> bool:
    """Whether the one line of a child says that there is no room."""
    error = child.error()
    return error.startswith("seqtrain: ") and error.count("\n") == 1 and "space" in error
