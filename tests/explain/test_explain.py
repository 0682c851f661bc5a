"""`seqtrain explain` as a user types it, on a tiny run of each kind."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from seqtrain.cli import main
from seqtrain.explain import explain
from seqtrain.explain.history import read_history
from seqtrain.runs.trained import load
from seqtrain.tasks import Split, Task
from tests.trained.conftest import KINDS, train, write_series

SECTIONS = {
    "learned": "Did it learn?",
    "answers": "What it answers",
    "looks": "Where it looks",
    "inside": "Inside a unit",
    "flow": "How far back it learns",
}
EXPECTED = {
    "sentiment": ["positive", "the answer while it reads"],
    "ner": ["answer", "truth"],
    "translation": ["source", "reference", "&lt;eos&gt;", "Bahdanau"],
    "text": ["Point at a symbol", "goes on"],
    "sine": ["what came", "forecast", "rows from the last one seen"],
    "apart": ["load, from the last value seen"],
    "speech": ["mel band", "the answer while it reads", " ms"],
    "digits": ["probability of each class", "blank"],
    "moving_mnist": ["predicted", "Each unit is a map"],
    "sequential_mnist": ["image", "the answer while it reads"],
    "adding": ["true sum", "marked: add me", "the answer while it reads"],
    "copy_memory": ["said", "! asks for the symbols"],
}
QUICK = ["sentiment", "translation", "text", "sine"]
each_kind = pytest.mark.parametrize(
    "kind", [kind if kind in QUICK else pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS]
)


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def page(run_of, capsys):
    """The page that the command writes for a run of a kind."""

    def run(kind: str, *arguments: str) -> str:
        command = ["explain", str(run_of(kind)), "--device", "cpu", "--output", "page.html", *arguments]
        assert main(command) == 0, capsys.readouterr().err
        assert capsys.readouterr().out == "page.html\n"
        return Path("page.html").read_text(encoding="utf-8")

    return run


@pytest.fixture
def refused(run_of, capsys):
    """The one line that the command says when it can't."""

    def run(kind: str, *arguments: str) -> str:
        assert main(["explain", str(run_of(kind)), "--device", "cpu", *arguments]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert not Path("page.html").exists()
        return error

    return run


def sections(page: str) -> set[str]:
    return {name for name, title in SECTIONS.items() if f"<h2>{title}</h2>" in page}


def assert_alone(page: str) -> None:
    """Nothing is loaded from anywhere, and no script runs but ours."""
    for address in re.findall(r'\s(?:src|href)\s*=\s*"?([^">\s]*)', page):
        assert address.startswith("data:"), address
    assert not re.search(r"@import|url\(|<link|<iframe", page)
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-" in page
    assert len(re.findall(r"<script(?! type=.application/json)", page)) == 1
    assert "nan" not in re.findall(r'(?:points|style)="[^"]*(nan|inf)', page)


@each_kind
def test_a_page_shows_examples_of_each_kind_of_task(kind, page, run_of):
    shown = page(kind)
    assert_alone(shown)
    both_ways = kind == "translation"  # of those, no one step is the last
    assert sections(shown) == {"learned", "answers", "inside", "looks" if both_ways else "flow"}
    assert shown.count("<article>") == 3 if kind not in ("apart", "series") else shown.count("<article>") >= 1
    for told in EXPECTED.get(kind, []):
        assert told in shown, told
    summary = json.loads((run_of(kind) / "summary.json").read_text())
    assert f"{summary['parameters']:,}" in shown
    assert "To beat." in shown
    assert len(shown) < 1_000_000


def test_the_page_stands_in_the_run_folder_unless_it_is_said(run_of, capsys):
    folder = run_of("sine")
    assert main(["explain", str(folder), "--device", "cpu"]) == 0
    assert capsys.readouterr().out == f"{folder / 'explain.html'}\n"
    assert (folder / "explain.html").stat().st_size > 10_000


def test_texts_of_a_user_are_shown_as_they_were_written(page):
    shown = page("sentiment", "--text", "a Zyzzyva of a film", "--text", "no")
    assert "<span>zyzzyva</span>" in re.sub(r' style="[^"]*"', "", shown)
    assert shown.count("<article>") == 2
    assert "✓ truth" not in shown
    assert "--text 1" in shown


def test_files_are_read_as_predict_reads_them(page):
    Path("in.txt").write_text("\n".join(f"film number {number}" for number in range(12)))
    shown = page("sentiment", "in.txt")
    assert shown.count("<article>") == 8
    assert "in.txt, line 8" in shown
    Path("in.csv").write_text("\n".join(["value", *(f"{np.sin(step / 5):.3f}" for step in range(40))]) + "\n")
    shown = page("sine", "in.csv")
    assert "forecast" in shown
    assert "what came" not in shown


def test_more_inputs_than_are_shown_are_told_of(run_of, capsys):
    texts = [part for number in range(9) for part in ("--text", f"film {number}")]
    assert main(["explain", str(run_of("sentiment")), "--output", "page.html", *texts]) == 0
    assert capsys.readouterr().err == "note: the page shows the first 8 inputs; there are more\n"


def test_the_training_data_can_be_shown_and_the_test_data_never(page, refused, monkeypatch, run_of):
    read = []
    trained = load(run_of("sine"), device="cpu")
    examples = trained.task.examples
    monkeypatch.setattr(type(trained.task), "examples", lambda _, split: (read.append(split), examples(split))[1])
    explain(trained, split="train")
    explain(trained)
    assert set(read) == {Split.TRAIN, Split.VAL}
    assert "argument --split: invalid choice: 'test'" in refused("sine", "--split", "test")
    assert "train example" in page("sine", "--split", "train")


def test_batches_change_nothing(page):
    texts = ("--text", "a fine film", "--text", "no", "--text", "a waste of time and of money")
    one, many = (re.findall(r"<em>([^<]+)</em>", page("sentiment", *texts, "--batch-size", size)) for size in "13")
    assert one == many


def test_it_opens_in_a_browser_where_that_is_asked_for(page, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    page("sine")
    assert opened == []
    page("sine", "--open")
    assert opened == [Path("page.html").absolute().as_uri()]


def test_what_cannot_be_explained_is_refused(refused, tmp_path, capsys, run_of):
    assert "-: no such" not in refused("sentiment", "nowhere.txt")
    assert "nowhere.txt: no such file" in refused("sentiment", "nowhere.txt")
    assert "task=sine reads no text" in refused("sine", "--text", "hello")
    assert "--text: instead of FILE" in refused("sentiment", "in.txt", "--text", "hello")
    assert "nowhere/page.html: can't be written" in refused("sine", "--output", "nowhere/page.html")
    assert main(["explain", str(tmp_path)]) == 2
    assert "not a run folder" in capsys.readouterr().err
    copy = shutil.copytree(run_of("sine"), tmp_path / "copy")
    shutil.rmtree(copy / "checkpoints")
    assert main(["explain", str(copy)]) == 2
    assert "the run has saved none yet" in capsys.readouterr().err


def test_without_its_data_a_run_is_explained_on_what_is_given(tmp_path, capsys):
    path = write_series(tmp_path)
    folder = train(tmp_path / "run", [*KINDS["series"], f"task.path={path}"])
    other = path.rename(tmp_path / "other.csv")
    command = ["explain", str(folder), "--device", "cpu", "--output", "page.html"]
    assert main([*command, str(other)]) == 0
    assert "note: gradient flow is left out, for it needs the data: " in capsys.readouterr().err
    assert sections(Path("page.html").read_text()) == {"learned", "answers", "inside"}
    assert main(command) == 2
    assert "hours.csv: no such file" in capsys.readouterr().err


def test_a_run_without_a_record_is_explained_without_figures(tmp_path, run_of):
    copy = shutil.copytree(run_of("sine"), tmp_path / "copy")
    (copy / "summary.json").write_text("{")
    (copy / "metrics.jsonl").write_text('{"step": 1}\n{"val/mse": 1}\nnonsense\n[]\n')
    (copy / "overrides.yaml").unlink()
    assert main(["explain", str(copy), "--device", "cpu", "--output", "page.html"]) == 0
    assert sections(Path("page.html").read_text()) == {"answers", "inside", "flow"}


def test_the_record_of_a_run_is_read(run_of):
    history = read_history(run_of("sine"))
    assert history.metric == "mse"
    assert set(history.values("baseline")) >= {"mse", "mae"}
    assert [step for step, _ in history.points["val/loss"]] == [2]


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("sentiment", ["<h4>read</h4>", "✓ truth"]),
        ("sine", ["<h4>values</h4>"]),
        ("copy_memory", ["<h4>read</h4>", "<h4>answer</h4>"]),
        pytest.param("crf", ["<h4>read</h4>"], marks=pytest.mark.slow),
        pytest.param("ner", ["<h4>read</h4>", "<h4>answer</h4>"], marks=pytest.mark.slow),
    ],
)
def test_a_task_that_says_nothing_of_its_looks_is_shown_plainly(kind, told, run_of, monkeypatch):
    trained = load(run_of(kind), device="cpu")
    monkeypatch.setattr(type(trained.task), "shown", Task.shown)
    shown, _ = explain(trained)
    for each in told:
        assert each in shown
    assert sections(shown) == {"learned", "answers", "inside", "flow"}


HOSTILE = "</script><script>window.hacked=1</script><img/src=x/onerror=window.hacked=1>"


@pytest.fixture(scope="session")
def hostile_run(tmp_path_factory) -> Path:
    """A run on data whose words and classes are tags."""
    home = tmp_path_factory.mktemp("hostile")
    rows = [f"{HOSTILE} {word}\t{label}" for word, label in (("good", "<b>yes"), ("bad", "<i>no\"'"))]
    for name in ("train", "val", "test"):
        (home / f"{name}.tsv").write_text("\n".join(["text\tlabel", *rows * 8]) + "\n")
    kind = ["model=attention_lstm", "task=sentiment", "task.tokenizer=whitespace", f"task.path={home / 'train.tsv'}"]
    return train(home / "run", kind)


def test_what_a_user_trained_on_cannot_become_a_script(hostile_run):
    assert main(["explain", str(hostile_run), "--device", "cpu", "--output", "page.html"]) == 0
    shown = Path("page.html").read_text()
    assert_alone(shown)
    assert "&lt;/script&gt;&lt;script&gt;window.hacked" in shown
    assert "<script>window" not in shown
    assert not re.search(r"<img/|<b>yes|<i>no", shown)
    assert "looks" in sections(shown)
