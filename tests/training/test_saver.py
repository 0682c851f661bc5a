import errno
import os
import sys
import threading

import pytest
import torch

from seqtrain.errors import TrainingError
from seqtrain.training import checkpoint
from seqtrain.training.saver import NICENESS, Saver


def state(step: int) -> dict:
    return {"model": {"weight": torch.full((100,), float(step))}, "progress": {"step": step}}


@pytest.mark.parametrize("background", [True, False])
def test_what_is_saved_is_the_state_as_it_was_then(tmp_path, background):
    saver = Saver(tmp_path, background=background)
    given = state(1)
    saver.save(given, best=True, top=[])
    given["model"]["weight"].zero_()
    saver.wait()
    assert torch.equal(checkpoint.load(tmp_path / "best.pt")["model"]["weight"], torch.ones(100))
    assert saver.saved == 1


def test_training_goes_on_while_a_checkpoint_is_written(tmp_path, monkeypatch):
    may_write, save = threading.Event(), checkpoint.save

    def slow(*arguments, **options):
        may_write.wait()
        save(*arguments, **options)

    monkeypatch.setattr("seqtrain.training.checkpoint.save", slow)
    saver = Saver(tmp_path, background=True)
    saver.save(state(1), best=False, top=[])  # returns, though nothing can be written yet
    assert not list(tmp_path.iterdir())
    may_write.set()
    saver.wait()
    assert checkpoint.load(tmp_path / "last.pt")["progress"]["step"] == 1


def full(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


def save_and_wait(saver: Saver) -> None:
    saver.save(state(2), best=False, top=[])
    saver.wait()


@pytest.mark.parametrize("background", [True, False])
def test_a_failed_write_stops_the_run_or_is_told(tmp_path, monkeypatch, background):
    told = []
    strict, tolerant = Saver(tmp_path, background=background), Saver(tmp_path, background=background, warn=told.append)
    strict.save(state(1), best=False, top=[])
    strict.wait()
    monkeypatch.setattr("seqtrain.training.checkpoint.save", full)
    with pytest.raises(TrainingError, match=r"\(No space left on device\); the last one is of step 1. Make room"):
        save_and_wait(strict)
    save_and_wait(tolerant)
    assert len(told) == 1
    assert "none was written before" in told[0]
    strict.wait()  # told once
    assert checkpoint.load(tmp_path / "last.pt")["progress"]["step"] == 1


def test_a_fault_of_ours_does_not_die_with_the_thread(tmp_path):
    saver = Saver(tmp_path, background=True)
    saver.save({"model": {}, "progress": {}}, best=False, top=[1])
    with pytest.raises(TrainingError, match="KeyError"):
        saver.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="a thread has no niceness of its own")
def test_the_write_gives_way_to_the_steps_beside_it(tmp_path, monkeypatch):
    found = []

    def niceness(*_, **__):
        found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    monkeypatch.setattr("seqtrain.training.checkpoint.save", niceness)
    own = os.getpriority(os.PRIO_PROCESS, 0)
    saver = Saver(tmp_path, background=True)
    saver.save(state(1), best=False, top=[])
    saver.wait()
    assert found == [min(own + NICENESS, 19)]
    assert os.getpriority(os.PRIO_PROCESS, 0) == own
