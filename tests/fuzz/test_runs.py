"""Whatever is done to the files of a run, or of a data set, they are read rightly or refused in one line."""

import gzip
import io
import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from seqtrain.config import build_config
from seqtrain.data.packing import BadArchiveError, Packing
from seqtrain.logs.runlog import cut_rows
from seqtrain.runs.run_folder import read_finished, read_overrides, read_tree, write_config
from seqtrain.tasks import NER, MovingMNIST, OwnSeries, Sentiment, Speech, Task, Text, Translation
from seqtrain.tasks.images.idx import read_idx
from seqtrain.training import checkpoint
from tests.fuzz.damage import Change, bounded, damage, damaged, refusal_of, soup


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("run")


# -------------------------------------------------------------------- checkpoints


def saved(state: Any) -> bytes:
    file = io.BytesIO()
    torch.save(state, file)
    return file.getvalue()


WEIGHTS = torch.arange(50.0)
STATE = {"format": checkpoint.FORMAT, "model": {"weight": WEIGHTS}, "progress": {"step": 3}}
CHECKPOINT = saved(STATE)


@given(done=damage)
@example(done=[Change("truncate", 0.5, 0, b"", 0)])
def test_a_damaged_checkpoint_holds_the_weights_or_is_refused(folder, done: list[Change]):
    path = folder / "last.pt"
    path.write_bytes(damaged(CHECKPOINT, done))
    if refusal_of(lambda: checkpoint.load(path), path.name) is None:
        state = checkpoint.load(path)
        assert torch.equal(state["model"]["weight"], WEIGHTS)
        assert state["progress"] == {"step": 3}


@given(done=damage)
def test_a_damaged_pickle_in_a_whole_checkpoint_is_read_or_refused(folder, done: list[Change]):
    path = folder / "pickle.pt"
    with zipfile.ZipFile(io.BytesIO(CHECKPOINT)) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, damaged(content, done) if name.endswith("data.pkl") else content)
    refusal_of(lambda: checkpoint.load(path), path.name)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(
    state=st.dictionaries(st.sampled_from(["format", "model", "progress"]), PLAIN) | PLAIN, version=st.integers(-2, 9)
)
@example(state={"progress": {}}, version=1)
@example(state={"progress": None}, version=1)
def test_any_content_is_no_checkpoint_or_one(folder, state: Any, version: int):
    path = folder / "any.pt"
    path.write_bytes(saved({**state, "format": version} if isinstance(state, dict) else state))
    refusal_of(lambda: checkpoint.load(path), path.name)


# -------------------------------------------------------------------- what a run writes beside them


@pytest.fixture(scope="module")
def whole_config(folder) -> bytes:
    tree = {
        "seed": 0, "seeds": {}, "device": "auto", "data_dir": "data", "model_name": "lstm", "task_name": "adding",
        "model": {"_target_": "seqtrain.models.RecurrentSpec", "cell": "lstm", "hidden_size": 8},
        "task": {"_target_": "seqtrain.tasks.Adding"}, "decoder": {},
        "optimizer": {"_target_": "seqtrain.optimizer.AdamW", "lr": 0.001},
        "scheduler": {"_target_": "seqtrain.scheduler.Constant"}, "trainer": {"max_steps": 5},
    }  # fmt: skip
    write_config(folder, build_config(tree), tree, ["task=adding", "trainer.max_steps=5"])
    return (folder / "config.yaml").read_bytes()


@given(done=damage)
def test_a_damaged_configuration_is_built_or_refused(folder, whole_config, done: list[Change]):
    (folder / "config.yaml").write_bytes(damaged(whole_config, done))
    refusal_of(lambda: build_config(read_tree(folder)), "")


@given(data=st.data())
def test_any_configuration_is_built_or_refused(folder, whole_config, data: st.DataObject):
    (folder / "config.yaml").write_bytes(data.draw(st.binary(max_size=200) | soup(whole_config)))
    refusal_of(lambda: build_config(read_tree(folder)), "")


SUMMARY = json.dumps({"status": "finished", "best": {"loss": 0.5}}).encode()


@given(data=st.data(), done=damage)
def test_what_is_no_summary_is_none(folder, data: st.DataObject, done: list[Change]):
    for name, read in (("summary.json", read_finished), ("overrides.yaml", read_overrides)):
        (folder / name).write_bytes(data.draw(st.binary(max_size=50) | soup(SUMMARY) | st.just(damaged(SUMMARY, done))))
        with bounded():
            read(folder)


ROWS = b"".join(b'{"step": %d, "epoch": 0.5, "train/loss": 1.5}\n' % n for n in range(1, 9))


@given(data=st.data(), done=damage)
@example(data=None, done=[])
def test_whole_rows_are_kept_and_others_are_not(folder, data: st.DataObject | None, done: list[Change]):
    path = folder / "metrics.jsonl"
    path.write_bytes(damaged(ROWS, done) if data is None else data.draw(soup(ROWS) | st.just(damaged(ROWS, done))))
    with bounded():
        cut_rows(path, 5)
    kept = [json.loads(line) for line in path.read_text().split("\n") if line]
    assert all(row["step"] <= 5 for row in kept)
    if not done:
        assert [row["step"] for row in kept] == [1, 2, 3, 4, 5]


# -------------------------------------------------------------------- what tasks left


TASKS: dict[str, tuple[Task, dict[str, Any]]] = {
    "sentiment": (Sentiment(), {"vocab.json": {"words": ["a"]}, "classes.json": ["x", "y"]}),
    "text": (Text(), {"vocab.json": {"words": ["a"], "level": "characters"}}),
    "ner": (NER(), {"vocab.json": {"words": ["a"]}, "letters.json": {"words": ["a"]}, "types.json": ["x"]}),
    "speech": (Speech(), {"classes.json": ["x"], "scale.json": {"mean": [0.5] * 40, "deviation": [1.0] * 40}}),
    "films": (MovingMNIST(path=Path("films.npy")), {"frame.json": [12, 12]}),
    "series": (
        OwnSeries(path=Path("a.csv")),
        {
            "scaler.json": {
                "columns": ["a"], "told": [0], "mean": [0.5], "std": [1.0],
                "spacing": {"first": "2020-01-01", "step": 5, "months": 0},
            }
        },
    ),
    "translation": (
        Translation(),
        {
            "vocab.json": {
                name: {"level": "words", "lowercase": True, "capital": False, "words": ["a"]}
                for name in ("source", "target")
            }
            | {"horizon": 5}
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", list(TASKS))
def test_what_a_task_left_is_taken_back(name):
    task, assets = TASKS[name]
    task.restore(json.loads(json.dumps(assets)))


@pytest.mark.parametrize("name", list(TASKS))
@given(data=st.data(), done=damage)
def test_damaged_assets_are_taken_or_refused(name, data: st.DataObject, done: list[Change]):
    task, assets = TASKS[name]
    found: dict[str, Any] = {}
    for file, content in assets.items():
        try:
            found[file] = json.loads(damaged(json.dumps(content).encode(), done))
        except (ValueError, RecursionError):
            found[file] = data.draw(PLAIN | st.just(content))
    refusal_of(lambda: task.restore(found), "json", "vocabulary")


# -------------------------------------------------------------------- data sets


IMAGES = struct.pack(">HBB3I", 0, 8, 3, 4, 5, 6) + bytes(120)


@given(done=damage)
@example(done=[Change("overwrite", 4 / len(IMAGES), 0, b"\xff" * 12, 0)])
def test_damaged_images_are_read_or_refused(folder, done: list[Change]):
    path = folder / "images.gz"
    for content in (gzip.compress(damaged(IMAGES, done)), damaged(gzip.compress(IMAGES, mtime=0), done)):
        path.write_bytes(content)
        refusal_of(lambda: read_idx(path, 3), path.name)


MEMBERS = {f"recordings/{digit}_theo_0.wav": bytes(20) for digit in range(3)}


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in MEMBERS.items():
            archive.writestr(zipfile.ZipInfo(f"top/{name}"), content)
    return file.getvalue()


ARCHIVE = zipped()


@given(done=damage)
def test_a_damaged_download_is_packed_rightly_or_refused(folder, done: list[Change]):
    came, target = folder / "came.zip", folder / "packed.zip"
    came.write_bytes(damaged(ARCHIVE, done))
    packing = Packing("recordings", ".wav", count=3, limit_bytes=10_000)
    with bounded():
        packing.size(came)
        packing.sha256(came)
        try:
            packing.repack(came, target, 60)
        except BadArchiveError:
            return
    with zipfile.ZipFile(target) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == MEMBERS


def test_the_whole_download_is_packed(folder):
    (folder / "whole.zip").write_bytes(ARCHIVE)
    Packing("recordings", ".wav", count=3, limit_bytes=10_000).repack(folder / "whole.zip", folder / "new.zip", 60)
    assert np.array_equal(zipfile.ZipFile(folder / "new.zip").namelist(), list(MEMBERS))
