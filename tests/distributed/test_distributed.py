"""One run in several processes: as if it were in one. What they do is in team_cases; each launch does all of it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import team_cases
import torch
from rich.console import Console
from workbench import CarriedSum, Chunks, Ragged, stop_at, weights

from seqtrain.batch import length_mask
from seqtrain.distributed.silent_log import SilentLog
from seqtrain.distributed.team import Team, placed
from seqtrain.errors import ConfigError
from seqtrain.logs.runlog import RunLog
from seqtrain.runs.run import check_processes, start
from seqtrain.signals import StopFlag
from seqtrain.tasks import Split
from seqtrain.training import checkpoint
from seqtrain.training.loader import eval_loader, train_loader
from seqtrain.training.trainer_config import TrainerConfig

HERE = Path(__file__).parents[1]
LONGEST = 280
"""Seconds after which a launch is given up, on a machine that is busy with much else."""

Results = list[dict[str, Any]]


@pytest.fixture(scope="module", params=[2, 3])
def several(request, tmp_path_factory) -> Results:
    """What each of several processes made of the cases."""
    folder = tmp_path_factory.mktemp(f"several-{request.param}")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={request.param}"]
    command = [*torchrun, HERE / "team_cases.py", folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONGEST)
    assert done.returncode == 0, done.stdout + done.stderr
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(request.param)]


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> dict[str, Any]:
    """What one process made of them."""
    return team_cases.run(tmp_path_factory.mktemp("alone"), Team())


def same(some: list[torch.Tensor], others: list[torch.Tensor]) -> bool:
    return all(torch.equal(one, other) for one, other in zip(some, others, strict=True))


# -------------------------------------------------------------------- as if in one


@pytest.mark.slow
@pytest.mark.parametrize("name", list(team_cases.OPTIONS))
def test_several_processes_train_as_one_does(alone, several, name):
    one, first = alone[name], several[0][name]
    assert first["end"] == one["end"]
    for ours, theirs in zip(first["weights"], one["weights"], strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=2e-5)
    assert first["progress"] == pytest.approx(one["progress"], rel=1e-4)
    assert first["test"] == pytest.approx(one["test"], rel=1e-4)
    assert first["samples"] == one["samples"]
    for ours, theirs in zip(first["rows"], one["rows"], strict=True):
        timed = ("seconds", "_per_second")
        assert {k: v for k, v in ours.items() if not k.endswith(timed)} == pytest.approx(
            {k: v for k, v in theirs.items() if not k.endswith(timed)}, rel=1e-3
        )


@pytest.mark.slow
def test_all_processes_have_the_same_bits(several):
    for name in team_cases.OPTIONS:
        for other in several[1:]:
            assert same(several[0][name]["weights"], other[name]["weights"])
            assert several[0][name]["test"] == other[name]["test"]


@pytest.mark.slow
def test_metrics_are_exact_also_where_a_process_has_scored_nothing(alone, several):
    for each in several:
        assert each["scored"] == pytest.approx(alone["scored"], rel=1e-5)


# -------------------------------------------------------------------- decided together


@pytest.mark.slow
def test_a_signal_to_one_stops_all_and_the_run_goes_on_bit_for_bit(several):
    for each in several:
        stopped = each["stopped"]
        assert stopped["end"] == "SIGTERM"
        assert stopped["at"] == 5  # heard in step 4, told in the next
        assert same(stopped["whole"], stopped["resumed"])
    draws = [each["stopped"]["draw"] for each in several]
    assert not torch.equal(draws[0], draws[1])  # dropout differs from process to process


@pytest.mark.slow
def test_a_signal_in_validation_stops_all(several):
    for each in several:
        assert each["unvalidated"] == {"end": "SIGUSR1", "validated": 0, "step": 6}


@pytest.mark.slow
def test_numbers_that_break_in_one_process_are_told_by_all_with_its_examples(several):
    second = several[1]["stop"]
    for each in several:
        assert each["stop"]["message"] == second["message"]
    assert "the loss of step 3 is infinite or NaN" in second["message"]
    assert f"(training examples {', '.join(map(str, second['seen'][0]))})" in second["message"]


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["skip", "rollback"])
def test_a_step_that_breaks_in_one_process_is_left_out_by_all(several, policy):
    for each in several:
        assert each[policy]["left_out"] == [2]
        assert each[policy]["step"] == 12
        assert same(each[policy]["weights"], several[0][policy]["weights"])


@pytest.mark.slow
def test_the_first_process_tells_the_time(several):
    ends = [each["timed"] for each in several]
    assert ends[0]["end"] == "max_time"
    assert ends[0]["step"] > 1
    assert all(end == ends[0] for end in ends)


# -------------------------------------------------------------------- shares


@pytest.mark.parametrize("examples", [Ragged(Split.TRAIN), Chunks(Split.TRAIN)])
@pytest.mark.parametrize("loader", [lambda *a, **k: train_loader(*a, seed=1, epoch=2, **k), eval_loader])
@pytest.mark.parametrize("size", [2, 3, 8])
def test_shares_hold_each_example_once_in_step(examples, loader, size):
    whole = list(loader(examples, 7))
    shares = [list(loader(examples, 7, share=Team(rank, size).share)) for rank in range(size)]
    for batch, parts in zip(whole, zip(*shares, strict=True), strict=True):
        assert sorted(batch.indices.tolist()) == sorted(index for part in parts for index in part.indices.tolist())
        for rank, part in enumerate(parts):
            assert part.indices.tolist() == batch.indices.tolist()[rank::size]
            assert len(part.inputs) == len(part.targets) == len(part)
            if len(part):
                assert part.inputs.shape[1] == int(part.lengths.max())
                mask = length_mask(part.lengths, part.inputs.shape[1])
                assert torch.equal(part.inputs[mask], batch.inputs[rank::size, : mask.shape[1]][mask])


@pytest.mark.parametrize("streams", [1, 2, 5, 6])
@pytest.mark.parametrize("size", [1, 2, 4])
def test_what_streams_remember_is_joined_and_shared_out_again(streams, size):
    whole = (torch.randn(2, streams, 3), torch.randn(2, streams, 3))
    teams = [Team(rank, size) for rank in range(size)]
    parts = [team.own_memory(whole) for team in teams]
    assert sum(part[0].shape[1] for part in parts if part is not None) == streams
    joined = teams[0].join_memories(parts)
    assert same(list(joined), list(whole))
    assert teams[0].join_memories([None] * size) is None


@pytest.mark.slow
def test_another_number_of_processes_can_go_on_with_a_carried_memory(trainer_of, tmp_path):
    whole = trainer_of("whole", max_epochs=4, dropout=0, task=CarriedSum())
    whole.fit()
    first = trainer_of("stopped", max_epochs=4, dropout=0, task=CarriedSum())
    stop_at(first, 5)
    first.fit()
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command += [HERE / "team_goes_on.py", tmp_path / "stopped"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONGEST)
    assert done.returncode == 0, done.stdout + done.stderr
    state = checkpoint.load(tmp_path / "stopped" / "checkpoints" / "last.pt")
    assert state["progress"]["step"] == whole.progress.step
    assert len(state["rng_of_others"]) == 1
    for ours, theirs in zip(state["model"].values(), weights(whole), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=2e-5)


# -------------------------------------------------------------------- one alone


def test_alone_nothing_is_shared_or_asked():
    team, heard = Team(), StopFlag()
    assert team.heed(heard) is heard is team.stop
    assert team.agree(3, 4.5) == [3, 4.5]
    assert team.tell(lambda: 7) == 7
    assert team.gather("a") == ["a"]
    assert np.arange(5)[team.share].tolist() == [0, 1, 2, 3, 4]


def test_a_silent_log_takes_all_that_a_log_takes():
    def public(kind: type) -> set[str]:
        return {name for name, value in vars(kind).items() if callable(value) and not name.startswith("_")}

    inner = {"writing", "keep"}  # for the log itself
    assert public(SilentLog) == public(RunLog) - inner


# -------------------------------------------------------------------- what can't be


def test_processes_that_can_not_be_are_refused(monkeypatch):
    with pytest.raises(ConfigError, match=r"trainer.batch_size=3: 4 processes share each batch; set it to at least 4"):
        check_processes(TrainerConfig(devices=4, batch_size=3))
    with pytest.raises(ConfigError, match=r"trainer.devices=0: must be at least 1"):
        TrainerConfig(devices=0)
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    check_processes(TrainerConfig())
    check_processes(TrainerConfig(devices=2))
    with pytest.raises(ConfigError, match=r"trainer.devices=4: 2 processes were started; say trainer.devices=2"):
        check_processes(TrainerConfig(devices=4))


def test_a_call_from_python_starts_no_processes(compose, tmp_path):
    tree = compose("model=gru", "task=sine", "trainer.devices=2")
    with pytest.raises(ConfigError, match=r"trainer.devices=2: a call from Python trains in its own process"):
        start(tree, [], tmp_path / "run", Console(quiet=True))
    assert not (tmp_path / "run").exists()


def test_each_process_has_a_device_of_its_own(monkeypatch):
    assert placed("cuda:1") == "cuda:1"  # alone
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    assert placed("cpu") == "cpu"
    for found, device in ((0, "cpu"), (2, "cuda:1")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda found=found: bool(found))
        monkeypatch.setattr(torch.cuda, "device_count", lambda found=found: found)
        assert placed("auto") == device
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ConfigError, match=r"device=cuda: 2 processes need as many CUDA devices, torch sees 1 here"):
        placed("cuda")
    with pytest.raises(ConfigError, match=r"device=cuda:0: several processes need one device each"):
        placed("cuda:0")
