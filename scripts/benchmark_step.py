"""What our training step costs beside a bare hand-written loop over the same torch layers.

    python scripts/benchmark_step.py [--data-dir ../shared/data] [--rounds 7]

Each of three cases is trained for a block of steps by turns: by the bare loop, and by ours at its defaults
(loader, loss, clipping, optimizer, logging, progress). The blocks are interleaved in one process and the median
counts. The bare loop is what a careful tutorial writes: DataLoader with a collate function,
pack_padded_sequence for ragged text, AdamW, clipping, and the loss read at every step.

Ours runs twice: on the same torch layers as the bare loop (native), which tells what the loop costs, and on
the kernels that it chooses itself (auto). The allocator can be tuned but not untuned within a process: all
run in a stock process first, ours with trainer.tune_allocator=false, then in the tuned one.
"""

import argparse
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence
from torch.utils.data import DataLoader

from seqtrain.batch import PAD
from seqtrain.device import tune_allocator
from seqtrain.logs.runlog import RunLog
from seqtrain.models import RecurrentSpec, build_model
from seqtrain.optimizer import AdamW
from seqtrain.scheduler import Constant
from seqtrain.tasks import SST2, Sine, Split, Task
from seqtrain.training.trainer import Trainer
from seqtrain.training.trainer_config import TrainerConfig

BATCH = 64
BLOCK = 60


@dataclass(frozen=True)
class Case:
    """What both loops train.

    Attributes:
        task: SST-2, read by a bidirectional LSTM, or sines, forecast by a GRU.
        hidden_size: Units of each direction.
    """

    task: Task
    hidden_size: int


CASES = {
    "bilstm on sst2": Case(SST2(), 64),
    "gru on sine": Case(Sine(), 64),
    "gru of 256 on sine": Case(Sine(), 256),  # some 50 ms a step, beside which the loop should be nothing
}


class BareClassifier(nn.Module):
    """Embedding, packed bidirectional LSTM, last states, linear: the tutorial's sentiment model."""

    def __init__(self, words: int, hidden_size: int, classes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, hidden_size, padding_idx=PAD)
        self.lstm = nn.LSTM(hidden_size, hidden_size, batch_first=True, bidirectional=True)
        self.readout = nn.Linear(2 * hidden_size, classes)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(self.embedding(x), lengths, batch_first=True, enforce_sorted=False)
        _, (h, _) = self.lstm(packed)
        return self.readout(torch.cat([h[0], h[1]], 1))


class BareForecaster(nn.Module):
    """GRU, last output, linear to the horizon: the tutorial's forecaster."""

    def __init__(self, features: int, hidden_size: int, horizon: int) -> None:
        super().__init__()
        self.gru = nn.GRU(features, hidden_size, batch_first=True)
        self.readout = nn.Linear(hidden_size, horizon * features)
        self.shape = (horizon, features)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        y, _ = self.gru(x)
        return self.readout(y[:, -1]).view(-1, *self.shape)


def bare_loader(task: Task) -> DataLoader[tuple[Tensor, Tensor, Tensor]]:
    """One example at a time, collated to the longest of the batch."""
    examples = task.examples(Split.TRAIN)
    whole = examples.batch(np.arange(len(examples)), 0)
    rows = [
        (x[:length], length, y)
        for x, length, y in zip(whole.inputs, whole.lengths.tolist(), whole.targets, strict=True)
    ]

    def collate(batch: list[tuple[Tensor, int, Tensor]]) -> tuple[Tensor, Tensor, Tensor]:
        inputs, lengths, targets = zip(*batch, strict=True)
        return pad_sequence(list(inputs), batch_first=True), torch.tensor(lengths), torch.stack(targets)

    return DataLoader(rows, batch_size=BATCH, shuffle=True, collate_fn=collate)


def bare_steps(model: nn.Module, loss_of: Callable[[Tensor, Tensor], Tensor], task: Task) -> Iterator[None]:
    """The hand-written loop, one step at a time, for ever."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    loader = bare_loader(task)
    while True:
        for inputs, lengths, targets in loader:
            loss = loss_of(model(inputs, lengths), targets)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            loss.item()
            yield


def our_steps(task: Task, spec: RecurrentSpec, folder: Path) -> Iterator[None]:
    """Ours at its defaults, one step at a time, for ever; the bar is drawn as on a terminal."""
    folder.mkdir()
    console = Console(file=(folder / "terminal").open("w"), force_terminal=True, width=100)
    log = RunLog(folder, console)
    trainer = Trainer(
        TrainerConfig(batch_size=BATCH),
        build_model(spec, task.spec),
        task,
        AdamW(lr=1e-3, weight_decay=0.01),
        Constant(),
        device=torch.device("cpu"),
        seed=0,
        log=log,
    )
    log.start_progress(0, None, ("train/loss",))
    while True:
        for batch in trainer.feed.training(trainer.progress.epoch, 0):
            trainer.train_step([batch])
            if trainer.progress.batch == 0:
                trainer.save()
            if trainer.progress.step % trainer.config.log_every == 0:
                trainer.record_training()
            log.advance(trainer.progress.step)
            yield


def milliseconds(steps: Iterator[None]) -> float:
    """The mean over one block of steps."""
    start = time.perf_counter()
    for _ in range(BLOCK):
        next(steps)
    return (time.perf_counter() - start) * 1000 / BLOCK


def measure(contestants: dict[str, Iterator[None]], rounds: int) -> dict[str, list[float]]:
    """Blocks of each contestant by turns; the first round warms up and doesn't count."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for round_ in range(rounds + 1):
        for name, steps in contestants.items():
            block = milliseconds(steps)
            if round_:
                times[name].append(block)
    return times


def contestants(case: Case, folder: Path) -> dict[str, Iterator[None]]:
    """The bare loop and ours, on one case."""
    torch.manual_seed(0)
    task, hidden_size = case.task, case.hidden_size
    text = isinstance(task, SST2)
    if text:
        bare: nn.Module = BareClassifier(task.spec.input.size, hidden_size, task.spec.output.size)
        loss_of: Callable[[Tensor, Tensor], Tensor] = nn.functional.cross_entropy
    else:
        bare = BareForecaster(1, hidden_size, task.spec.horizon)
        loss_of = nn.functional.mse_loss
    cell = "lstm" if text else "gru"
    specs = {
        f"ours, {kernel}": RecurrentSpec(cell=cell, hidden_size=hidden_size, bidirectional=text, kernel=kernel)
        for kernel in ("native", "auto")
    }
    ours = {name: our_steps(task, spec, folder / name) for name, spec in specs.items()}
    return {"bare": bare_steps(bare, loss_of, task), **ours}


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=Path("../shared/data"), help="holds sst2/")
    parser.add_argument("--rounds", type=int, default=7, help="blocks of each that count")
    options = parser.parse_args()

    table = Table(title=f"milliseconds a step, batch {BATCH}, median of {options.rounds} blocks")
    for column in ("", "process", "loop, kernel", "ms", "to bare", "(quartiles)", "to stock bare"):
        table.add_column(column, justify="left" if column in ("", "process", "loop, kernel") else "right", no_wrap=True)
    stock: dict[str, float] = {}
    with TemporaryDirectory() as folder:
        for process in ("stock", "tuned"):
            if process == "tuned":
                tune_allocator()
            for name, case in CASES.items():
                case.task.prepare(options.data_dir, seed=0)
                place = Path(folder) / f"{process} {name}"
                place.mkdir()
                times = measure(contestants(case, place), options.rounds)
                before = stock.setdefault(name, statistics.median(times["bare"]))
                for loop, blocks in times.items():
                    ratios = [block / bare for block, bare in zip(blocks, times["bare"], strict=True)]
                    low, middle, high = statistics.quantiles(ratios, n=4)
                    median = statistics.median(blocks)
                    row = (f"{median:.2f}", f"{middle:.3f}", f"{low:.3f} .. {high:.3f}", f"{median / before:.3f}")
                    table.add_row(name, process, loop, *row)
    Console(width=110).print(table)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    Console().print(
        f"peak memory of the process {peak:.0f} MiB; torch {torch.__version__}, {torch.get_num_threads()} threads"
    )


if __name__ == "__main__":
    main()
