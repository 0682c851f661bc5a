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
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import torch
from benchmark_tutorials import (
    BothWays,
    ConvLSTMCell,
    GRUCell,
    LayerNormCell,
    LSTMCell,
    PeepholeCell,
    RNNCell,
    Tutorial,
)
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor, nn
from torch.profiler import ProfilerActivity

from seqtrain.device import tune_allocator
from seqtrain.models import ConvLSTMSpec, RecurrentSpec, StackSpec
from seqtrain.spec import Align, TaskSpec, Values

Step = Callable[[], None]


@dataclass(frozen=True)
class Size:
    """(batch, steps, *features) of the input, and the hidden size."""

    shape: tuple[int, ...]
    hidden: int

    def __str__(self) -> str:
        batch, steps, *features = self.shape
        return f"B {batch} T {steps} in {'x'.join(map(str, features))} hidden {self.hidden}"


VECTORS = [Size((32, 100, 64), 64), Size((64, 100, 128), 256), Size((32, 100, 512), 512)]
IMAGES = [Size((4, 10, 1, 64, 64), 64), Size((4, 10, 16, 16, 16), 64)]  # the second one in patches of 4x4


@dataclass(frozen=True)
class Architecture:
    """One row: ours, and what it is compared with.

    Attributes:
        spec: Ours, for a hidden size.
        tutorial: The same network as tutorials write it.
        native: The torch.nn layer of the same family, if there is one.
        gates: Products of hidden_size rows per step.
        sizes: What it is measured on.
    """

    spec: Callable[[int], StackSpec]
    tutorial: Callable[[int, int], nn.Module]
    native: Callable[[int, int], nn.Module] | None
    gates: int
    sizes: list[Size]

    def flops(self, size: Size) -> float:
        """Of the products of one step of training: forward once, backward twice."""
        spec, (batch, steps, features, *places) = self.spec(size.hidden), size.shape
        per_unit = torch.Size(places).numel()
        if isinstance(spec, ConvLSTMSpec):
            per_unit *= spec.kernel_size**2
        directions = 2 if spec.bidirectional else 1
        total = 0
        for depth in range(spec.num_layers):
            below = features if depth == 0 else size.hidden * directions
            total += directions * self.gates * size.hidden * (below + size.hidden)
        return 6.0 * batch * steps * per_unit * total


def recurrent(cell: str, **options: object) -> Callable[[int], StackSpec]:
    """Ours, of this cell."""
    return lambda hidden: RecurrentSpec(cell=cell, hidden_size=hidden, **options)  # type: ignore[arg-type]  # by word


def torch_layer(kind: type[nn.RNNBase], **options: object) -> Callable[[int, int], nn.Module]:
    """Torch's own layer."""
    return lambda features, hidden: kind(features, hidden, batch_first=True, **options)


def tutorial(cell: type[nn.Module], **options: object) -> Callable[[int, int], nn.Module]:
    """A stack as tutorials write it."""
    return lambda features, hidden: Tutorial(cell, features, hidden, **options)


LSTM, GRU = torch_layer(nn.LSTM), torch_layer(nn.GRU)
ARCHITECTURES = {
    "rnn": Architecture(recurrent("rnn"), tutorial(RNNCell), torch_layer(nn.RNN), 1, VECTORS),
    "gru": Architecture(recurrent("gru"), tutorial(GRUCell), GRU, 3, VECTORS),
    "gru_cho": Architecture(recurrent("gru_cho"), tutorial(GRUCell), GRU, 3, VECTORS),
    "lstm": Architecture(recurrent("lstm"), tutorial(LSTMCell), LSTM, 4, VECTORS),
    "bilstm": Architecture(
        recurrent("lstm", bidirectional=True),
        lambda features, hidden: BothWays(LSTMCell, features, hidden),
        torch_layer(nn.LSTM, bidirectional=True),
        4,
        VECTORS,
    ),
    "deep_lstm": Architecture(
        recurrent("lstm", num_layers=2), tutorial(LSTMCell, layers=2), torch_layer(nn.LSTM, num_layers=2), 4, VECTORS
    ),
    "peephole_lstm": Architecture(recurrent("peephole_lstm"), tutorial(PeepholeCell), LSTM, 4, VECTORS),
    "layernorm_lstm": Architecture(recurrent("layernorm_lstm"), tutorial(LayerNormCell), LSTM, 4, VECTORS),
    "convlstm": Architecture(
        lambda hidden: ConvLSTMSpec(hidden_size=hidden, num_layers=2), tutorial(ConvLSTMCell, layers=2), None, 4, IMAGES
    ),
}


class Ours(nn.Module):
    """Our core behind the interface of the others: features in, outputs out."""

    def __init__(self, spec: StackSpec, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.core = spec.build_core(shape[2:], TaskSpec(Values(shape[2:]), Values(shape[2:]), Align.EACH))
        self.lengths = torch.full((shape[0],), shape[1])

    def forward(self, x: Tensor) -> Tensor:
        outputs, _ = self.core(x, self.lengths)
        return outputs


def training_step(model: nn.Module, size: Size, precision: str, device: str) -> Step:
    """One step of training of a model, to be called again and again."""
    model.to(device)
    x = torch.randn(size.shape, device=device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)

    def step() -> None:
        with torch.autocast(device, torch.bfloat16) if precision == "bf16" else nullcontext():
            found = model(x)
            outputs = found[0] if isinstance(found, tuple) else found
            loss = outputs.square().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()

    return step


def interleaved(steps: dict[str, Step], seconds: float, rounds: int) -> dict[str, float]:
    """The median milliseconds of each, taking turns."""
    spent: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        step()
    end = time.perf_counter() + seconds
    while len(spent[next(iter(spent))]) < 3 or (time.perf_counter() < end and len(spent[next(iter(spent))]) < rounds):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            spent[name].append(1e3 * (time.perf_counter() - start))
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
    parser.add_argument("--quick", action="store_true", help="a second or so for each number, three turns at least")
    return parser.parse_args()


@dataclass(frozen=True)
class Row:
    """One line of the table, with a step of training for each competitor."""

    name: str
    architecture: Architecture
    size: Size
    precision: str
    steps: dict[str, Step]


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """Every architecture asked for, at every size and precision."""
    for name in options.only.split(","):
        architecture = ARCHITECTURES[name]
        wanted = {int(size) for size in options.sizes.split(",")}
        for size in (size for size in architecture.sizes if architecture.sizes is IMAGES or size.hidden in wanted):
            for precision in options.precisions.split(","):
                models = {
                    "tutorial": architecture.tutorial(size.shape[2], size.hidden),
                    "ours": Ours(architecture.spec(size.hidden), size.shape),
                }
                if architecture.native is not None:
                    models["torch"] = architecture.native(size.shape[2], size.hidden)
                steps = {who: training_step(model, size, precision, options.device) for who, model in models.items()}
                yield Row(name, architecture, size, precision, steps)


def main() -> None:
    """Measures and prints."""
    options = parse()
    torch.set_num_threads(options.threads)
    console = Console(width=170)
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
    console.print(table(found, stock, tuned, memory, peaks))
    for precision, peak in peaks.items():
        console.print(f"matmul peak {precision}: {peak:,.0f} GFLOP/s on {options.threads} threads")


def table(
    found: list[Row],
    stock: list[dict[str, float]],
    tuned: list[dict[str, float]],
    memory: list[dict[str, float]],
    peaks: dict[str, float],
) -> Table:
    """The measurements as the terminal shows them."""
    result = Table(title="A step of training. Times in ms; x: how many times faster ours (tuned) is")
    for heading in ("architecture", "size", ""):
        result.add_column(heading, no_wrap=True)
    for heading in (
        "ours\nms", "ours\nstock", "tutorial\nstock", "x", "tutorial\ntuned", "x", "torch.nn\nstock", "x",
        "torch.nn\ntuned", "x", "MB ours\ntut./nn", "GFLOP/s", "of\npeak",
    ):  # fmt: skip
        result.add_column(heading, justify="right", no_wrap=True)
    for row, before, after, held in zip(found, stock, tuned, memory, strict=True):
        ours = after["ours"]
        others = [(times.get(who), who) for who in ("tutorial", "torch") for times in (before, after)]
        compared = [
            cell
            for milliseconds, _ in others
            for cell in (("-", "-") if milliseconds is None else (f"{milliseconds:,.1f}", f"{milliseconds / ours:.2f}"))
        ]
        rate = row.architecture.flops(row.size) / ours / 1e6
        megabytes = "/".join(f"{held[who]:,.0f}" for who in ("ours", "tutorial", "torch") if who in held)
        result.add_row(
            row.name, str(row.size), row.precision, f"{ours:,.1f}", f"{before['ours']:,.1f}", *compared, megabytes,
            f"{rate:,.0f}", f"{rate / peaks[row.precision]:.0%}",
        )  # fmt: skip
    return result


if __name__ == "__main__":
    main()
