"""How fast our architectures train beside tutorial code and torch.nn, and how near to what the machine can do.

    python scripts/benchmark_models.py [--quick] [--only rnn,gru] [--sizes 64,256] [--precisions fp32] [--threads 2]

A step is forward, backward and a fused Adam update on random sequences without padding. The competitors of a row
take turns in one process and the median counts. They run in a stock process first; then it is tuned as ours is
(`seqtrain.device.tune_allocator`; it can't be undone) and all run again, ours with them. The columns "stock" tell
what a user of the other code gets today, "tuned" what is left when the same is done for it.

Memory is what a step allocates at its peak beyond weights and optimizer. GFLOP/s count the products alone, forward
once and backward twice; their share is of the best that this machine does on one large product in that precision.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from benchmark_rows import ARCHITECTURES, IMAGES, Architecture, RaggedLSTM, Size, Step, timed
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch.profiler import ProfilerActivity

from seqtrain.device import tune_allocator


def interleaved(steps: dict[str, Step], seconds: float, rounds: int) -> dict[str, float]:
    """The median milliseconds of each, taking turns."""
    spent: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        step()
    end = time.perf_counter() + seconds
    while len(spent[next(iter(spent))]) < 3 or (time.perf_counter() < end and len(spent[next(iter(spent))]) < rounds):
        for name, step in steps.items():
            spent[name].append(timed(step))
    return {name: statistics.median(times) for name, times in spent.items()}


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps the profiler's own messages, written past Python, off the terminal."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def peak_megabytes(step: Step, device: str) -> float:
    """The most that a step holds beyond what stood there before it."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    with quiet(), torch.profiler.profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profile:
        step()
    events = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = highest = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        highest = max(highest, held)
    return highest / 2**20


def matmul_peak(precision: str, device: str) -> float:
    """GFLOP/s of one large product, the best of several."""
    size = 2048
    a, b = (torch.randn(size, size, device=device, dtype=DTYPES[precision]) for _ in range(2))

    def once() -> float:
        start = time.perf_counter()
        torch.mm(a, b)
        if device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    return 2e-9 * size**3 / min(once() for _ in range(10))


DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def parse() -> argparse.Namespace:
    """The command line's options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(ARCHITECTURES), help="architectures, with commas between")
    parser.add_argument("--sizes", default="64,256,512", help="hidden sizes of the vector models")
    parser.add_argument("--precisions", default="fp32,bf16")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--markdown", action="store_true", help="print the table for a page")
    parser.add_argument("--quick", action="store_true", help="a second or so for each number, three turns at least")
    options = parser.parse_args()
    options.only = options.only.split(",")
    if unknown := set(options.only) - set(ARCHITECTURES):
        parser.error(f"no such architecture: {', '.join(sorted(unknown))}; there are {', '.join(ARCHITECTURES)}")
    return options


@dataclass(frozen=True)
class Row:
    """One line of the table, with a step of training for each competitor."""

    name: str
    architecture: Architecture | RaggedLSTM
    size: Size
    precision: str
    steps: dict[str, Step]


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """Every architecture asked for, at every size and precision."""
    for name in options.only:
        architecture = ARCHITECTURES[name]
        wanted = {int(size) for size in options.sizes.split(",")}
        for size in (size for size in architecture.sizes if architecture.sizes is IMAGES or size.hidden in wanted):
            for precision in options.precisions.split(","):
                steps = architecture.steps(size, precision, options.device)
                yield Row(name, architecture, size, precision, steps)


def main() -> None:
    """Measures and prints."""
    options = parse()
    torch.set_num_threads(options.threads)
    console = Console(width=190)
    seconds, rounds = (1.5, 15) if options.quick else (8.0, 41)
    found = list(rows(options))
    stock = [
        interleaved(row.steps, seconds, rounds)
        for row in track(found, "stock process", console=console, transient=True)
    ]
    tune_allocator()
    tuned = [
        interleaved(row.steps, seconds, rounds)
        for row in track(found, "tuned process", console=console, transient=True)
    ]
    peaks = {precision: matmul_peak(precision, options.device) for precision in options.precisions.split(",")}
    memory = [{who: peak_megabytes(step, options.device) for who, step in row.steps.items()} for row in found]
    measured = zip(found, stock, tuned, memory, strict=True)
    lines = [cells(*each, peaks) for each in measured]
    if options.markdown:
        print(markdown(lines))
    else:
        console.print(table(lines))
    for precision, peak in peaks.items():
        console.print(f"matmul peak {precision}: {peak:,.0f} GFLOP/s on {options.threads} threads")


HEADINGS = (
    "architecture", "size", "", "ours ms", "ours stock", "tutorial stock", "x", "tutorial tuned", "x",
    "torch.nn stock", "x", "torch.nn tuned", "x", "MB ours/tut./nn", "GFLOP/s", "of peak",
)  # fmt: skip


def cells(
    row: Row, before: dict[str, float], after: dict[str, float], held: dict[str, float], peaks: dict[str, float]
) -> list[str]:
    """One line of the table: in a stock process, in a tuned one, and what is held."""
    ours = after["ours"]
    compared = []
    for who in ("tutorial", "torch"):
        for times in (before, after):
            compared += [f"{times[who]:,.1f}", f"{times[who] / ours:.2f}"] if who in times else ["-", "-"]
    rate = row.architecture.flops(row.size) / ours / 1e6
    rates = [f"{rate:,.0f}", f"{rate / peaks[row.precision]:.0%}"] if rate else ["-", "-"]
    megabytes = "/".join(f"{held[who]:,.0f}" for who in ("ours", "tutorial", "torch") if who in held)
    return [
        row.name, str(row.size), row.precision, f"{ours:,.1f}", f"{before['ours']:,.1f}", *compared, megabytes, *rates
    ]  # fmt: skip


def table(lines: list[list[str]]) -> Table:
    """The measurements as the terminal shows them."""
    result = Table(title="A step of training. Times in ms; x: how many times faster ours (tuned) is")
    for number, heading in enumerate(HEADINGS):
        result.add_column(heading.replace(" ", "\n"), justify="left" if number < 3 else "right", no_wrap=True)
    for line in lines:
        result.add_row(*line)
    return result


def markdown(lines: list[list[str]]) -> str:
    """The same for a page."""
    rule = ["---"] * len(HEADINGS)
    return "\n".join("| " + " | ".join(line) + " |" for line in [list(HEADINGS), rule, *lines])


if __name__ == "__main__":
    main()
