"""The example package: its equations, and its way into the command line when it is installed."""

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
import torch

from seqtrain import plugins
from seqtrain.batch import Batch
from seqtrain.cli import main
from seqtrain.config import build_word
from seqtrain.models import DecoderSpec, ModelSpec, build_model
from seqtrain.optimizer import OptimizerSpec
from seqtrain.tasks import Split, Task
from seqtrain.words import words

EXAMPLE = Path(__file__).parents[1] / "examples" / "minimal_gated_unit"
SMALL = ["model.hidden_size=8", "task.train_size=64", "task.val_size=16", "task.test_size=16", "trainer.max_steps=3"]


def declare(monkeypatch, *packages: str) -> None:
    """Lets packages that are importable be plugins, as if they were installed."""
    entries = [EntryPoint(package, package, plugins.PLUGINS) for package in packages]
    monkeypatch.setattr("seqtrain.plugins.entry_points", lambda **_: entries)
    plugins.word_folders.cache_clear()
    monkeypatch.setattr("seqtrain.words.word_folders", plugins.word_folders.__wrapped__)
    monkeypatch.setattr("seqtrain.cli.train.word_folders", plugins.word_folders.__wrapped__)


@pytest.fixture
def example(monkeypatch) -> None:
    """The example package, importable and declared."""
    monkeypatch.syspath_prepend(EXAMPLE)
    declare(monkeypatch, "minimal_gated_unit")


def spec(**options):
    from minimal_gated_unit import MinimalGatedUnitSpec

    return MinimalGatedUnitSpec(**options)


@pytest.mark.usefixtures("example")
def test_the_words_are_listed_and_build(capsys):
    assert main(["list", "models"]) == 0
    assert "Minimal gated unit" in capsys.readouterr().out
    assert type(build_word(ModelSpec, words("model")["minimal_gated_unit"], "model")).__name__ == "MinimalGatedUnitSpec"
    assert type(build_word(Task, words("task")["parity"], "task")).__name__ == "Parity"
    assert type(build_word(OptimizerSpec, words("optimizer")["lion"], "optimizer")).__name__ == "Lion"


@pytest.mark.usefixtures("example")
def test_the_yaml_has_every_option_with_its_default():
    import inspect

    from minimal_gated_unit import MinimalGatedUnitSpec, Parity

    for kind, group, word in ((MinimalGatedUnitSpec, "model", "minimal_gated_unit"), (Parity, "task", "parity")):
        text = words(group)[word].read_text(encoding="utf-8")
        for name in inspect.signature(kind).parameters:
            assert f"\n{name}: " in text


@pytest.mark.slow
@pytest.mark.usefixtures("example")
def test_it_trains_resumes_and_predicts_with_the_words(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    chosen = ["model=minimal_gated_unit", "task=parity", "optimizer=lion"]
    assert main([*chosen, *SMALL, "run_dir=run"]) == 0
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["status"] == "finished"
    assert main(["resume", "run", "trainer.max_steps=5"]) == 0
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["steps"] == 5
    (tmp_path / "bits.jsonl").write_text("[1, 0, 1]\n[1]\n")
    capsys.readouterr()
    assert main(["predict", "run", "bits.jsonl"]) == 0
    assert [set(json.loads(line)) - {"line"} for line in capsys.readouterr().out.splitlines()] == [{"odd"}] * 2
    (tmp_path / "bits.jsonl").write_text("[1, 2]\n")
    assert main(["predict", "run", "bits.jsonl"]) == 2
    assert "a bit is neither 0 nor 1" in capsys.readouterr().err


@pytest.mark.usefixtures("example")
@pytest.mark.parametrize("layers", [1, 2])
def test_the_unit_reads_by_its_paper_and_never_reads_padding(layers):
    torch.manual_seed(0)
    core = spec(hidden_size=3, num_layers=layers, forget_bias=-1.0).build_core((4,), None).double()
    x, lengths = torch.randn(2, 5, 4, dtype=torch.float64), torch.tensor([5, 3])
    x[1, 3:] = torch.nan
    outputs, (h,) = core(x, lengths)

    def logistic(a):
        return 1 / (1 + np.exp(-a))

    for row, length in enumerate(lengths.tolist()):
        read = x[row, :length].numpy()
        for depth, layer in enumerate(core.layers):
            w = {name: weight.detach().numpy() for name, weight in layer.named_parameters()}
            memory, told = np.zeros(3), []
            for step in read:
                a_f, a_n = np.split(w["of_input.weight"] @ step + w["of_input.bias"], 2)
                f = logistic(a_f + w["forget.weight"] @ memory)
                n = np.tanh(a_n + w["candidate.weight"] @ (f * memory))
                memory = (1 - f) * memory + f * n
                told.append(memory)
            read = np.array(told)
            np.testing.assert_allclose(h[depth, row].detach().numpy(), memory, rtol=1e-10)
        np.testing.assert_allclose(outputs[row, :length].detach().numpy(), read, rtol=1e-10)
    assert (outputs[1, 3:] == 0).all()
    assert (core.layers[0].of_input.bias[:3] == -1).all()
    gates = core.gates(x, lengths)
    assert set(gates) == {f"layers.{depth}/forget" for depth in range(layers)}


@pytest.mark.usefixtures("example")
def test_memory_goes_on_from_read_to_read():
    core = spec(hidden_size=3, num_layers=2).build_core((4,), None)
    x, whole = torch.randn(2, 6, 4), torch.full((2,), 6)
    outputs, state = core(x, whole)
    first, middle = core(x[:, :2], torch.full((2,), 2))
    second, end = core(x[:, 2:], torch.full((2,), 4), middle)
    torch.testing.assert_close(torch.cat([first, second], 1), outputs)
    torch.testing.assert_close(end[0], state[0])
    torch.testing.assert_close(core.last(outputs, whole, state), outputs[:, -1])


@pytest.mark.usefixtures("example")
@pytest.mark.parametrize("task", ["parity", "adding", "sentiment"])
def test_every_weight_gets_a_gradient_on_tasks_of_every_kind(task):
    built = build_word(Task, words("task")[task], "task")
    built.prepare(Path(), 0)
    model = build_model(spec(hidden_size=8, num_layers=2, dropout=0.5), built.spec, DecoderSpec())
    batch: Batch = built.examples(Split.TRAIN).batch(np.arange(8), epoch=0)
    outputs, _ = model(batch)
    built.loss(outputs, batch).backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in model.parameters())


@pytest.mark.usefixtures("example")
def test_lion_moves_by_the_sign_of_what_it_remembers():
    from minimal_gated_unit.optimizer import SignedMomentum

    weight = torch.nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))
    optimizer = SignedMomentum([{"params": [weight]}], lr=0.1, weight_decay=0.5, betas=(0.9, 0.99))
    expected, momentum = weight.detach().numpy().copy(), np.zeros(2)
    for gradient in ([1.0, -3.0], [-0.05, 4.0], [0.0, 0.0]):
        weight.grad = torch.tensor(gradient, dtype=torch.float64)
        optimizer.step()
        direction = np.sign(0.9 * momentum + 0.1 * np.array(gradient))
        expected = expected - 0.1 * (direction + 0.5 * expected)
        momentum = 0.99 * momentum + 0.01 * np.array(gradient)
        np.testing.assert_allclose(weight.detach().numpy(), expected, rtol=1e-12)


@pytest.mark.usefixtures("example")
def test_the_answers_are_the_parities():
    from minimal_gated_unit import Parity

    task = Parity(steps=6)
    task.prepare(Path(), 3)
    batch = task.examples(Split.VAL).batch(np.arange(50), epoch=0)
    for bits, odd in zip(batch.inputs.tolist(), batch.targets.tolist(), strict=True):
        assert odd == [sum(bits[: i + 1]) % 2 for i in range(6)]
    assert 0.5 <= task.baseline()["accuracy"] < 0.6


# -------------------------------------------------------------------- plugins in general


def package_of(folder: Path, name: str, **files: str) -> None:
    """Writes a package with models as words."""
    (folder / name / "conf" / "model").mkdir(parents=True)
    (folder / name / "__init__.py").write_text("raise RuntimeError('listing words imports nothing')\n")
    for word, text in files.items():
        (folder / name / "conf" / "model" / f"{word}.yaml").write_text(text)


GRU = "_target_: seqtrain.models.RecurrentSpec\ncell: gru\n"


def test_a_word_without_a_header_is_listed_and_composes(tmp_path, monkeypatch, capsys):
    package_of(tmp_path, "plain_words", bare_gru=GRU)
    monkeypatch.syspath_prepend(tmp_path)
    declare(monkeypatch, "plain_words", "not_installed_any_more")
    assert main(["list", "models"]) == 0
    assert "bare_gru" in capsys.readouterr().out
    assert main(["--cfg", "job", "model=bare_gru"]) in (0, None)
    assert "cell: gru" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["list"], ["--cfg", "job"], ["task=sine"], ["-m", "seed=1,2"]])
def test_a_word_that_is_built_in_is_refused(arguments, tmp_path, monkeypatch, capsys):
    package_of(tmp_path, "greedy_words", gru=GRU)
    monkeypatch.syspath_prepend(tmp_path)
    declare(monkeypatch, "greedy_words")
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert "model/gru.yaml: model=gru is built in and would win; give it another name, or uninstall greedy" in error
    assert error.count("\n") == 1


def test_words_that_two_plugins_have_are_refused(tmp_path, monkeypatch, capsys):
    package_of(tmp_path, "first_words", mine=GRU)
    package_of(tmp_path, "second_words", mine=GRU)
    monkeypatch.syspath_prepend(tmp_path)
    declare(monkeypatch, "first_words", "second_words")
    assert main(["list"]) == 2
    assert "second_words/conf/model/mine.yaml: model=mine is in first_words too" in capsys.readouterr().err


def test_a_config_dir_that_a_plugin_hides_is_refused(tmp_path, monkeypatch, capsys):
    package_of(tmp_path, "some_words", mine=GRU)
    package_of(tmp_path, "folder", mine=GRU)
    monkeypatch.syspath_prepend(tmp_path)
    declare(monkeypatch, "some_words")
    assert main(["--config-dir", str(tmp_path / "folder" / "conf"), "model=mine"]) == 2
    assert "mine.yaml: model=mine is a plugin's (" in capsys.readouterr().err


@pytest.mark.slow
def test_the_installed_package_trains_without_a_fork(tmp_path):
    pytest.importorskip("setuptools", reason="builds the example without the network")
    shutil.copytree(EXAMPLE, tmp_path / "source", ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*install, "--target", tmp_path / "site", tmp_path / "source"], check=True, cwd=tmp_path)

    def seqtrain(*arguments: str, **options: str) -> str:
        path = os.pathsep.join(filter(None, [str(tmp_path / "site"), os.environ.get("PYTHONPATH")]))
        done = subprocess.run(
            [sys.executable, "-m", "seqtrain", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
            **options,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    listed = json.loads(seqtrain("list", "--json"))
    found = {word["name"]: word["summary"] for group in listed.values() for word in group}
    assert {"minimal_gated_unit", "parity", "lion"} <= set(found)
    chosen = ["model=minimal_gated_unit", "task=parity", "optimizer=lion"]
    assert "Minimal gated unit" in seqtrain(*chosen, *SMALL, "run_dir=outputs/run")
    assert "odd" in json.loads(seqtrain("predict", "last", input="[1, 0, 1]\n"))
