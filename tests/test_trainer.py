import io
import json
import math
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from seqtrain import checkpoint
from seqtrain.batch import Batch, Examples, length_mask
from seqtrain.errors import CheckpointError, ConfigError, TrainingError
from seqtrain.models import RecurrentSpec, build_model
from seqtrain.optimizer import SGD, AdamW, OptimizerSpec
from seqtrain.runlog import RunLog
from seqtrain.scheduler import Cosine, InverseTime, SchedulerSpec
from seqtrain.seeding import seed_torch
from seqtrain.spec import Align, TaskSpec, Values
from seqtrain.tasks import Split, Task
from seqtrain.trainer import Trainer
from seqtrain.trainer_config import TrainerConfig

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
        self.logs: list[RunLog] = []

    def __call__(
        self,
        name: str = "run",
        optimizer: OptimizerSpec | None = None,
        scheduler: SchedulerSpec | None = None,
        seed: int = 0,
        dropout: float = 0.3,
        task: Task | None = None,
        **config,
    ) -> Trainer:
        task = task or RunningSum()
        seed_torch(seed, "init")
        model = build_model(RecurrentSpec(cell="gru", hidden_size=6, dropout=dropout), task.spec)
        seed_torch(seed, "dropout")
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        self.logs.append(RunLog(folder, self.console))
        return Trainer(
            TrainerConfig(**{"batch_size": 4, "log_every": 2, **config}),
            model,
            task,
            optimizer or AdamW(lr=0.01),
            scheduler or Cosine(),
            device=torch.device("cpu"),
            seed=seed,
            log=self.logs[-1],
        )


@pytest.fixture
def trainer_of(tmp_path) -> Iterator[Workbench]:
    workbench = Workbench(tmp_path)
    yield workbench
    for log in workbench.logs:
        log.close()


def weights(trainer: Trainer) -> list[torch.Tensor]:
    return [p.detach().clone() for p in trainer.model.parameters()]


def rows(trainer: Trainer) -> list[dict]:
    return [json.loads(line) for line in (trainer.log.folder / "metrics.jsonl").read_text().splitlines()]


def take_step(trainer: Trainer, batches: int, batch_size: int) -> None:
    examples = Ragged(Split.TRAIN)
    order = np.arange(len(examples))
    trainer.train_step([examples.batch(order[i * batch_size : (i + 1) * batch_size], 0) for i in range(batches)])


def test_accumulated_batches_equal_one_large_batch_also_with_ragged_targets(trainer_of):
    one, many = (trainer_of(name, SGD(lr=0.1), dropout=0) for name in ("one", "many"))
    for trainer in (one, many):
        trainer.model.double()
    double = Ragged(Split.TRAIN)
    double.values = double.values.double()
    one.train_step([double.batch(np.arange(12), 0)])
    many.train_step([double.batch(np.arange(start, start + 4), 0) for start in (0, 4, 8)])
    for a, b in zip(weights(one), weights(many), strict=True):
        assert torch.allclose(a, b, rtol=1e-10, atol=1e-12)


def test_clipping_bounds_the_step_by_the_global_norm(trainer_of):
    moved = {}
    for clip in (None, 0.01):
        trainer = trainer_of(str(clip), SGD(lr=1.0), dropout=0, clip_norm=clip)
        before = weights(trainer)
        take_step(trainer, 1, 4)
        moved[clip] = math.sqrt(sum(float(((a - b) ** 2).sum()) for a, b in zip(weights(trainer), before, strict=True)))
    assert moved[0.01] == pytest.approx(0.01, rel=1e-3)
    assert moved[None] > 0.1


def test_amp_runs_matrix_products_in_the_precision_asked_for(trainer_of):
    seen = {}
    for amp in ("off", "auto", "bf16"):
        trainer = trainer_of(amp, amp=amp)
        trainer.model.readout.register_forward_hook(lambda *call, amp=amp: seen.update({amp: call[-1].dtype}))
        take_step(trainer, 1, 4)
    assert seen == {"off": torch.float32, "auto": torch.float32, "bf16": torch.bfloat16}


def test_fp16_is_refused_on_a_cpu(trainer_of):
    with pytest.raises(ConfigError, match=r"trainer\.amp=fp16"):
        trainer_of(amp="fp16")


def test_evaluation_is_exact_whatever_the_batch_size(trainer_of):
    whole, uneven = (trainer_of(str(size), batch_size=size) for size in (SIZES[Split.VAL], 5))
    expected = whole.evaluate(Split.VAL)
    assert set(expected) == {"val/loss", "val/mse"}
    assert uneven.evaluate(Split.VAL) == pytest.approx(expected, rel=1e-6)
    assert expected["val/loss"] == pytest.approx(expected["val/mse"], rel=1e-6)


def test_what_is_due_happens_when_it_is_due(trainer_of):
    # 22 examples in batches of 4: 6 steps an epoch
    trainer = trainer_of(max_epochs=2, log_every=4)
    assert trainer.fit() == "max_epochs"
    assert [row["step"] for row in rows(trainer) if "train/loss" in row] == [4, 8, 12]
    assert [row["step"] for row in rows(trainer) if "val/mse" in row] == [6, 12]

    trainer = trainer_of("every", max_epochs=None, max_steps=8, eval_every=3)
    assert trainer.fit() == "max_steps"
    assert [row["step"] for row in rows(trainer) if "val/mse" in row] == [3, 6, 8]


def test_validation_may_wait_for_some_epochs(trainer_of):
    trainer = trainer_of(max_epochs=5, eval_every_epochs=2)
    trainer.fit()
    assert [row["step"] for row in rows(trainer) if "val/mse" in row] == [12, 24, 30]


def test_checkpoints_are_written_between_validations_too(trainer_of):
    saved = []
    trainer = trainer_of(max_epochs=1, checkpoint_every=2)
    trainer.save = lambda *_: saved.append(trainer.progress.step)
    trainer.fit()
    assert saved == [2, 4, 6]


def test_epochs_count_steps_of_accumulated_batches(trainer_of):
    trainer = trainer_of(max_epochs=2, accumulate=4)
    trainer.fit()
    assert trainer.progress.step == 2 * 2


def test_training_learns_and_logs_rates_and_norms(trainer_of):
    trainer = trainer_of(optimizer=AdamW(lr=0.1), scheduler=InverseTime(decay=0.1), max_epochs=30, dropout=0)
    trainer.fit()
    losses = [row["train/loss"] for row in rows(trainer) if "train/loss" in row]
    rates = [row["train/lr"] for row in rows(trainer) if "train/lr" in row]
    assert losses[-1] < 0.5 * losses[0]
    assert rates[0] == 0.1
    assert rates[-1] == pytest.approx(0.1 / (1 + 0.1 * 29))
    assert all(row["train/grad_norm"] > 0 for row in rows(trainer) if "train/loss" in row)


def test_the_test_split_is_not_read_by_training(trainer_of):
    trainer = trainer_of(max_epochs=2)
    trainer.fit()
    assert Split.TEST not in trainer.task.read


def test_patience_counts_validations_that_improve_by_no_more_than_min_delta(trainer_of):
    still = trainer_of("still", SGD(lr=0.0), max_epochs=50, patience=2, dropout=0)
    assert still.fit() == "patience"
    assert still.progress.step == 3 * 6

    slow = trainer_of("slow", max_epochs=50, patience=3, min_delta=100.0)
    assert slow.fit() == "patience"
    assert slow.progress.step == 4 * 6
    assert slow.progress.best_step > 6


def test_max_time_ends_a_run(trainer_of):
    trainer = trainer_of(max_epochs=None, max_time=0.2, scheduler=InverseTime())
    assert trainer.fit() == "max_time"
    assert trainer.progress.seconds >= 0.2
    assert trainer.progress.val


def test_best_is_what_validation_says(trainer_of):
    trainer = trainer_of("best", SGD(lr=3.0), max_epochs=8, clip_norm=5.0)
    trainer.fit()
    values = {row["step"]: row["val/mse"] for row in rows(trainer) if "val/mse" in row}
    best_step = min(values, key=values.__getitem__)
    assert trainer.progress.best_step == best_step
    state = checkpoint.load(trainer.log.folder / "checkpoints" / checkpoint.BEST)
    assert state["progress"]["step"] == best_step
    trainer.model.load_state_dict(state["model"])
    assert trainer.evaluate(Split.VAL)["val/mse"] == pytest.approx(values[best_step], rel=1e-6)


def test_what_is_no_longer_finite_stops_the_run_and_is_not_saved(trainer_of):
    trainer = trainer_of(optimizer=SGD(lr=1e30), max_epochs=3, clip_norm=None, checkpoint_every=1, log_every=50)
    with pytest.raises(TrainingError, match=r"became infinite or NaN between steps 1 and \d: try a lower optimizer.lr"):
        trainer.fit()
    state, _ = checkpoint.load_newest(trainer.log.folder / "checkpoints")
    assert state is None or all(torch.isfinite(value).all() for value in state["model"].values())


def interrupt_at(trainer: Trainer, step: int, number: signal.Signals = signal.SIGTERM) -> None:
    """Sends this process a signal in the middle of a step."""
    train_step = trainer.train_step

    def interrupted(batches):
        if trainer.progress.step + 1 == step:
            os.kill(os.getpid(), number)
        train_step(batches)

    trainer.train_step = interrupted


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_after_its_step_and_saves(trainer_of, number):
    trainer = trainer_of(max_epochs=5)
    before = signal.getsignal(number)
    interrupt_at(trainer, 8, number)
    assert trainer.fit() == number.name
    assert trainer.progress.step == 8
    state, _ = checkpoint.load_newest(trainer.log.folder / "checkpoints")
    assert state["progress"]["step"] == 8
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("step", [1, 6, 7, 9])
@pytest.mark.parametrize(
    "options",
    [{}, {"accumulate": 2, "eval_every": 4}, {"task": CarriedSum(), "batch_size": 3}],
    ids=["plain", "accumulate", "carry"],
)
def test_a_resumed_run_is_bit_for_bit_the_undisturbed_one(trainer_of, step, options):
    undisturbed = trainer_of("undisturbed", max_epochs=4, **options)
    undisturbed.fit()

    first = trainer_of("stopped", max_epochs=4, **options)
    interrupt_at(first, step)
    assert first.fit() == "SIGTERM"
    first.log.close()
    torch.rand(100)  # whatever else used the generators in between

    second = trainer_of("stopped", max_epochs=4, **options)
    state, _ = checkpoint.load_newest(second.log.folder / "checkpoints")
    second.load_state_dict(state)
    assert second.fit() == "max_epochs"

    for a, b in zip(weights(undisturbed), weights(second), strict=True):
        assert torch.equal(a, b)
    timed = {"seconds", "train/examples_per_second"}
    plain = [[{k: v for k, v in row.items() if k not in timed} for row in rows(t)] for t in (undisturbed, second)]
    assert plain[0] == plain[1]


def test_memory_is_carried_from_batch_to_batch_and_not_from_epoch_to_epoch(trainer_of):
    trainer = trainer_of(task=CarriedSum(), batch_size=1, dropout=0.0)
    whole = Batch(Chunks(Split.VAL).values, torch.tensor([53]), Chunks(Split.VAL).sums, torch.tensor([0]))
    outputs, _ = trainer.model(whole)
    expected = ((outputs - whole.targets) ** 2).mean().item()
    for _ in range(2):
        assert trainer.evaluate(Split.VAL)["val/mse"] == pytest.approx(expected, rel=1e-5)


def test_what_is_carried_ends_with_the_epoch(trainer_of):
    trainer = trainer_of(task=CarriedSum(), batch_size=3, dropout=0.0)
    memories = []
    for batch in trainer.epoch_loader():
        trainer.train_step([batch])
        memories.append(trainer.memory)
    # Streams of 4, 4 and 3 chunks: the third ends a batch earlier.
    assert [None if memory is None else memory[0].shape[1] for memory in memories] == [3, 3, 3, None]
    assert all(not memory[0].requires_grad for memory in memories[:3])


def test_a_state_of_another_model_is_refused(trainer_of):
    state = trainer_of("one").state_dict()
    state["model"]["core.layers.0.0.bias_ih_l0"] = torch.zeros(1)
    with pytest.raises(CheckpointError, match=r"the checkpoint doesn't fit this run's configuration: .*bias_ih_l0"):
        trainer_of("other").load_state_dict(state)


def test_the_seed_decides(trainer_of):
    ends = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        trainer = trainer_of(name, seed=seed, max_epochs=1)
        trainer.fit()
        ends.append(weights(trainer))
    a, b, c = ends
    assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))
    assert not any(torch.equal(x, y) for x, y in zip(a, c, strict=True))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"batch_size": 0}, "trainer.batch_size=0: must be at least 1"),
        ({"eval_every": 0}, "trainer.eval_every=0: must be at least 1"),
        ({"eval_every": 5, "eval_every_epochs": 2}, r"trainer.eval_every_epochs=2: trainer.eval_every=5 counts steps"),
        ({"max_steps": 0}, "trainer.max_steps=0: must be at least 1"),
        ({"max_time": 0.0}, "trainer.max_time=0.0: must be above 0"),
        ({"clip_norm": 0.0}, "trainer.clip_norm=0.0: must be above 0"),
        ({"max_epochs": None}, "the run has no end"),
    ],
)
def test_senseless_options_are_refused(config, message):
    with pytest.raises(ConfigError, match=message):
        TrainerConfig(**config)
