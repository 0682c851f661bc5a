"""What a whole run shows of itself, by the options that ask for more of it."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from rich.console import Console
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata

from seqtrain.models import Part
from seqtrain.picture import Picture
from seqtrain.runs.cover import parts_markdown
from seqtrain.runs.run import resume, start

SINE = ("model=gru", "task=sine", "model.hidden_size=8", "trainer.log_every=2", "scheduler=constant")
SMALL = ("task.train_size=256", "task.val_size=64", "task.test_size=64", "task.lookback=12", "task.horizon=4")


@pytest.fixture
def train(compose, tmp_path) -> Callable[..., Path]:
    """Trains what overrides describe, in a folder of this name."""

    def trained(name: str, *overrides: str) -> Path:
        typed = [*SINE, *SMALL, *overrides]
        return start(compose(*typed), typed, tmp_path / name, Console(file=io.StringIO())).folder

    return trained


def events(folder: Path) -> EventAccumulator:
    found = EventAccumulator(str(folder / "tensorboard"))
    found.Reload()
    return found


def texts(found: EventAccumulator, tag: str) -> list[str]:
    return [event.tensor_proto.string_val[0].decode() for event in found.Tensors(f"{tag}/text_summary")]


def rows(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def scalars(found: EventAccumulator, tag: str) -> dict[int, float]:
    return {event.step: event.tensor_proto.float_val[0] for event in found.Tensors(tag)}


def test_a_run_stands_in_the_table_with_its_real_metrics(train):
    folder = train("run", "trainer.max_epochs=3")
    found, summary = events(folder), json.loads((folder / "summary.json").read_text())
    experiment = metadata.parse_experiment_plugin_data(
        found.SummaryMetadata(metadata.EXPERIMENT_TAG).plugin_data.content
    )
    assert {"model", "task.lookback", "optimizer.lr", "scheduler"} <= {info.name for info in experiment.hparam_infos}
    columns = [info.name.tag for info in experiment.metric_infos]
    assert columns[0] == "test/mse"
    shown = {tag: [*scalars(found, tag).values()][-1] for tag in columns}
    for name in ("mse", "mae", "loss"):
        assert shown[f"test/{name}"] == pytest.approx(summary["test"][name])
        assert shown[f"val/best_{name}"] == pytest.approx(summary["best"][name])
        assert shown[f"val/{name}"] == pytest.approx(summary["val"][name])


def test_a_runs_configuration_and_parts_are_text(train):
    found = events(train("run", "trainer.max_epochs=1"))
    assert "hidden_size: 8" in texts(found, "run/config")[-1]
    assert "| core | GRU 1 -> 8, 1 layer |" in texts(found, "run/parts")[-1]


def test_a_resumed_run_stays_one_run(train):
    folder = train("run", "trainer.max_epochs=2", "trainer.pictures_every=1")
    resume(folder, Console(file=io.StringIO()), ["trainer.max_epochs=4"])
    found = events(folder)
    assert sorted(scalars(found, "val/mse")) == [4, 8, 12, 16]
    assert "max_epochs: 4" in texts(found, "run/config")[-1]
    assert found.SummaryMetadata(metadata.EXPERIMENT_TAG)


def test_layers_are_watched_when_that_is_asked_for(train):
    off = train("off", "trainer.max_epochs=1")
    on = train("on", "trainer.max_epochs=1", "trainer.watch_every=2")
    watched = [row for row in rows(on) if "gradients/core.layers.0.0" in row]
    assert [row["step"] for row in watched] == [2, 4]
    assert {"weights/readout.linear", "updates/readout.linear"} <= set(watched[0])
    tags = events(on).Tags()["tensors"]
    assert {"gates/core.layers.0.0/update", "weights/readout.linear/values"} <= set(tags)
    assert "pictures/gradient-flow" in tags
    assert not any("gradients/" in line for line in (on / "train.log").read_text().splitlines())
    assert not any(tag.startswith(("gates/", "weights/")) for tag in events(off).Tags()["tensors"])
    assert not any("gradients/core.layers.0.0" in row for row in rows(off))
    a, b = (torch.load(folder / "checkpoints" / "last.pt", weights_only=True)["model"] for folder in (off, on))
    assert all(torch.equal(a[name], b[name]) for name in a)  # who looks changes nothing


def test_pictures_are_drawn_as_often_as_asked(train, monkeypatch):
    monkeypatch.setattr("seqtrain.tasks.Sine.pictures", lambda *_: iter([Picture("sample", "so it goes")]))
    for every, expected in (("null", [4, 8, 16]), (3, [12])):
        folder = train(f"run-{every}", "trainer.max_epochs=5", f"trainer.pictures_every={every}")
        steps = [event.step for event in events(folder).Tensors("pictures/sample/text_summary")]
        assert steps == expected


def test_the_best_checkpoints_pictures_are_a_group_of_their_own(train):
    tags = events(train("run", "trainer.max_epochs=1")).Tags()["tensors"]
    assert {"best/forecasts", "best/gradient-flow", "pictures/forecasts"} <= set(tags)


def test_a_graph_that_cannot_be_drawn_is_a_line_in_the_log(train, monkeypatch):
    monkeypatch.setattr("seqtrain.logs.tensorboard.EventFile.graph", lambda *_: "no way")
    folder = train("run", "trainer.max_epochs=1")
    assert "the model's graph isn't drawn: no way\n" in (folder / "train.log").read_text()


def test_parts_are_a_table_with_their_sums():
    lines = parts_markdown([Part("stem", "Values 2", 0, 0), Part("core", "GRU 2 -> 8", 1300, 1200)]).splitlines()
    assert lines[2:4] == ["| stem | Values 2 | 0 | 0 |", "| core | GRU 2 -> 8 | 1,300 | 1,200 |"]
    assert lines[4:] == ["| | | 1,300 | 1,200 |"]
