import io
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator as PluginEvents
from tensorboard.plugins.hparams import metadata
from tensorboard.summary.writer import event_file_writer

from seqtrain.batch import Batch
from seqtrain.logs.histogram import histogram
from seqtrain.logs.hyperparameters import hyperparameters
from seqtrain.logs.tensorboard import EventFile
from seqtrain.models import RecurrentSpec, build_model
from seqtrain.picture import Picture, Scores, Sound, Vectors
from seqtrain.spec import Align, TaskSpec, Values

SAVE = Figure.savefig


@pytest.fixture
def events(tmp_path, monkeypatch):
    """Reads back what a file of events was filled with."""
    # Files of one second are told apart by the writer's count alone, and read by name: 10 comes before 9.
    monkeypatch.setattr(event_file_writer, "_global_uid", event_file_writer.AtomicCounter(0))

    def filled(fill, reader=EventAccumulator, step=0):
        file = EventFile(tmp_path, step)
        fill(file)
        file.close()
        found = reader(str(tmp_path / "tensorboard"))
        found.Reload()
        return found

    return filled


def test_a_file_that_nothing_was_written_to_is_not_there(tmp_path):
    EventFile(tmp_path).close()
    assert not (tmp_path / "tensorboard").exists()


def test_a_resumed_run_forgets_what_came_after_its_step(events):
    events(lambda file: [file.scalars(step, {"train/loss": step}) for step in (1, 2, 3)])
    found = events(lambda file: file.scalars(3, {"train/loss": 30}), step=2)
    assert [(event.step, event.value) for event in found.Scalars("train/loss")] == [(1, 1), (2, 2), (3, 30)]


def test_histograms_keep_their_bins(events):
    made = histogram(torch.linspace(0, 1, 101))
    found = events(lambda file: file.histograms(7, {"gates/core.layers.0.0/forget": made}))
    (event,) = found.Histograms("gates/core.layers.0.0/forget")
    shown = event.histogram_value
    assert (event.step, shown.min, shown.max, shown.num) == (7, 0, 1, 101)
    assert list(shown.bucket) == made.counts
    assert list(shown.bucket_limit) == pytest.approx(made.limits())


def test_each_kind_of_picture_goes_to_its_own_page(events):
    figure = Figure(figsize=(1, 1))
    rng = np.random.default_rng(0)
    shown = {
        "figure": figure,
        "film": rng.integers(0, 255, (5, 8, 6), dtype=np.uint8),
        "text": "so **it** goes",
        "sound": Sound(np.sin(np.arange(800, dtype=np.float32)) * 2, 8000),
        "curve": Scores(np.array([True, False, True]), np.array([0.9, 0.2, 0.4])),
    }
    found = events(lambda file: [file.picture(3, Picture(name, content)) for name, content in shown.items()])
    tags = found.Tags()
    assert set(tags["images"]) == {"pictures/figure", "pictures/film"}
    assert tags["audio"] == ["pictures/sound"]
    assert set(tags["tensors"]) == {"pictures/text/text_summary", "pictures/curve"}
    (film,) = found.Images("pictures/film")
    assert (film.width, film.height, Image.open(io.BytesIO(film.encoded_image_string)).n_frames) == (6, 8, 5)
    (sound,) = found.Audio("pictures/sound")
    assert (sound.sample_rate, sound.length_frames) == (8000, 800)
    precision = torch.tensor(found.Tensors("pictures/curve")[0].tensor_proto.float_val).view(6, -1)[4]
    assert precision[0] == pytest.approx(2 / 3)


def test_vectors_are_files_that_the_projector_reads(tmp_path):
    file = EventFile(tmp_path)
    file.scalars(0, {"train/loss": 1.0})
    for last in (3.0, 4.0):  # shown again, it takes the place of what was there
        points = np.array([[1, 2], [0.5, last]])
        file.picture(9, Picture("embeddings", Vectors(points, ["good", "bad"])))
    file.close()
    folder = tmp_path / "tensorboard"
    assert (folder / "embeddings.tsv").read_text() == "1\t2\n0.5\t4\n"
    assert (folder / "embeddings-names.tsv").read_text() == "good\nbad\n"
    config = (folder / "projector_config.pbtxt").read_text()
    assert 'tensor_path: "embeddings.tsv"' in config
    assert 'metadata_path: "embeddings-names.tsv"' in config


def test_the_table_of_runs_has_options_and_metrics_in_the_runs_own_file(events, tmp_path):
    values = {"model": "lstm", "optimizer.lr": 0.01}
    found = events(lambda file: file.hyperparameters(values, ["best/mse"]), PluginEvents)
    content = found.SummaryMetadata(metadata.EXPERIMENT_TAG).plugin_data.content
    experiment = metadata.parse_experiment_plugin_data(content)
    assert [info.name for info in experiment.hparam_infos] == ["model", "optimizer.lr"]
    assert [info.name.tag for info in experiment.metric_infos] == ["best/mse"]
    start = metadata.parse_session_start_info_plugin_data(
        found.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    )
    assert start.hparams["model"].string_value == "lstm"
    assert start.hparams["optimizer.lr"].number_value == 0.01
    assert len(list((tmp_path / "tensorboard").iterdir())) == 1


DRAW = """
import torch
from pathlib import Path
from seqtrain.batch import Batch
from seqtrain.models import RecurrentSpec, build_model
from seqtrain.spec import Align, TaskSpec, Values
from seqtrain.logs.tensorboard import EventFile

task = TaskSpec(Values((3,)), Values((2,)), Align.WHOLE)
batch = Batch(torch.randn(2, 5, 3), torch.tensor([5, 3]), torch.zeros(2, 2), torch.arange(2))
for cell in ("lstm", "gru", "gru_cho"):
    file = EventFile(Path(cell))
    assert file.graph(build_model(RecurrentSpec(cell=cell, hidden_size=4), task).eval(), batch) is None
    file.close()
"""


@pytest.mark.slow  # it loads all of torch's tracing
def test_a_model_is_drawn_as_its_operations(tmp_path):
    # In a process of its own: a tracer can't follow the checks of shapes that tests add.
    done = subprocess.run([sys.executable, "-c", DRAW], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert done.stdout == done.stderr == ""
    for cell in ("lstm", "gru", "gru_cho"):
        found = EventAccumulator(str(tmp_path / cell / "tensorboard"))
        found.Reload()
        assert any("SequenceModel[model]/Recurrent[core]" in node.name for node in found.Graph().node)


def test_a_model_that_cannot_be_drawn_says_why(tmp_path, capsys):
    task = TaskSpec(Values((3,)), Values((2,)), Align.WHOLE)
    model = build_model(RecurrentSpec(cell="lstm", hidden_size=4), task)
    batch = Batch(torch.randn(2, 5, 3), torch.tensor([5, 3]), torch.zeros(2, 2), torch.arange(2))

    def broken(*_):
        raise RuntimeError("no two\nways about it" + "!" * 500)

    model.forward = broken
    reason = EventFile(tmp_path).graph(model, batch)
    assert reason.startswith("RuntimeError: no two ways about it!!")
    assert len(reason) == 200
    assert capsys.readouterr().out == ""


TREE = {
    "model": {"_target_": "seqtrain.models.RecurrentSpec", "hidden_size": 8, "bidirectional": False, "merge": None},
    "optimizer": {"_target_": "seqtrain.optimizer.AdamW", "lr": 0.002, "betas": [0.9, 0.999]},
    "trainer": {"batch_size": 64, "max_epochs": 10, "num_workers": 2, "log_every": 3},
    "seed": 3,
    "model_name": "lstm",
    "task_name": "sine",
    "run_dir": "outputs/x",
}


def test_the_options_that_matter_are_those_that_always_do_and_those_typed():
    assert hyperparameters(TREE, []) == {
        "model": "lstm",
        "task": "sine",
        "optimizer": "AdamW",
        "seed": 3,
        "model.hidden_size": 8,
        "optimizer.lr": 0.002,
        "trainer.batch_size": 64,
    }
    typed = ["+model.bidirectional=false", "optimizer.betas=[0.9,0.999]", "run_dir=x", "trainer.max_epochs=10"]
    shown = hyperparameters(TREE, [*typed, "trainer.num_workers=2", "trainer.log_every=3", "model.merge=null"])
    assert shown == hyperparameters(TREE, []) | {
        "model.bidirectional": "false",
        "optimizer.betas": "[0.9, 0.999]",
        "trainer.max_epochs": 10,
    }
    assert json.dumps(shown)


def test_a_figure_is_drawn_once_for_its_file_and_its_page(events, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        Figure, "savefig", lambda self, file, **options: drawn.append(file) or SAVE(self, file, **options)
    )
    picture = Picture("figure", Figure(figsize=(2, 1), dpi=100))
    _, content = picture.file()
    (image,) = events(lambda file: file.picture(3, picture)).Images("pictures/figure")
    assert image.encoded_image_string == content
    assert (image.width, image.height) == (200, 100)
    assert len(drawn) == 1
