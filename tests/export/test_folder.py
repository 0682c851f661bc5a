"""Exports of whole runs: what they hold, how they fail, and the examples of docs/export.md."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from seqtrain.batch import Batch
from seqtrain.errors import ConfigError
from seqtrain.export import folder as exporting
from seqtrain.export import programs, weights
from seqtrain.export.folder import export
from seqtrain.export.graphs import graphs
from seqtrain.export.parity import ExportError
from seqtrain.model import Model
from seqtrain.spec import Align, Symbols, TaskSpec

PAGE = Path(__file__).parents[2] / "docs" / "export.md"
SMALL = ["task.train_size=40", "task.val_size=10", "task.test_size=10"]
SENTIMENT = ["model=bilstm", "task=sentiment", *SMALL]


def example(number: int) -> dict[str, Any]:
    """What an example of the page defines, run as it stands there."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    defined: dict[str, Any] = {}
    exec(blocks[number], defined)
    return defined


# -------------------------------------------------------------------- what is there


def test_weights_are_shipped_with_all_that_reads_new_input_and_come_back(run, tmp_path, monkeypatch):
    trained = run(*SENTIMENT)
    said: list[str] = []
    exported = export(trained, ["safetensors"], tmp_path / "shipped", said.append)
    names = {path.name for path in exported.folder.iterdir()}
    assert names == {"model.json", "model.safetensors", "vocab.json", "classes.json"}
    assert said == ["model.safetensors: the weights, bit for bit"]
    for name in ("vocab.json", "classes.json"):
        assert (exported.folder / name).read_bytes() == (trained.folder / name).read_bytes()
    assert json.loads((exported.folder / "model.json").read_text()) == exported.description
    assert exported.description["steps"] == 3

    monkeypatch.chdir(tmp_path)
    again = example(4)["model"].state_dict()
    assert all(torch.equal(value, again[name]) for name, value in trained.model.state_dict().items())


def test_shared_weights_are_written_once(run, tmp_path, monkeypatch):
    trained = run("model=lstm", "task=text", "model.tie_embeddings=true", "task.depth=1")
    exported = export(trained, ["safetensors"], tmp_path / "shipped")
    found = load_file(exported.folder / "model.safetensors")
    assert len({"stem.table.weight", "readout.linear.weight"} & found.keys()) == 1
    monkeypatch.chdir(tmp_path)
    assert all(torch.equal(own, example(4)["model"].state_dict()[name]) for name, own in found.items())


def test_an_export_goes_into_the_run_and_replaces_an_earlier_one_as_a_whole(run):
    trained = run(*SENTIMENT)
    first = export(trained, ["safetensors"])
    assert first.folder == trained.folder / "export"
    (first.folder / "model.onnx").write_bytes(b"of an earlier export")
    export(trained, ["safetensors"])
    assert not (first.folder / "model.onnx").exists()
    assert [path.name for path in trained.folder.glob(".export*")] == []


@pytest.mark.slow
@pytest.mark.usefixtures("sizes_unknown")
def test_the_description_tells_what_goes_in_and_what_comes_out(run):
    trained = run("model=gru", "task=adding", *SMALL)
    exported = export(trained, ["torch"])
    assert {path.name for path in exported.folder.iterdir()} == {"model.json", "model.pt2"}
    found = exported.description["graphs"]["model"]
    assert [(port["name"], port["dtype"], port["shape"]) for port in found["inputs"] + found["outputs"]] == [
        ("inputs", "float32", ["batch", "steps", 2]),
        ("lengths", "int64", ["batch"]),
        ("outputs", "float32", ["batch", 1]),
    ]
    assert exported.description["files"]["model.pt2"]["largest_difference"] < 1e-6
    program = torch.export.load(exported.folder / "model.pt2").module()
    inputs, lengths = torch.randn(2, 9, 2), torch.tensor([9, 4])
    (outputs,) = program(inputs, lengths)
    expected, _ = trained.model(Batch(inputs, lengths, inputs, lengths))
    assert torch.allclose(outputs, expected, atol=1e-6)


# -------------------------------------------------------------------- what fails


def fails(trained: Any, formats: list[str], folder: Path) -> str:
    """The line that an export fails with, after which nothing new is there."""
    before = sorted(folder.parent.rglob("*"))
    with pytest.raises(ExportError) as failed:
        export(trained, formats, folder)
    assert sorted(folder.parent.rglob("*")) == before
    assert "\n" not in str(failed.value)
    return str(failed.value)


def test_an_unknown_format_is_refused(run, tmp_path):
    assert fails(run(*SENTIMENT), ["onxx"], tmp_path / "a") == "--format onxx: choose from safetensors, onnx, torch"


def test_a_folder_of_something_else_is_left_alone(run, tmp_path):
    trained = run(*SENTIMENT)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    assert "is there already and is no export" in fails(trained, ["safetensors"], tmp_path / "mine")
    assert "is there already" in fails(trained, ["safetensors"], tmp_path / "mine" / "thesis.txt")
    assert "can't be made" in fails(trained, ["safetensors"], tmp_path / "mine" / "thesis.txt" / "export")


@pytest.mark.parametrize(("form", "package"), [("safetensors", "safetensors"), ("onnx", "onnxruntime")])
def test_a_missing_package_is_named(form, package, run, tmp_path, monkeypatch):
    trained = run(*SENTIMENT)
    for module in (programs, weights):
        monkeypatch.setattr(module, "find_spec", lambda name: None if name == package else name)
    line = fails(trained, ["torch", form], tmp_path / "shipped")
    assert line.startswith(f"{package} isn't installed: pip install 'seqtrain[export]'")


def test_a_program_that_strays_is_not_kept(run, tmp_path, monkeypatch):
    trained = run("model=gru", "task=adding", *SMALL)
    monkeypatch.setattr(exporting, "trace", lambda graph: graph)
    monkeypatch.setattr(
        exporting, "save_torch", lambda graph, _: lambda inputs: tuple(part + 2e-4 for part in graph(*inputs))
    )
    line = fails(trained, ["safetensors", "torch"], tmp_path / "shipped")
    assert "model=gru on task=adding can't be exported to torch: model.pt2 strays from the model by 2.0e-04" in line
    assert "1e-05 is allowed" in line


def test_what_torch_cannot_follow_is_one_line_that_names_the_model(run, tmp_path, monkeypatch):
    trained = run("model=gru", "task=adding", *SMALL)

    def trace(_: object) -> None:
        raise RuntimeError("\n\nCould not guard on data-dependent expression\nlong story")

    monkeypatch.setattr(exporting, "trace", trace)
    line = fails(trained, ["torch"], tmp_path / "shipped")
    assert line == (
        "model=gru on task=adding can't be exported (model): RuntimeError: Could not guard on data-dependent expression"
    )


def test_a_model_that_writes_in_a_way_of_its_own_is_refused(monkeypatch):
    class Own(Model): ...

    monkeypatch.setattr(Own, "__abstractmethods__", frozenset())
    with pytest.raises(ConfigError, match="Own writes in a way of its own"):
        graphs(Own(), TaskSpec(Symbols(5), Symbols(5), Align.FREE))


# -------------------------------------------------------------------- the page's examples


@pytest.fixture
def shipped(run, tmp_path, monkeypatch):
    """Exports a run as the page says."""
    monkeypatch.chdir(tmp_path)

    def made(*overrides: str) -> Any:
        trained = run(*overrides)
        export(trained, ["onnx"], Path("shipped"))
        return trained

    return made


@pytest.mark.slow
@pytest.mark.usefixtures("sizes_unknown")
def test_the_example_of_a_classifier(shipped):
    trained = shipped(*SENTIMENT)
    texts = ["A fine film.", "I can't recommend it, it is slow", "ok"]
    expected = []
    for text in texts:
        ids = torch.from_numpy(trained.task.codes.vocabulary.encode(trained.task.text_options().words(text)))
        alone = Batch(ids.unsqueeze(0), torch.tensor([len(ids)]), ids, torch.tensor([0]))
        expected.append(trained.task.codes.classes[int(trained.model(alone)[0].argmax())])
    assert example(0)["classify"](texts) == expected


@pytest.mark.slow
@pytest.mark.usefixtures("sizes_unknown")
def test_the_example_of_a_text_that_goes_on(shipped):
    trained = shipped("model=lstm", "task=text")
    model, task = trained.model, trained.task
    text = "".join(task.vocabulary.words[:3])
    found = example(1)["go_on"](text, 12)
    for _ in range(12):
        ids = torch.from_numpy(task.ids_of(text)).unsqueeze(0)
        lengths = torch.tensor([ids.shape[1]])
        likeliest = 4 + model(Batch(ids, lengths, ids, lengths))[0][0, -1, 4:].argmax()
        text += task.text_of(likeliest.unsqueeze(0))
    assert found == text


@pytest.mark.slow
@pytest.mark.usefixtures("sizes_unknown")
@pytest.mark.parametrize("model", ["seq2seq", "seq2seq_attention"])
def test_the_example_of_a_translation(model, shipped):
    trained = shipped(f"model={model}", "task=translation", *SMALL)
    codes = trained.task.codes
    text = "3 March 1999"
    (ids,) = codes.source.encode([text])
    inputs, lengths = torch.from_numpy(ids).unsqueeze(0), torch.tensor([len(ids)])
    (written,) = trained.model.generate(Batch(inputs, lengths, inputs, lengths))
    assert example(2)["translate"](text) == codes.target.text(written.numpy())
