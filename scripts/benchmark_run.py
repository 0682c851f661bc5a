"""What a run costs beside its steps: its start, and its checkpoints.

    python scripts/benchmark_run.py [--rounds 5]

The start is measured from outside: a process is started as a user's shell would, and tells when its first optimizer
step begins and ends. A checkpoint of at least 100 MB is saved in the midst of training: how long the loop stands still
for it, and how long a step takes while it is written and while nothing is.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from rich.console import Console
from rich.table import Table

from seqtrain.device import tune_allocator
from seqtrain.logs.runlog import RunLog
from seqtrain.models import RecurrentSpec, build_model
from seqtrain.optimizer import AdamW
from seqtrain.scheduler import Constant
from seqtrain.tasks import Sine, Split
from seqtrain.training.trainer import Trainer
from seqtrain.training.trainer_config import TrainerConfig

STARTED = "SEQTRAIN_BENCHMARK_STARTED"
FIRST_STEP = f"""
import os, sys, time
from seqtrain.cli import main
from seqtrain.training import trainer

step = trainer.Trainer.train_step

def first(self, batches):
    began = time.time()
    step(self, batches)
    started = float(os.environ["{STARTED}"])
    print(f"first step {{began - started:.3f}} {{time.time() - started:.3f}}", flush=True)
    os._exit(0)

trainer.Trainer.train_step = first
main(sys.argv[1:])
"""

HIDDEN = 1750
"""Makes a checkpoint of some 110 MB: the weights and two moments of each."""


def start_seconds(folder: Path, overrides: list[str]) -> tuple[float, float]:
    """When the first step of a run begins and ends, in seconds after its process was started."""
    command = [sys.executable, "-c", FIRST_STEP, *overrides]
    environment = os.environ | {STARTED: str(time.time())}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("first step")]
    begins, ends = line.split()[-2:]
    return float(begins), float(ends)


def stalls(folder: Path, rounds: int) -> dict[str, list[float]]:
    """Milliseconds that the loop stands still for a checkpoint, and of steps beside and without a write."""
    tune_allocator()
    task = Sine(lookback=8, horizon=1)
    task.prepare(folder, seed=0)
    log = RunLog(folder, Console(file=(folder / "terminal").open("w")))
    spec = RecurrentSpec(cell="gru", hidden_size=HIDDEN)
    config = TrainerConfig(batch_size=4)
    model = build_model(spec, task.spec)
    trainer = Trainer(config, model, task, AdamW(lr=1e-3), Constant(), device=torch.device("cpu"), seed=0, log=log)
    batch = next(iter(trainer.feed.training(0, 0)))
    times: dict[str, list[float]] = {"save": [], "step beside the write": [], "step": []}

    def timed(name: str, what: object) -> None:
        start = time.perf_counter()
        what()  # type: ignore[operator]
        times[name].append((time.perf_counter() - start) * 1000)

    trainer.train_step([batch])
    for _ in range(rounds):
        for _ in range(5):
            timed("step", lambda: trainer.train_step([batch]))
        timed("save", trainer.save)
        while trainer.saver.busy:
            timed("step beside the write", lambda: trainer.train_step([batch]))
    trainer.saver.wait()
    log.close()
    size = (folder / "checkpoints" / "last.pt").stat().st_size
    Console().print(f"a checkpoint of {size / 1e6:.0f} MB, {len(task.examples(Split.TRAIN)):,} examples")
    return times


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    table = Table("seconds from the process's start to", "its first step", "the end of that", title="start")
    with TemporaryDirectory() as folder:
        for overrides in (["task=sine"], ["task=sine", "model=gru"], ["task=text"]):
            begins, ends = zip(*(start_seconds(Path(folder), overrides) for _ in range(rounds)), strict=True)
            table.add_row(" ".join(overrides), f"{statistics.median(begins):.2f}", f"{statistics.median(ends):.2f}")
    Console().print(table)
    table = Table("milliseconds of", "median", "most", title="checkpoint")
    with TemporaryDirectory() as folder:
        for name, found in stalls(Path(folder), rounds).items():
            table.add_row(name, f"{statistics.median(found):.1f}", f"{max(found):.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
