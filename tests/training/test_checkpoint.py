import errno
import io
import os
import pickle
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from seqtrain.errors import CheckpointError
from seqtrain.training import checkpoint
from seqtrain.training.progress import Progress

STATE = {"model": {"weight": torch.arange(1000.0)}, "progress": {"step": 1}}


def state_at(step: int) -> dict:
    return {**STATE, "progress": {"step": step}}


def test_what_is_saved_comes_back_without_running_anything(tmp_path):
    checkpoint.save(tmp_path, STATE, best=False)
    state = torch.load(tmp_path / checkpoint.LAST, weights_only=True)
    assert state["format"] == checkpoint.FORMAT
    assert state["progress"] == {"step": 1}
    assert torch.equal(state["model"]["weight"], STATE["model"]["weight"])


def test_each_save_keeps_the_one_before_and_best_stays(tmp_path):
    checkpoint.save(tmp_path, state_at(1), best=True)
    checkpoint.save(tmp_path, state_at(2), best=False)
    checkpoint.save(tmp_path, state_at(3), best=False)
    steps = {
        name: checkpoint.load(tmp_path / name)["progress"]["step"]
        for name in (checkpoint.LAST, checkpoint.PREVIOUS, checkpoint.BEST)
    }
    assert steps == {checkpoint.LAST: 3, checkpoint.PREVIOUS: 2, checkpoint.BEST: 1}
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(steps)


def test_best_is_kept_where_the_file_system_has_no_hard_links(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError

    monkeypatch.setattr("pathlib.Path.hardlink_to", refuse)
    checkpoint.save(tmp_path, state_at(1), best=True)
    checkpoint.save(tmp_path, state_at(2), best=False)
    assert checkpoint.load(tmp_path / checkpoint.BEST)["progress"]["step"] == 1


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty"])
def test_a_damaged_file_is_passed_over_for_the_previous_one_with_a_warning(tmp_path, damage):
    checkpoint.save(tmp_path, state_at(1), best=False)
    checkpoint.save(tmp_path, state_at(2), best=False)
    path = tmp_path / checkpoint.LAST
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[content.index(STATE["model"]["weight"].numpy().tobytes()) + 100] ^= 1
    path.write_bytes({"flip": content, "truncate": content[:-200], "empty": b""}[damage])
    state, warnings = checkpoint.load_newest(tmp_path)
    assert state is not None
    assert state["progress"]["step"] == 1
    assert len(warnings) == 1
    assert str(path) in warnings[0]
    assert "\n" not in warnings[0]


def test_nothing_saved_yet_is_no_error(tmp_path):
    assert checkpoint.load_newest(tmp_path / "checkpoints") == (None, [])


def test_if_every_checkpoint_is_damaged_that_is_said(tmp_path):
    (tmp_path / checkpoint.LAST).write_bytes(b"not a checkpoint")
    with pytest.raises(CheckpointError, match=r"no checkpoint in .* can be read"):
        checkpoint.load_newest(tmp_path)


def test_a_newer_format_is_refused(tmp_path):
    torch.save({"format": checkpoint.FORMAT + 1}, tmp_path / "new.pt")
    with pytest.raises(CheckpointError, match="newer seqtrain"):
        checkpoint.load(tmp_path / "new.pt")


class Payload:
    def __reduce__(self):
        return (exec, ("raise SystemExit('executed')",))


def test_a_hostile_file_is_refused_and_not_executed(tmp_path):
    torch.save({"format": 1, "model": Payload()}, tmp_path / "hostile.pt")
    (tmp_path / "pickle.pt").write_bytes(pickle.dumps(Payload()))
    for name in ("hostile.pt", "pickle.pt"):
        with pytest.raises(CheckpointError, match="damaged or no checkpoint"):
            checkpoint.load(tmp_path / name)


def test_random_numbers_go_on_where_they_were():
    torch.manual_seed(3)
    torch.rand(5)
    state = checkpoint.rng_state()
    expected = torch.rand(5)
    torch.rand(7)
    checkpoint.set_rng_state(state)
    assert torch.equal(torch.rand(5), expected)


def test_the_several_best_are_names_of_their_own_and_others_go(tmp_path):
    for step, top in ((1, [1]), (2, [2, 1]), (3, [2, 1]), (4, [4, 2])):
        checkpoint.save(tmp_path, state_at(step), best=False, top=top)
    kept = {path.name: checkpoint.load(path)["progress"]["step"] for path in tmp_path.glob("step-*.pt")}
    assert kept == {"step-00000002.pt": 2, "step-00000004.pt": 4}


def test_a_compressed_record_is_refused_unread(tmp_path):
    path = tmp_path / "bomb.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 10_000_000)
    with pytest.raises(CheckpointError, match=r"record archive/data\.pkl is compressed"):
        checkpoint.load(path)


def test_a_checkpoint_of_the_first_format_is_brought_forward(tmp_path):
    progress = {"step": 7, "epoch": 1, "batch": 2, "seconds": 1.5, "val": {}, "best": {}, "best_step": 0}
    torch.save({**STATE, "format": 1, "progress": {**progress, "reference": None, "stale": 0}}, tmp_path / "old.pt")
    state = checkpoint.load(tmp_path / "old.pt")
    assert state["format"] == checkpoint.FORMAT
    assert Progress(**state["progress"]) == Progress(step=7, epoch=1, batch=2, seconds=1.5, validated=7)


@pytest.mark.parametrize("content", [{"format": 1}, {"format": True}, {"format": 1, "progress": 3}, [1]])
def test_what_only_looks_like_a_checkpoint_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "odd.pt")
    with pytest.raises(CheckpointError, match="not a seqtrain checkpoint"):
        checkpoint.load(tmp_path / "odd.pt")


def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch):
    checkpoint.save(tmp_path, state_at(1), best=True)
    fsync = os.fsync

    def full(handle):
        fsync(handle)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save(tmp_path, state_at(2), best=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.pt", "last.pt"]
    assert checkpoint.load(tmp_path / checkpoint.LAST)["progress"]["step"] == 1


@pytest.mark.parametrize("renames", range(5))
def test_the_last_checkpoint_never_names_a_best_that_is_not_there(tmp_path, monkeypatch, renames):
    checkpoint.save(tmp_path, state_at(1), best=True)
    replace, done = Path.replace, []

    def full(path, target):
        done.append(target)
        if len(done) > renames:
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(path, target)

    monkeypatch.setattr("pathlib.Path.replace", full)
    with suppress(OSError):
        checkpoint.save(tmp_path, state_at(2), best=True)
    last, best = (checkpoint.load(tmp_path / name)["progress"]["step"] for name in (checkpoint.LAST, checkpoint.BEST))
    assert last == (2 if renames >= 4 else 1)
    assert best >= last
    assert not (tmp_path / "new.pt").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_write_that_fails_midway_is_an_error_of_the_disk(tmp_path):
    (tmp_path / "new.pt.tmp").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save(tmp_path, state_at(1))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "change",
    [
        {"progress": [1, 2]},
        {"progress": None},
        {"progress": {"step": "many"}},
        {"progress": {"step": -5}},
        {"model": []},
    ],
)
def test_what_has_no_model_or_step_is_no_checkpoint(tmp_path, change):
    torch.save({"format": checkpoint.FORMAT, **STATE, **change}, tmp_path / "last.pt")
    with pytest.raises(CheckpointError, match=r"last\.pt: not a seqtrain checkpoint \("):
        checkpoint.load(tmp_path / "last.pt")


def test_what_torch_finds_strange_in_a_hostile_file_is_not_said(tmp_path):
    torch.save(STATE, tmp_path / "hostile.pt")
    content = (tmp_path / "hostile.pt").read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(tmp_path / "hostile.pt", "w") as new:
        for name in old.namelist():
            new.writestr(name, pickle.dumps(Payload(), protocol=4) if name.endswith("data.pkl") else old.read(name))
    with pytest.raises(CheckpointError, match="damaged or no checkpoint"):
        checkpoint.load(tmp_path / "hostile.pt")
