"""The torture of scripts/torture.py is itself looked at: what it calls alike is alike, and it knows what is not."""

import json

import pytest
import torch
import torture_children
from torture_children import differences, last_step, same, unreadable
from torture_damage import damaged, whole_files

from seqtrain.training import checkpoint

STATE = {"model": {"weight": torch.arange(5.0)}, "progress": {"step": 3, "seconds": 1.5}}


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setattr(torture_children, "scalars", lambda _: {})
    for name in ("one", "other"):
        checkpoint.save(tmp_path / name / "checkpoints", STATE, best=True)
        (tmp_path / name / "metrics.jsonl").write_text('{"step": 3, "seconds": 1}\n{"step": 2, "test/loss": 1}\n')
        (tmp_path / name / "summary.json").write_text("{}")
    return tmp_path / "one", tmp_path / "other"


def test_runs_that_are_alike_but_for_their_times_do_not_differ(runs):
    one, other = runs
    checkpoint.save(other / "checkpoints", {**STATE, "progress": {"step": 3, "seconds": 9.0}}, best=True)
    assert list(differences(one, other)) == []
    assert list(unreadable(one)) == []
    assert last_step(one) == 3


def test_a_weight_a_row_and_a_file_left_behind_make_a_difference(runs):
    one, other = runs
    weights = {"weight": torch.tensor([0.0, 1, 2, 3, 4.0000005])}
    checkpoint.save(other / "checkpoints", {**STATE, "model": weights})
    (other / "metrics.jsonl").write_text('{"step": 3}\n')
    (other / "checkpoints" / "new.pt.tmp").touch()
    found = list(differences(other, one))
    assert found[0] == "last.pt: another model"
    assert [line.partition(":")[0] for line in found[1:]] == ["metrics.jsonl", "left behind"]


@pytest.mark.parametrize("name", ["checkpoints/last.pt", "summary.json", "metrics.jsonl"])
def test_a_file_that_is_cut_short_is_unreadable(runs, name):
    path = runs[0] / name
    path.unlink()  # other names of the same bytes stay whole
    path.write_bytes(b'{"st' + b"\n" * (name == "metrics.jsonl"))
    assert [line.partition(":")[0] for line in unreadable(runs[0])] == [str(path)]


def test_the_last_row_may_be_cut_short_by_a_kill(runs):
    with (runs[0] / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"step": 4})[:-2])
    assert list(unreadable(runs[0])) == []
    assert last_step(runs[0]) == 3


def test_sameness_looks_at_types_and_keys():
    assert same([torch.ones(2), {"a": 1}], [torch.ones(2), {"a": 1}])
    assert not same(torch.ones(2), torch.ones(2, dtype=torch.float64))
    assert not same({"a": 1}, {"a": 1, "b": 2})
    assert not same([1, 2], [1])


def test_damage_is_the_same_for_a_seed_and_leaves_little_whole():
    import numpy as np

    files = whole_files()
    assert len({name for name, _, _ in files}) == 10
    for _, content, _ in files:
        twice = [damaged(content, np.random.default_rng(seed)) for seed in (3, 3)]
        assert twice[0] == twice[1]
    changed = [damaged(files[0][1], np.random.default_rng(seed)) != files[0][1] for seed in range(50)]
    assert sum(changed) > 40
