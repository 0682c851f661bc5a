"""A task that takes no time, and trainers on it that differ only in what a test names."""

import io
import json
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from seqtrain.batch import Batch, Examples, length_mask
from seqtrain.distributed.silent_log import SilentLog
from seqtrain.distributed.team import Team
from seqtrain.logs.runlog import RunLog
from seqtrain.model import Model
from seqtrain.models import RecurrentSpec, build_model
from seqtrain.optimizer import AdamW, OptimizerSpec
from seqtrain.scheduler import Cosine, SchedulerSpec
from seqtrain.seeding import seed_torch
from seqtrain.signals import StopFlag
from seqtrain.spec import Align, TaskSpec, Values
from seqtrain.tasks import Split, Task
from seqtrain.training import checkpoint
from seqtrain.training.trainer import Trainer
from seqtrain.training.trainer_config import TrainerConfig

SIZES = {Split.TRAIN: 22, Split.VAL: 13, Split.TEST: 7}


class Ragged(Examples):
    """Sequences of random length; each step's target is twice the sum of the steps so far."""

    def __init__(self, split: Split) -> None:
        rng = np.random.default_rng([5, SIZES[split]])
        self.lengths = rng.integers(2, 9, SIZES[split])
        self.values = torch.from_numpy(rng.normal(size=(SIZES[split], 8, 1)).astype(np.float32))

    def __len__(self) -> int:
        return len(self.lengths)

    def batch(self, indices, epoch):
        lengths = torch.from_numpy(self.lengths[indices])
        inputs = self.values[torch.from_numpy(indices), : int(lengths.max())]
        return Batch(inputs, lengths, 2 * inputs.cumsum(1), torch.from_numpy(indices))


class RunningSum(Task):
    """A task with ragged targets, to see that sums travel."""

    metric = "mse"
    higher_is_better = False
    outline = spec = TaskSpec(Values((1,)), Values((1,)), Align.EACH)

    def __init__(self) -> None:
        self.read: list[Split] = []

    def prepare(self, data_dir, seed):
        pass

    def examples(self, split):
        self.read.append(split)
        return Ragged(split)

    def loss(self, outputs, batch, smoothing=0.0):
        mask = length_mask(batch.lengths, outputs.shape[1], outputs.device)
        return ((outputs - batch.targets) ** 2)[mask].sum()

    def count(self, batch):
        return int(batch.lengths.sum())

    def metrics(self):
        from torchmetrics import MeanSquaredError, MetricCollection

        return MetricCollection({"mse": MeanSquaredError()})

    def score(self, metrics, outputs, batch, generated=None):
        mask = length_mask(batch.lengths, outputs.shape[1], outputs.device)
        metrics.update(outputs[mask].flatten(), batch.targets[mask].flatten())

    def baseline(self):
        return {"mse": 1.0}


class Chunks(Ragged):
    """One series of 53 values, cut into chunks of 5 and a rest; targets are sums over the whole series so far."""

    successive = True

    def __init__(self, split: Split) -> None:
        rng = np.random.default_rng([7, SIZES[split]])
        self.values = torch.from_numpy(rng.normal(size=(1, 53, 1)).astype(np.float32))
        self.sums = 2 * self.values.cumsum(1)
        self.lengths = np.array([5] * 10 + [3])

    def batch(self, indices, epoch):
        lengths = torch.from_numpy(self.lengths[indices])
        places = 5 * torch.from_numpy(indices).unsqueeze(1) + torch.arange(int(lengths.max()))
        places = places.clamp(max=52)
        return Batch(self.values[0, places], lengths, self.sums[0, places], torch.from_numpy(indices))


class CarriedSum(RunningSum):
    """Ragged targets too, in one long series that batches continue."""

    outline = spec = TaskSpec(Values((1,)), Values((1,)), Align.EACH, causal=True, carry=True)

    def examples(self, split):
        return Chunks(split)


class Workbench:
    """Makes trainers that differ only in what a test names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.console = Console(file=io.StringIO())
        self.logs: list[RunLog | SilentLog] = []

    def __call__(
        self,
        name: str = "run",
        optimizer: OptimizerSpec | None = None,
        scheduler: SchedulerSpec | None = None,
        seed: int = 0,
        dropout: float = 0.3,
        task: Task | None = None,
        model: Model | None = None,
        team: Team | None = None,
        **config,
    ) -> Trainer:
        task = task or RunningSum()
        if model is None:
            seed_torch(seed, "init")
            model = build_model(RecurrentSpec(cell="gru", hidden_size=6, dropout=dropout), task.spec)
            seed_torch(seed, "dropout")
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        saved, _ = checkpoint.load_newest(folder / checkpoint.FOLDER)
        step = 0 if saved is None else saved["progress"]["step"]
        self.logs.append(RunLog(folder, self.console, step) if team is None or team.first else SilentLog(folder))
        return Trainer(
            TrainerConfig(**{"batch_size": 4, "log_every": 2, **config}),
            model,
            task,
            optimizer or AdamW(lr=0.01),
            scheduler or Cosine(),
            device=torch.device("cpu"),
            seed=seed,
            log=self.logs[-1],
            stop=StopFlag(),
            team=team,
        )


def weights(trainer: Trainer) -> list[torch.Tensor]:
    return [p.detach().clone() for p in trainer.model.parameters()]


def stop_at(trainer: Trainer, step: int, name: str = "SIGTERM") -> None:
    """Asks a trainer to stop in the middle of a step."""
    train_step = trainer.train_step

    def interrupted(batches):
        if trainer.progress.step + 1 == step:
            trainer.stop.received = name
        return train_step(batches)

    trainer.train_step = interrupted


def rows(trainer: Trainer) -> list[dict]:
    return [json.loads(line) for line in (trainer.log.folder / "metrics.jsonl").read_text().splitlines()]
