"""Whether loading keeps up: the loader alone beside a training step, for every task.

    python scripts/benchmark_data.py [--only sst2,fsdd] [--batches 40] [--threads 2]

For each task word: how long its data takes to be ready, for the first time and again (what it caches on disk goes to
an empty folder first); then, on the task's natural model with the default batch size, the milliseconds (medians, turn
by turn) of one batch from the loader, with all augmentation, and of one step of training, whose ratio is the loader's
share; and which part of the inputs is padding. Real data is read from $SEQTRAIN_DATA or data; a set that isn't there
is left out.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import hydra
import torch
from hydra.core.hydra_config import HydraConfig
from rich.console import Console
from rich.table import Table

from seqtrain.cli.train import plain
from seqtrain.config import RunConfig, build_config
from seqtrain.data import is_present
from seqtrain.device import tune_allocator
from seqtrain.models import build_model
from seqtrain.tasks import Split
from seqtrain.training.loader import train_loader
from seqtrain.words import words

NATURAL = {
    "adding": "gru",
    "copy_memory": "gru",
    "etth1": "gru",
    "fsdd": "bigru",
    "moving_mnist": "convlstm",
    "multi30k": "seq2seq_attention",
    "ner": "bilstm",
    "sentiment": "bilstm",
    "speech": "bigru",
    "sst2": "bilstm",
    "translation": "seq2seq_attention",
    "wnut17": "bilstm",
}
"""The model that each task is measured with; lstm where none is named."""


@dataclass(frozen=True)
class Measured:
    """One line of the table."""

    task: str
    model: str
    first_seconds: float
    again_seconds: float
    load_ms: float
    step_ms: float
    padding: float


def compose(*overrides: str) -> RunConfig:
    """What the command line would run."""
    with hydra.initialize_config_module("seqtrain.conf", version_base="1.3"):
        cfg = hydra.compose("config", overrides=list(overrides), return_hydra_config=True)
        HydraConfig.instance().set_config(cfg)
        return build_config(plain(cfg).tree)


def milliseconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - start)


def measure(task: str, batches: int) -> Measured | None:
    """Reads and trains for so many batches; None where the data isn't there."""
    model_word = NATURAL.get(task, "lstm")
    first, second = (compose(f"task={task}", f"model={model_word}", "trainer.amp=off") for _ in range(2))
    name = first.task.real_data
    if name is not None and task not in ("moving_mnist", "sequential_mnist") and not is_present(name, first.data_dir):
        return None
    preparing = [milliseconds(lambda each=each: each.task.prepare(each.data_dir, 0)) / 1e3 for each in (first, second)]
    config, examples = second, second.task.examples(Split.TRAIN)
    model = build_model(config.model, config.task.spec, config.decoder)
    optimizer = config.optimizer.build(model)

    def step(batch: object) -> None:
        outputs, _ = model(batch)
        (config.task.loss(outputs, batch) / config.task.count(batch)).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    loading, stepping, real, padded = [], [], 0, 0
    iterator = iter(train_loader(examples, config.trainer.sequences, 0, 0))
    for _ in range(batches + 1):
        start = time.perf_counter()
        batch = next(iterator, None)
        if batch is None:
            break
        loading.append(1e3 * (time.perf_counter() - start))
        stepping.append(milliseconds(lambda batch=batch: step(batch)))
        real, padded = real + int(batch.lengths.sum()), padded + batch.lengths.numel() * batch.inputs.shape[1]
    loading, stepping = loading[1:] or loading, stepping[1:] or stepping  # the first of each warms up
    return Measured(
        task,
        model_word,
        *preparing,
        statistics.median(loading),
        statistics.median(stepping),
        1 - real / padded,
    )


def table(found: list[Measured]) -> Table:
    """The measurements as the terminal shows them."""
    result = Table(title="Loading beside training")
    for heading in ("task", "model"):
        result.add_column(heading)
    for heading in ("ready, s", "again, s", "batches/s", "load, ms", "step, ms", "loader's share", "padding"):
        result.add_column(heading, justify="right")
    for each in found:
        result.add_row(
            each.task,
            each.model,
            f"{each.first_seconds:.2f}",
            f"{each.again_seconds:.2f}",
            f"{1e3 / each.load_ms:,.0f}",
            f"{each.load_ms:.2f}",
            f"{each.step_ms:.1f}",
            f"{each.load_ms / (each.load_ms + each.step_ms):.1%}",
            f"{each.padding:.0%}",
        )
    return result


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = [word for word in words("task") if word != "series"]  # which has no data but a user's
    parser.add_argument("--only", default=",".join(known), help="tasks, with commas between")
    parser.add_argument("--batches", type=int, default=40, help="batches of each task that count")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    asked = options.only.split(",")
    if unknown := [word for word in asked if word not in known]:
        parser.error(f"no such task: {', '.join(unknown)}; there are {', '.join(known)}")
    torch.set_num_threads(options.threads)
    tune_allocator()
    console = Console(width=130)
    found = []
    with tempfile.TemporaryDirectory() as cache:
        os.environ["SEQTRAIN_CACHE"] = cache
        for task in asked:
            with console.status(task):
                measured = measure(task, options.batches)
            if measured is None:
                console.print(f"{task}: its data isn't in {Path(os.environ.get('SEQTRAIN_DATA', 'data'))}")
            else:
                found.append(measured)
    console.print(table(found))


if __name__ == "__main__":
    main()
