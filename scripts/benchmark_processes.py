"""How much faster two processes train than one, on as many cores.

    python scripts/benchmark_processes.py [--processes 2] [--rounds 3]

One process pinned to one core, and several on a core each, train the same run by turns: the same global batch, the
same steps. What counts is the examples per second of the training log, the median over its lines without the
first; the best round of each side is compared, since whatever else the machine does only slows a round.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

RUN = [
    *("model=lstm", "task=sine", "model.hidden_size=128", "task.lookback=96", "task.horizon=24", "device=cpu"),
    *("task.train_size=4096", "task.val_size=64", "task.test_size=64", "trainer.batch_size=128"),
    *("trainer.log_every=10", "trainer.max_epochs=null", "trainer.eval_every=1000000", "scheduler=constant"),
]


def examples_per_second(processes: int, steps: int, cores: set[int]) -> float:
    """The speed of one run in so many processes, of one thread each, that may use these cores."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with TemporaryDirectory() as folder:
        options = [f"trainer.max_steps={steps}", f"trainer.devices={processes}", f"run_dir={folder}/run"]
        subprocess.run(
            [sys.executable, "-m", "seqtrain", *RUN, *options],
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
            timeout=600,
        )
        rows = [json.loads(line) for line in (Path(folder) / "run" / "metrics.jsonl").read_text().splitlines()]
    speeds = [row["train/examples_per_second"] for row in rows if "train/loss" in row]
    return statistics.median(speeds[1:])


def main() -> None:
    """Prints each round and the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=60)
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))[: options.processes]
    one, several = [], []
    for _ in range(options.rounds):
        one.append(examples_per_second(1, options.steps, {cores[0]}))
        several.append(examples_per_second(options.processes, options.steps, set(cores)))
        speeds = f"1 process: {one[-1]:.0f} examples/s; {options.processes}: {several[-1]:.0f}"
        print(f"{speeds}; load {os.getloadavg()[0]:.1f}")
    print(f"best to best: {max(several) / max(one):.2f} times")


if __name__ == "__main__":
    main()
