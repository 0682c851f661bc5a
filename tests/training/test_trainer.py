import math

import numpy as np
import pytest
import torch
from workbench import SIZES, CarriedSum, Chunks, Ragged, rows, stop_at, weights

from seqtrain.batch import Batch
from seqtrain.errors import CheckpointError, ConfigError, TrainingError
from seqtrain.optimizer import SGD, AdamW
from seqtrain.scheduler import InverseTime
from seqtrain.tasks import Split
from seqtrain.training import checkpoint
from seqtrain.training.trainer import MOST_FAULTS, Trainer
from seqtrain.training.trainer_config import TrainerConfig


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


def scaled(trainer: Trainer) -> Trainer:
    """The trainer with its gradients scaled as those of fp16 are; a CPU can do that much."""
    trainer.stepper.scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    trainer.guard.scaled = True
    return trainer


def test_scaled_gradients_train_as_others_do(trainer_of):
    plain, other = (trainer_of(name, max_epochs=2, dropout=0) for name in ("plain", "scaled"))
    plain.fit()
    scaled(other).fit()
    for a, b in zip(weights(plain), weights(other), strict=True):
        assert torch.allclose(a, b, rtol=1e-5, atol=1e-7)
    assert checkpoint.load(other.saver.folder / checkpoint.LAST)["scaler"]["scale"] == 1024.0


def test_a_scaled_gradient_that_overflows_costs_its_step_and_half_of_the_scale(trainer_of):
    trainer = scaled(trainer_of(max_epochs=1, dropout=0))
    before, bias = weights(trainer), trainer.model.readout.linear.bias
    spoil = bias.register_hook(lambda gradient: gradient * math.inf)
    take_step(trainer, 1, 4)
    assert all(torch.equal(a, b) for a, b in zip(weights(trainer), before, strict=True))
    assert trainer.stepper.scaler.get_scale() == 512.0
    spoil.remove()
    take_step(trainer, 1, 4)
    assert not any(torch.equal(a, b) for a, b in zip(weights(trainer), before, strict=True))


def test_a_broken_loss_is_skipped_with_scaled_gradients_too(trainer_of):
    trainer = scaled(trainer_of(max_epochs=1, on_nonfinite="skip"))
    broken_at(trainer, 2)
    assert trainer.fit() == "max_epochs"
    assert trainer.progress.left_out == [1]


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
    for option, steps in (("checkpoint_every", [2, 4, 6, 8, 10, 12]), ("checkpoint_every_epochs", [12])):
        saved = []
        trainer = trainer_of(option, max_epochs=2, eval_every_epochs=2, **{option: 2})
        trainer.save = lambda trainer=trainer, saved=saved, **_: saved.append(trainer.progress.step)
        trainer.fit()
        assert saved == steps


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


def test_no_number_of_the_gradient_is_larger_than_clip_value(trainer_of):
    moved = {}
    for clip in (None, 1e-3):
        trainer = trainer_of(str(clip), SGD(lr=1.0), dropout=0, clip_norm=None, clip_value=clip)
        before = weights(trainer)
        take_step(trainer, 1, 4)
        moved[clip] = max(float((a - b).abs().max()) for a, b in zip(weights(trainer), before, strict=True))
    assert moved[1e-3] == pytest.approx(1e-3, rel=1e-3)
    assert moved[None] > 0.01


def test_labels_are_smoothed_in_training_alone(trainer_of):
    trainer = trainer_of(max_epochs=1, label_smoothing=0.1)
    task_loss, seen = trainer.task.loss, set()

    def watched(outputs, batch, smoothing=0.0):
        seen.add((trainer.model.training, smoothing))
        return task_loss(outputs, batch)

    trainer.task.loss = watched
    trainer.fit()
    assert seen == {(True, 0.1), (False, 0.0)}


def test_averaged_weights_are_validated_and_kept_and_the_others_trained(trainer_of):
    plain, averaged = (trainer_of(str(ema), max_epochs=2, ema=ema, dropout=0) for ema in (None, 0.9))
    plain.fit()
    averaged.fit()
    for a, b in zip(weights(plain), weights(averaged), strict=True):
        assert torch.equal(a, b)
    assert [row for row in untimed(plain) if "val/mse" in row] != [row for row in untimed(averaged) if "val/mse" in row]
    state = checkpoint.load(averaged.log.folder / "checkpoints" / checkpoint.LAST)
    kept, trained = state["model"]["readout.linear.weight"], state["training_model"]["readout.linear.weight"]
    assert torch.equal(trained, averaged.model.readout.linear.weight)
    assert not torch.equal(kept, trained)
    averaged.take_best()
    assert torch.equal(averaged.model.readout.linear.weight, kept)


def test_the_metric_that_is_watched_picks_the_best(trainer_of):
    trainer = trainer_of(max_epochs=4, monitor="mse", mode="max", optimizer=SGD(lr=0.01), dropout=0)
    trainer.fit()
    assert trainer.progress.best_step == 6
    values = [row["val/mse"] for row in rows(trainer) if "val/mse" in row]
    assert values == sorted(values, reverse=True)
    assert trainer.progress.history == [-value for value in values]


def test_several_of_the_best_are_kept(trainer_of):
    trainer = trainer_of(max_epochs=5, keep_best=2, optimizer=SGD(lr=0.01), dropout=0)
    trainer.fit()
    names = {path.name for path in (trainer.log.folder / "checkpoints").iterdir()}
    assert names == {"last.pt", "previous.pt", "best.pt", "step-00000024.pt", "step-00000030.pt"}
    assert checkpoint.load(trainer.log.folder / "checkpoints" / "step-00000024.pt")["progress"]["step"] == 24


def test_limited_batches_shorten_every_pass(trainer_of):
    trainer = trainer_of(max_epochs=2, limit_batches=2, batch_size=4)
    read = []
    score = trainer.task.score
    trainer.task.score = lambda *arguments: read.append(len(arguments[2])) or score(*arguments)
    trainer.fit()
    assert trainer.progress.step == 4
    assert read == [4, 4] * 2


def test_a_few_batches_can_be_overfitted(trainer_of):
    trainer = trainer_of(max_epochs=3, overfit_batches=2, batch_size=4)
    seen = []
    step = trainer.train_step
    trainer.train_step = lambda batches: seen.append(batches[0].indices.tolist()) or step(batches)
    trainer.fit()
    assert seen == seen[:2] * 3
    assert Split.VAL not in trainer.task.read
    batch = Ragged(Split.TRAIN).batch(np.array(seen[0] + seen[1]), 0)
    expected = trainer.evaluator.evaluate(Ragged(Split.TRAIN), [batch])["mse"]
    assert rows(trainer)[-1]["val/mse"] == pytest.approx(expected, rel=1e-5)


def test_a_compiled_model_trains_and_answers_in_its_place(trainer_of, monkeypatch):
    calls = []

    def compiled(model, dynamic):
        assert dynamic
        return lambda *arguments: calls.append(model.training) or model(*arguments)

    monkeypatch.setattr("torch.compile", compiled)
    plain, quick = (trainer_of(str(wanted), max_epochs=1, dropout=0, compile=wanted) for wanted in (False, True))
    plain.fit()
    assert not calls
    quick.fit()
    assert calls.count(True) == 6
    assert calls.count(False) == 4
    for a, b in zip(weights(plain), weights(quick), strict=True):
        assert torch.equal(a, b)


def test_running_out_of_memory_is_told_with_the_sizes(trainer_of):
    trainer = trainer_of(max_epochs=1)

    def exhausted(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    trainer.model.forward = exhausted
    with pytest.raises(
        TrainingError, match=r"out of memory on cpu over a batch of 4 sequences of \d steps: lower train"
    ):
        trainer.fit()


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


def broken_at(trainer: Trainer, *steps: int, loss: float = math.nan) -> None:
    """Spoils the loss of some steps, counted from 1."""
    task_loss = trainer.task.loss

    def spoilt(*arguments):
        spoil = trainer.progress.step + 1 in steps and trainer.model.training
        return task_loss(*arguments) * (loss if spoil else 1.0)

    trainer.task.loss = spoilt


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_the_run_at_its_step_and_leaves_the_weights(trainer_of, loss):
    trainer = trainer_of(max_epochs=3, checkpoint_every=2)
    broken_at(trainer, 4, loss=loss)
    with pytest.raises(
        TrainingError, match=r"the loss of step 4 is infinite or NaN, first in .* \(training examples \d"
    ):
        trainer.fit()
    trainer.saver.wait()
    state, _ = checkpoint.load_newest(trainer.log.folder / "checkpoints")
    assert state["progress"]["step"] == 2
    assert all(torch.isfinite(value).all() for value in weights(trainer))


def test_the_place_where_numbers_break_is_named(trainer_of):
    trainer = trainer_of(max_epochs=1)
    with torch.no_grad():
        trainer.model.readout.linear.weight[0] = math.inf
    with pytest.raises(TrainingError, match=r"the loss of step 1 is infinite or NaN, first in readout"):
        trainer.fit()

    trainer = trainer_of("gradient", max_epochs=1)
    bias = trainer.model.readout.linear.bias
    bias.register_hook(lambda gradient: gradient * math.inf)
    with pytest.raises(TrainingError, match=r"the gradient of step 1 is infinite or NaN, first in readout.linear.bias"):
        trainer.fit()


def test_a_weight_without_a_gradient_hides_no_fault_of_others(trainer_of):
    trainer = trainer_of(max_epochs=1)
    trainer.model.readout.register_parameter("idle", torch.nn.Parameter(torch.ones(2)))
    trainer = Trainer(
        trainer.config,
        trainer.model,
        trainer.task,
        AdamW(lr=0.01),
        InverseTime(),
        device=trainer.device,
        seed=0,
        log=trainer.log,
    )
    trainer.model.readout.linear.bias.register_hook(lambda gradient: gradient * math.inf)
    with pytest.raises(TrainingError, match=r"the gradient of step 1 is infinite or NaN, first in readout.linear.bias"):
        trainer.fit()


def test_where_looking_costs_a_sync_the_run_looks_when_it_records(trainer_of):
    trainer = trainer_of(max_epochs=3, log_every=5)
    trainer.guard.eager = False
    broken_at(trainer, 3)
    with pytest.raises(TrainingError, match=r"the loss of step 3 is infinite or NaN, first in .* try a lower"):
        trainer.fit()
    assert trainer.progress.step == 5
    assert not (trainer.log.folder / "checkpoints").exists()


def test_weights_that_are_not_finite_are_never_saved(trainer_of):
    trainer = trainer_of(optimizer=SGD(lr=1e30), max_epochs=3, clip_norm=None, checkpoint_every=1)
    with pytest.raises(TrainingError, match=r"infinite or NaN.*: try a lower optimizer.lr"):
        trainer.fit()
    trainer.saver.wait()
    state, _ = checkpoint.load_newest(trainer.log.folder / "checkpoints")
    assert state is None or all(torch.isfinite(value).all() for value in state["model"].values())


def test_a_broken_step_can_be_skipped(trainer_of):
    trainer = trainer_of(max_epochs=2, on_nonfinite="skip", dropout=0)
    broken_at(trainer, 2, 3, 7)
    assert trainer.fit() == "max_epochs"
    assert trainer.progress.left_out == [1, 2, 6]
    assert trainer.progress.step == 12
    assert "the loss of step 3 is infinite or NaN" in (trainer.log.folder / "train.log").read_text()

    other = trainer_of("other", max_epochs=2, dropout=0)
    other.progress.left_out = [1, 2, 6]
    other.fit()
    for a, b in zip(weights(trainer), weights(other), strict=True):
        assert torch.equal(a, b)


def test_a_run_can_go_back_from_a_broken_step_and_leave_it_out(trainer_of):
    trainer = trainer_of(max_epochs=2, on_nonfinite="rollback", checkpoint_every=2, dropout=0)
    broken_at(trainer, 1, 6, 8)
    assert trainer.fit() == "max_epochs"
    assert trainer.progress.left_out == [0, 5, 7]
    steps = [row["step"] for row in rows(trainer) if "train/loss" in row]
    assert steps == [2, 4, 6, 8, 10, 12]

    skipping = trainer_of("skipping", max_epochs=2, on_nonfinite="skip", dropout=0)
    broken_at(skipping, 1, 6, 8)
    skipping.fit()
    for a, b in zip(weights(trainer), weights(skipping), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("policy", ["skip", "rollback"])
def test_a_run_of_nothing_but_broken_steps_is_given_up(trainer_of, policy):
    trainer = trainer_of(max_epochs=5, on_nonfinite=policy)
    broken_at(trainer, *range(3, 100))
    with pytest.raises(TrainingError, match=rf"step {3 + MOST_FAULTS} is .* as were the {MOST_FAULTS} steps before"):
        trainer.fit()


@pytest.mark.parametrize("name", ["SIGINT", "SIGUSR1"])
def test_a_run_that_is_asked_to_stop_ends_after_its_step_and_saves(trainer_of, name):
    trainer = trainer_of(max_epochs=5)
    stop_at(trainer, 8, name)
    assert trainer.fit() == name
    assert trainer.progress.step == 8
    state, _ = checkpoint.load_newest(trainer.log.folder / "checkpoints")
    assert state["progress"]["step"] == 8


def test_a_validation_that_is_cut_short_is_made_up_for(trainer_of):
    undisturbed = trainer_of("undisturbed", max_epochs=2)
    undisturbed.fit()
    first = trainer_of("stopped", max_epochs=2)
    score = first.task.score

    def stopping(*arguments):
        first.stop.received = "SIGTERM"
        score(*arguments)

    first.task.score = stopping
    assert first.fit() == "SIGTERM"
    assert (first.progress.step, first.progress.validated) == (6, 0)
    first.log.close()
    second = trainer_of("stopped", max_epochs=2)
    second.load_state_dict(checkpoint.load_newest(second.log.folder / "checkpoints")[0])
    assert second.fit() == "max_epochs"
    assert untimed(undisturbed) == untimed(second)


def untimed(trainer: Trainer) -> list[dict]:
    """What a trainer recorded, but for what depends on the clock."""
    timed = ("seconds", "_per_second")
    return [{key: value for key, value in row.items() if not key.endswith(timed)} for row in rows(trainer)]


def test_the_speed_counts_what_the_task_reads_without_padding(trainer_of):
    trainer = trainer_of("speed", max_epochs=1, log_every=6)
    trainer.fit()
    (row,) = (row for row in rows(trainer) if "train/loss" in row)
    train = trainer.task.examples("train")
    mean_length = row["train/tokens_per_second"] / row["train/examples_per_second"]
    assert mean_length == pytest.approx(train.lengths.mean())


@pytest.mark.parametrize("step", [1, 6, 7, 9])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"accumulate": 2, "eval_every": 4},
        {"task": CarriedSum(), "batch_size": 3},
        {"ema": 0.9, "keep_best": 3, "clip_norm": None, "clip_value": 0.1},
        {"limit_batches": 4, "monitor": "loss"},
    ],
    ids=["plain", "accumulate", "carry", "averaged", "limited"],
)
def test_a_resumed_run_is_bit_for_bit_the_undisturbed_one(trainer_of, step, options):
    undisturbed = trainer_of("undisturbed", max_epochs=4, **options)
    undisturbed.fit()

    first = trainer_of("stopped", max_epochs=4, **options)
    stop_at(first, step)
    assert first.fit() == "SIGTERM"
    first.log.close()
    torch.rand(100)  # whatever else used the generators in between

    second = trainer_of("stopped", max_epochs=4, **options)
    state, _ = checkpoint.load_newest(second.log.folder / "checkpoints")
    second.load_state_dict(state)
    assert second.fit() == "max_epochs"

    for a, b in zip(weights(undisturbed), weights(second), strict=True):
        assert torch.equal(a, b)
    assert untimed(undisturbed) == untimed(second)


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
    for batch in trainer.feed.training(0, 0):
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


@pytest.mark.parametrize(
    "place",
    [
        {"step": 1 << 62},
        {"epoch": -1},
        {"batch": 10**9},
        {"batch": -3},
        {"step": 7, "epoch": 1, "batch": 0},
    ],
)
def test_a_state_from_nowhere_is_refused(trainer_of, place):
    trainer = trainer_of()
    state = trainer.state_dict()
    with pytest.raises(CheckpointError, match="are no place in this run"):
        trainer.load_state_dict({**state, "progress": state["progress"] | place})


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
        ({"clip_value": 0.5}, "trainer.clip_value=0.5: trainer.clip_norm=1.0 clips already"),
        ({"limit_batches": 1, "overfit_batches": 1}, "trainer.limit_batches=1: trainer.overfit_batches=1 limits"),
        ({"mode": "max"}, "trainer.mode=max: the task knows its own metric"),
        ({"ema": 1.0}, "trainer.ema=1.0: must be at least 0 and below 1"),
        ({"label_smoothing": 1.0}, "trainer.label_smoothing=1.0: must be at least 0 and below 1"),
        ({"keep_best": 0}, "trainer.keep_best=0: must be at least 1"),
    ],
)
def test_senseless_options_are_refused(config, message):
    with pytest.raises(ConfigError, match=message):
        TrainerConfig(**config)
