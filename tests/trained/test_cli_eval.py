"""`seqtrain eval` as a user types it: the run's own figures, to the last digit."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import seqtrain
from seqtrain.cli import main
from seqtrain.tasks import Split


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def scored(run_of, capsys):
    """What `seqtrain eval --json` says of a run of a kind."""

    def run(kind: str, *arguments: str) -> dict[str, Any]:
        assert main(["eval", str(run_of(kind)), "--device", "cpu", "--json", *arguments]) == 0, capsys.readouterr().err
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    return run


@pytest.fixture
def refused(capsys):
    """The one line that `seqtrain eval` says of a run that can't be scored so."""

    def run(folder: Path, *arguments: str) -> str:
        assert main(["eval", str(folder), "--device", "cpu", *arguments]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        return error

    return run


@pytest.mark.parametrize(
    "kind", ["sentiment", "averaged", "ner", "translation", "text", "apart", "digits", "moving_mnist", "adding"]
)
def test_the_runs_own_figures_come_out(scored, run_of, kind):
    summary = json.loads((run_of(kind) / "summary.json").read_text())
    val, test = scored(kind), scored(kind, "--split", "test")
    assert val["metrics"] == {name: value for name, value in summary["best"].items() if name != "step"}
    assert test["metrics"] == summary["test"]
    assert (val["data"], val["step"], val["checkpoint"]) == ("val", summary["best"]["step"], "best")


def test_the_training_split_and_the_last_checkpoint_can_be_asked_for(scored):
    train = scored("sentiment", "--split", "train", "--checkpoint", "last")
    assert (train["examples"], train["checkpoint"]) == (40, "last")


def test_each_class_is_scored(scored, run_of):
    classes = scored("sentiment")["classes"]
    trained = seqtrain.load(run_of("sentiment"), device="cpu")
    trained.task.prepare(Path(), 0)
    truth = trained.task.examples(Split.VAL).labels.numpy()
    answers = np.empty(len(truth), int)
    for sample in trained.evaluator().samples(trained.task.examples(Split.VAL)):
        answers[sample.batch.indices] = sample.outputs.argmax(-1)
    for number, each in enumerate(classes):
        right = ((truth == number) & (answers == number)).sum()
        assert each["support"] == (truth == number).sum()
        assert each["precision"] == right / max((answers == number).sum(), 1)
        assert each["recall"] == right / (truth == number).sum()
    mean = sum(each["f1"] for each in classes) / len(classes)
    assert mean == pytest.approx(scored("sentiment")["metrics"]["f1"])


def test_types_of_entities_are_scored(run_of):
    import torch

    from seqtrain.batch import Batch

    counted = seqtrain.load(run_of("ner"), device="cpu").task.class_scores()
    counted._answers = lambda outputs, lengths: outputs[:, : int(lengths.max())]
    # B-0 I-0 O B-1 against B-0 O O B-1, and past the length nothing counts.
    truth, answers = torch.tensor([[1, 2, 0, 3, 1]]), torch.tensor([[1, 0, 0, 3, 1]])
    counted.add(answers, Batch(truth[..., None], torch.tensor([4]), truth[:, :4], torch.tensor([0])))
    first, second, *_ = counted.rows()
    assert (first.precision, first.recall, first.f1, first.support) == (0, 0, 0, 1)
    assert (second.precision, second.recall, second.f1, second.support) == (1, 1, 1, 1)


def test_tables_are_shown_to_people(run_of, capsys):
    assert main(["eval", str(run_of("sentiment")), "--device", "cpu"]) == 0
    shown = capsys.readouterr().out
    for word in ("lstm on sentiment", "val: 12 examples", "loss", "precision", "recall", "support", "negative"):
        assert word in shown
    assert main(["eval", str(run_of("adding")), "--device", "cpu"]) == 0
    assert "precision" not in capsys.readouterr().out


# ---------------------------------------------------------------- files


def test_labelled_files_are_scored(scored, run_of):
    texts = seqtrain.load(run_of("sentiment")).task.source().read(Split.TEST, Path(), 0)
    rows = "".join(f"{text}\t{label}\n" for text, label in zip(texts.texts, texts.labels, strict=True))
    Path("mine.tsv").write_text("text\tlabel\n" + rows)
    mine, test = scored("sentiment", "--file", "mine.tsv"), scored("sentiment", "--split", "test")
    assert mine["metrics"] == test["metrics"]
    assert (mine["data"], mine["examples"]) == ("mine.tsv", 12)


def test_sentences_with_tags_are_scored(scored, run_of):
    sentences = seqtrain.load(run_of("ner")).task.source().read(Split.TEST, Path(), 0)
    pairs = [zip(words, tags, strict=True) for words, tags in zip(sentences.words, sentences.tags, strict=True)]
    Path("mine.conll").write_text("\n\n".join("\n".join(f"{a}\t{b}" for a, b in each) for each in pairs))
    assert scored("ner", "--file", "mine.conll")["metrics"] == scored("ner", "--split", "test")["metrics"]


def test_translations_are_scored_on_two_files(scored, run_of, refused):
    pairs = seqtrain.load(run_of("translation")).task.pair_source().read(Split.TEST, Path(), 0)
    Path("a.txt").write_text("\n".join(pairs.sources))
    Path("b.txt").write_text("\n".join(pairs.targets))
    mine = scored("translation", "--file", "a.txt", "b.txt")["metrics"]
    assert mine == pytest.approx(scored("translation", "--split", "test")["metrics"])
    assert "is scored on two files" in refused(run_of("translation"), "--file", "a.txt")
    assert "b.txt: one file is scored at a time" in refused(run_of("sentiment"), "--file", "a.txt", "b.txt")


def test_a_text_is_scored(scored, run_of):
    passage = seqtrain.load(run_of("text")).task.source().passage(Split.TEST, Path(), 0, at_blank=False)
    Path("mine.txt").write_text(passage.text)
    assert scored("text", "--file", "mine.txt")["metrics"] == scored("text", "--split", "test")["metrics"]


@pytest.mark.parametrize("kind", ["series", "apart"])
def test_a_series_is_scored(scored, run_of, kind):
    """The last rows by themselves give the windows of the test split, which look back before it."""
    task = seqtrain.load(run_of(kind)).task
    lines = (run_of(kind).parent / "hours.csv").read_text().splitlines()
    Path("end.csv").write_text("\n".join([lines[0], *lines[-8 - task.lookback :]]))
    mine, test = (scored(kind, *where) for where in (["--file", "end.csv"], ["--split", "test"]))
    assert mine["examples"] == test["examples"]
    assert mine["metrics"] == pytest.approx(test["metrics"], rel=1e-5)


@pytest.mark.parametrize("kind", ["speech", "digits"])
def test_recordings_are_scored(scored, run_of, kind):
    sounds = seqtrain.load(run_of(kind)).task.source().read(Split.TEST, Path(), 0, 8000)
    waves = np.split(sounds.samples, np.cumsum(sounds.lengths)[:-1])
    rows = ["path,label"]
    for number, (wave, label) in enumerate(zip(waves, sounds.labels, strict=True)):
        soundfile.write(f"{number}.wav", wave, 8000, subtype="FLOAT")
        rows.append(f"{number}.wav,{label}")
    Path("list.csv").write_text("\n".join(rows))
    mine = scored(kind, "--file", "list.csv")
    assert mine["examples"] == 8
    if kind == "speech":
        assert mine["metrics"] == pytest.approx(scored(kind, "--split", "test")["metrics"], rel=1e-4)
        assert [each["name"] for each in mine["classes"]] == [str(digit) for digit in range(10)]


def test_films_are_scored(scored, run_of, refused):
    task = seqtrain.load(run_of("moving_mnist")).task
    task.prepare(Path(), 0)
    np.save("mine.npy", task.examples(Split.TEST).films(np.arange(12), 0))
    assert (
        scored("moving_mnist", "--file", "mine.npy")["metrics"] == scored("moving_mnist", "--split", "test")["metrics"]
    )
    np.save("large.npy", np.zeros((6, 5, 32, 32), np.uint8))
    assert "large.npy: the model's frames are of 28 x 28" in refused(run_of("moving_mnist"), "--file", "large.npy")


# ---------------------------------------------------------------- what can't be scored


def test_files_that_cannot_be_scored_are_refused(refused, run_of):
    sentiment = run_of("sentiment")
    assert "none.tsv: no such file" in refused(sentiment, "--file", "none.tsv")
    Path("a.tsv").write_text("text\tlabel\nfine\tmixed\n")
    assert "a.tsv, line 2: label 'mixed' is not in the training data" in refused(sentiment, "--file", "a.tsv")
    Path("b.txt").write_text("fine\n")
    assert "b.txt: the name doesn't tell the format" in refused(sentiment, "--file", "b.txt")
    assert "Adding scores no files" in refused(run_of("adding"), "--file", "b.txt")
    Path("short.csv").write_text("date,load,heat\n2020-01-01,1,2\n")
    assert "short.csv: 1 rows, where a window has task.lookback=8" in refused(run_of("series"), "--file", "short.csv")


def test_data_that_has_changed_is_refused(refused, run_of):
    run = Path(shutil.copytree(run_of("sentiment"), "run"))
    config = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(config.replace("train_size: 40", "train_size: 400"))
    assert "vocab.json: the data gives another vocab.json than in training; it has changed" in refused(run)


def test_data_that_is_gone_is_refused(refused, run_of):
    run = Path(shutil.copytree(run_of("series"), "run"))
    config = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(config.replace("hours.csv", "gone.csv"))
    assert "gone.csv: no such file" in refused(run)
