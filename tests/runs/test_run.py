"""Whole runs, in this process."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from seqtrain.config import build_config
from seqtrain.errors import CheckpointError, ConfigError, TrainingError
from seqtrain.runs import batch_size, run
from seqtrain.runs.run import Outcome, resume, start
from seqtrain.runs.run_folder import held, read_overrides, read_tree, write_config
from seqtrain.signals import StopFlag

SINE = ("model=gru", "task=sine", "model.hidden_size=8", "model.dropout=0.2", "trainer.log_every=2")
SMALL = ("task.train_size=256", "task.val_size=64", "task.test_size=64", "task.lookback=12", "task.horizon=4")


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=200)


@pytest.fixture
def train(compose, tmp_path, console) -> Callable[..., Outcome]:
    """Trains what overrides describe, in a folder of this name."""

    def trained(name: str, *overrides: str) -> Outcome:
        typed = [*SINE, *SMALL, *overrides]
        return start(compose(*typed), typed, tmp_path / name, console)

    return trained


def printed(console: Console) -> str:
    return console.file.getvalue()


def weights(folder: Path, name: str = "last.pt") -> dict[str, torch.Tensor]:
    return torch.load(folder / "checkpoints" / name, weights_only=True)["model"]


def same(one: Path, other: Path) -> bool:
    a, b = weights(one), weights(other)
    return all(torch.equal(a[name], b[name]) for name in a)


def steps(folder: Path) -> list[int]:
    return [json.loads(line)["step"] for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_the_allocator_is_tuned_unless_it_is_to_be_left_alone(train, monkeypatch):
    tuned = []
    monkeypatch.setattr(run, "tune_allocator", lambda: tuned.append(True))
    train("tuned", "trainer.dry_run=true")
    train("stock", "trainer.dry_run=true", "trainer.tune_allocator=false")
    assert len(tuned) == 1


def test_a_dry_run_tries_everything_and_keeps_nothing(train, tmp_path, console):
    outcome = train("run", "trainer.dry_run=true")
    assert not outcome.folder.exists()
    assert not list(tmp_path.iterdir())
    assert outcome.summary["steps"] == 1
    assert {"loss", "mse", "mae"} == set(outcome.summary["test"])
    assert "nothing was kept" in printed(console)


def test_a_finished_run_can_be_extended(train, console):
    whole = train("whole", "trainer.max_epochs=4", "scheduler=constant")
    short = train("short", "trainer.max_epochs=2", "scheduler=constant")
    outcome = resume(short.folder, console, ["trainer.max_epochs=4"])
    assert outcome.summary["steps"] == 16
    assert same(whole.folder, short.folder)
    assert steps(whole.folder) == steps(short.folder)
    assert "trainer.max_epochs=4" in (short.folder / "overrides.yaml").read_text()
    assert resume(short.folder, console).summary == outcome.summary


def test_the_optimizers_options_are_those_of_the_change(train, console):
    short = train("short", "trainer.max_epochs=2", "scheduler=constant")
    before = weights(short.folder)
    resume(short.folder, console, ["trainer.max_epochs=3", "optimizer.lr=0", "optimizer.weight_decay=0"])
    assert all(torch.equal(before[name], value) for name, value in weights(short.folder).items())


def test_a_run_that_another_process_trains_is_not_touched(train, console):
    folder = train("run", "trainer.max_epochs=1").folder
    before = (folder / "config.yaml").read_bytes()
    with held(folder), pytest.raises(CheckpointError, match="another process is training this run"):
        resume(folder, console, ["trainer.max_epochs=2"])
    assert (folder / "config.yaml").read_bytes() == before


PARTS = {"init": "weights", "order": "first batch", "dropout": "random numbers", "data": "data"}


@pytest.mark.parametrize("part", PARTS)
def test_each_seed_governs_its_part_and_leaves_the_others(compose, tmp_path, console, monkeypatch, part):
    def seen_with(**seeds: int) -> dict[str, object]:
        seen: dict[str, object] = {}

        def look(_, trainer, *__):
            first = next(iter(trainer.feed.training(0, 0)))
            seen["init"] = next(trainer.model.core.parameters()).tolist()
            seen["order"] = first.indices.tolist()
            seen["dropout"] = torch.rand(3).tolist()
            seen["data"] = trainer.feed.train_examples.batch(first.indices.numpy() * 0, 0).inputs[0].tolist()
            return Outcome(tmp_path, {}, None)

        monkeypatch.setattr(run, "finish", look)
        start(
            compose(*SINE, *SMALL, *(f"seeds.{key}={value}" for key, value in seeds.items())),
            [],
            tmp_path / "r",
            console,
        )
        return seen

    one, other = seen_with(), seen_with(**{part: 1})
    assert {name for name in PARTS if one[name] != other[name]} == {part}


def test_what_has_no_deterministic_form_is_refused_where_that_is_asked_for(train, monkeypatch):
    def forward(*_):
        raise RuntimeError("xyz_cuda does not have a deterministic implementation, but you set ... . You can turn")

    try:
        train("sound", "deterministic=true", "trainer.max_epochs=1")
        assert torch.are_deterministic_algorithms_enabled()
        monkeypatch.setattr(run.Trainer, "train_step", forward)
        with pytest.raises(TrainingError, match="deterministic=true: xyz_cuda does not have"):
            train("unsound", "deterministic=true")
    finally:
        torch.use_deterministic_algorithms(False)


def test_a_run_stopped_in_its_test_tests_anew(train, monkeypatch, console):
    evaluate = run.Trainer.evaluate

    def stopping(trainer, split):
        if split == "test":
            trainer.stop.received = "SIGTERM"
        return evaluate(trainer, split)

    monkeypatch.setattr(run.Trainer, "evaluate", stopping)
    outcome = train("run", "trainer.max_epochs=1")
    assert (outcome.signal, outcome.summary["status"], outcome.summary["test"]) == ("SIGTERM", "stopped", {})
    monkeypatch.undo()
    assert set(resume(outcome.folder, console).summary["test"]) == {"loss", "mse", "mae"}


def fail_to_save(monkeypatch, after: int) -> None:
    """Lets so many checkpoints be written, then the disk is full."""
    from seqtrain.training import checkpoint

    save, calls = checkpoint.save, []

    def full(*arguments, **options):
        calls.append(1)
        if len(calls) > after:
            raise OSError(28, "No space left on device")
        save(*arguments, **options)

    monkeypatch.setattr("seqtrain.training.checkpoint.save", full)


def test_a_full_disk_stops_the_run_and_the_last_checkpoint_is_good(train, monkeypatch, console, tmp_path):
    fail_to_save(monkeypatch, after=2)
    with pytest.raises(TrainingError, match=r"\(No space left on device\); the last one is of step 8"):
        train("run", "trainer.max_epochs=4")
    monkeypatch.undo()
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["status"] == "failed"
    outcome = resume(tmp_path / "run", console)
    whole = train("whole", "trainer.max_epochs=4")
    assert outcome.summary["status"] == "finished"
    assert same(whole.folder, tmp_path / "run")


def test_a_run_can_go_on_without_a_disk(train, monkeypatch, console):
    fail_to_save(monkeypatch, after=2)
    outcome = train("run", "trainer.max_epochs=4", "trainer.on_save_error=continue")
    assert outcome.summary["steps"] == 16
    assert set(outcome.summary["test"]) == {"loss", "mse", "mae"}
    assert "warning: no checkpoint could be written" in printed(console)
    assert "what is tested is the best before, of step 8" in printed(console)


def test_a_run_that_never_had_a_disk_does_not_pass_for_finished(train, monkeypatch, tmp_path):
    fail_to_save(monkeypatch, after=0)
    reason = r"nothing was tested: .*best\.pt couldn't be written \(No space left on device\)"
    with pytest.raises(TrainingError, match=reason):
        train("run", "trainer.max_epochs=4", "trainer.on_save_error=continue")
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["status"] == "failed"


def test_a_run_that_begins_anew_forgets_what_it_had_recorded(train, monkeypatch, tmp_path, console):
    fail_to_save(monkeypatch, after=0)
    with pytest.raises(TrainingError, match="No space left"):
        train("run", "trainer.max_epochs=4")
    monkeypatch.undo()
    assert steps(tmp_path / "run")
    resume(tmp_path / "run", console)
    whole = train("whole", "trainer.max_epochs=4")
    assert steps(tmp_path / "run") == steps(whole.folder)
    curves = [EventAccumulator(str(tmp_path / name / "tensorboard")).Reload() for name in ("run", "whole")]
    one, other = ([event.step for event in curve.Scalars("train/loss")] for curve in curves)
    assert one == other


def test_a_best_checkpoint_of_another_model_is_refused(train, console):
    folder = train("run", "trainer.max_epochs=1").folder
    path = folder / "checkpoints" / "best.pt"
    state = torch.load(path, weights_only=True)
    path.unlink()  # it may be another name of last.pt
    torch.save({**state, "model": {"readout.linear.weight": torch.zeros(2, 2)}}, path)
    with pytest.raises(CheckpointError, match=r"best\.pt: of another model"):
        resume(folder, console, ["trainer.max_epochs=1"])


def test_a_record_that_can_not_be_written_is_told_once_or_stops_the_run(train, monkeypatch, console):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("seqtrain.files.Appender.write", full)
    outcome = train("tolerant", "trainer.max_epochs=2", "trainer.on_save_error=continue")
    assert outcome.summary["status"] == "finished"
    assert printed(console).count("the record of this run has gaps") == 1
    with pytest.raises(TrainingError, match=r"strict: can't be written \(No space left on device\). Make room"):
        train("strict", "trainer.max_epochs=2")


def test_smoothing_needs_labels(train):
    with pytest.raises(ConfigError, match=r"trainer\.label_smoothing=0\.1: task=sine has no cross-entropy"):
        train("run", "trainer.label_smoothing=0.1")


def test_overfitting_a_batch_reads_no_other_data(train):
    few = ("trainer.overfit_batches=1", "trainer.batch_size=4", "model.dropout=0", "optimizer.lr=0.03")
    outcome = train("run", "trainer.max_epochs=60", "trainer.eval_every=20", *few)
    assert outcome.summary["test"] == {}
    rows = [json.loads(line) for line in (outcome.folder / "metrics.jsonl").read_text().splitlines()]
    first, *_, last = [row["val/mse"] for row in rows if "val/mse" in row]
    assert last < 0.5 * first


def test_a_flag_that_is_up_at_the_start_stops_before_the_first_step(train, monkeypatch):
    from contextlib import nullcontext

    monkeypatch.setattr(run, "stop_on_signal", lambda: nullcontext(StopFlag("SIGTERM")))
    outcome = train("run")
    assert (outcome.signal, outcome.summary["steps"]) == ("SIGTERM", 0)


def test_a_batch_size_that_was_found_is_kept_for_good(train, console, monkeypatch):
    monkeypatch.setattr(batch_size, "largest_batch", lambda *_: 32)
    found = train("found", "trainer.batch_size=auto", "trainer.max_epochs=2")
    assert "trainer.batch_size=auto: 32 sequences fit in memory" in printed(console)
    given = train("given", "trainer.batch_size=32", "trainer.max_epochs=2")
    assert same(found.folder, given.folder)
    assert read_tree(found.folder)["trainer"]["batch_size"] == 32
    monkeypatch.undo()
    assert resume(found.folder, console, ["trainer.max_epochs=3"]).summary["steps"] == 24


def test_several_processes_are_asked_for_a_number(train):
    with pytest.raises(ConfigError, match=r"trainer\.batch_size=auto: what fits is found for one process alone"):
        train("run", "trainer.batch_size=auto", "trainer.devices=2")


def test_a_run_of_a_sweep_keeps_the_batch_size_that_it_finds(compose, tmp_path, console, monkeypatch):
    monkeypatch.setattr(batch_size, "largest_batch", lambda *_: 32)
    typed = [*SINE, *SMALL, "trainer.batch_size=auto", "trainer.max_steps=2"]
    tree = compose(*typed)
    write_config(tmp_path, build_config(tree), tree, typed)
    resume(tmp_path, console)
    assert read_tree(tmp_path)["trainer"]["batch_size"] == 32
    assert read_overrides(tmp_path) == typed
