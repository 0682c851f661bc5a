"""`seqtrain generate` as a user types it."""

import csv
import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import seqtrain
from seqtrain.cli import main
from seqtrain.errors import ConfigError, DataError
from seqtrain.picture import GIF_MILLISECONDS


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def generate(run_of, capsys):
    """What `seqtrain generate` prints for a run of a kind."""

    def run(kind: str, *arguments: str) -> str:
        assert main(["generate", str(run_of(kind)), "--device", "cpu", *arguments]) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    return run


@pytest.fixture
def refused(run_of, capsys):
    """The one line that `seqtrain generate` says when it can't."""

    def run(kind: str, *arguments: str) -> str:
        assert main(["generate", str(run_of(kind)), "--device", "cpu", *arguments]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        return error

    return run


# ---------------------------------------------------------------- text


def test_a_prompt_is_gone_on_with(generate):
    text = generate("text", "--prompt", "the dog")
    assert text.startswith("the dog")
    assert len(text) == len("the dog") + 12 + 1
    assert generate("text", "--prompt", "the dog") == text


def test_flags_say_how_text_is_written(generate):
    text = generate("text", "--prompt", "the dog")
    assert generate("text", "--prompt", "the dog", "--length", "30").startswith(text.removesuffix("\n"))
    assert len(generate("text", "--prompt", "the dog", "--length", "30")) > len(text)
    assert generate("text", "--prompt", "the dog", "--seed", "5") != text
    sure = {
        generate("text", "--prompt", "the dog", *flags) for flags in (["--top-k", "1"], ["--temperature", "0.0001"])
    }
    assert len(sure) == 1
    assert sure == {generate("text", "--prompt", "the dog", "--top-p", "0.000001", "--seed", "9")}


def test_what_is_streamed_is_what_the_model_generates(run_of):
    trained = seqtrain.load(run_of("text"), device="cpu")
    pieces = list(trained.write("the dog"))
    assert len(pieces) == 12
    batch = trained.task.new_examples(list(trained.given(["the dog"]))).batch(np.zeros(1, np.int64), 0)
    assert "".join(pieces) == trained.task.text_of(trained.model.generate(batch)[0])
    assert trained.generate(["the dog"]) == [{"prompt": "the dog", "text": "".join(pieces)}]


def test_words_are_joined_to_the_prompt(run_of):
    trained = seqtrain.load(run_of("words"), device="cpu")
    text = "".join(trained.write("the dog"))
    assert text == text.rstrip()
    assert not text[0].isalnum()


def test_without_a_prompt_a_line_is_begun(generate):
    assert generate("text").startswith("\n")


def test_prompts_come_from_files_and_text_goes_into_them(generate):
    Path("in.txt").write_text("the dog\na cat\n")
    printed = generate("text", "in.txt", "--output", "out.txt")
    assert Path("out.txt").read_text() == printed
    records = [json.loads(line) for line in generate("text", "in.txt", "--json").splitlines()]
    assert [(each["line"], each["prompt"]) for each in records] == [(1, "the dog"), (2, "a cat")]
    assert printed == "".join(f"{each['prompt']}{each['text']}\n" for each in records)


# ---------------------------------------------------------------- translations


def test_translations_of_the_runs_own_texts_stand_behind_them(generate):
    lines = generate("translation").splitlines()
    records = [json.loads(line) for line in generate("translation", "--json").splitlines()]
    assert lines == [f"{record['text']} -> {record['translation']}" for record in records]


def test_lines_are_translated_one_by_one(generate, run_of, monkeypatch):
    trained = seqtrain.load(run_of("translation"), device="cpu")
    texts = ["3 May 1999", "the twelfth of June 2020", "1 May"]
    wanted = [each["translation"] for each in trained.predict(texts)]
    stream = SimpleNamespace(buffer=io.BytesIO("\n".join(texts).encode()), isatty=lambda: False)
    monkeypatch.setattr(sys, "stdin", stream)
    assert generate("translation", "-") == "".join(f"{text}\n" for text in wanted)
    assert generate("translation", "--prompt", texts[1], "--output", "t.txt") == f"{wanted[1]}\n"
    assert Path("t.txt").read_text() == f"{wanted[1]}\n"


def test_a_beam_of_another_width_can_be_asked_for(run_of, generate):
    assert generate("translation", "--prompt", "3 May", "--beam-size", "3", "--length-penalty", "0")
    trained = seqtrain.load(run_of("translation"), device="cpu", options={"decoder.beam_size": 3})
    assert trained.config.decoder.beams == 3


def test_without_texts_some_of_validation_are_translated(generate):
    records = [json.loads(line) for line in generate("translation", "--json").splitlines()]
    assert len(records) == 12
    assert all(each["text"] for each in records)


# ---------------------------------------------------------------- forecasts


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_series_is_gone_on_with_past_its_end(generate, run_of):
    own = rows(generate("series"))
    assert [each["date"] for each in own][:2] == ["2020-02-03 06:00:00", "2020-02-03 07:00:00"]
    assert rows(generate("series", str(run_of("series").parent / "hours.csv"))) == own
    assert len(rows(generate("series", "--steps", "2"))) == 2


def test_a_forecast_beyond_the_horizon_is_told_from_the_forecast(generate, run_of):
    long = rows(generate("series", "--steps", "10"))
    assert len(long) == 10
    assert long[:4] == rows(generate("series"))
    hours = (run_of("series").parent / "hours.csv").read_text()
    told = "".join(f"{each['date']},{each['load']},{each['heat']}\n" for each in long[:4]).replace(" ", "T")
    Path("longer.csv").write_text(hours + told)
    further = rows(generate("series", "longer.csv"))
    assert [each["date"] for each in further] == [each["date"] for each in long[4:8]]
    for mine, theirs in zip(further, long[4:8], strict=True):
        assert float(mine["heat"]) == pytest.approx(float(theirs["heat"]), rel=1e-5)


def test_a_forecast_that_cannot_feed_itself_is_refused_further_on(generate, refused):
    assert len(rows(generate("apart", "--steps", "4"))) == 4
    assert "not all channels that are read are forecast" in refused("apart", "--steps", "5")


def test_forecasts_go_into_files(generate):
    printed = generate("series", "--output", "f.csv", "--output", "deep/f.png", "--output", "f.jsonl")
    assert Path("f.csv").read_text() == printed
    assert len(json.loads(Path("f.jsonl").read_text())["forecast"]) == 4
    with Image.open("deep/f.png") as picture:
        assert picture.format == "PNG"


def test_people_see_a_table(run_of, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert main(["generate", str(run_of("series")), "--device", "cpu"]) == 0
    shown = capsys.readouterr().out
    assert "2020-02-03 06:00:00" in shown
    assert "date," not in shown


def test_generated_series_go_on_as_well(generate):
    assert [each["row"] for each in rows(generate("sine", "--steps", "6"))] == ["13", "14", "15", "16", "17", "18"]


# ---------------------------------------------------------------- frames


def frames(path: str) -> int:
    """How many there are, frames that look alike and are kept as one counted as often as they are shown."""
    with Image.open(path) as film:
        durations = []
        for number in range(film.n_frames):
            film.seek(number)
            durations.append(film.info["duration"])
    return sum(durations) // GIF_MILLISECONDS


def test_future_frames_are_shown_behind_those_seen(generate):
    assert "2 frames in frames.gif" in generate("moving_mnist")
    generate("moving_mnist", "--steps", "5", "--output", "long.gif")
    assert (frames("frames.gif"), frames("long.gif")) == (3 + 2, 3 + 5)
    films = (255 * np.random.default_rng(0).random((2, 4, 28, 28))).astype(np.uint8)
    np.save("films.npy", films)
    generate("moving_mnist", "films.npy", "--output", "out.gif")
    assert Path("out.gif").exists()
    assert Path("out-2.gif").exists()


# ---------------------------------------------------------------- what can't be


def test_what_cannot_be_generated_is_refused(refused):
    assert "task=sentiment: has nothing to generate" in refused("sentiment", "--prompt", "a")
    assert "task=sentiment: has nothing to generate" in refused("sentiment")
    assert "steps=3: task=text doesn't go on in rows or frames" in refused("text", "--json", "--steps", "3")
    assert "steps=3: task=text doesn't go on in rows or frames" in refused("text", "--steps", "3")
    assert "steps=0: must be at least 1" in refused("series", "--steps", "0")
    assert "--length: the run's task has no task.sample_length" in refused("series", "--length", "3")
    assert "decoder.temperature=1.0: this task writes no symbols to draw" in refused("series", "--temperature", "1")
    assert "decoder.beam_size=3: this task wants no sequence of its own length" in refused("text", "--beam-size", "3")
    assert "decoder.top_p=2.0" in refused("text", "--top-p", "2")
    assert "--prompt: instead of FILE" in refused("text", "in.txt", "--prompt", "a")
    assert "--prompt: task=series reads no text; give it a file" in refused("series", "--prompt", "a")
    assert "--prompt 1: is blank" in refused("words", "--prompt", " ")


def test_outputs_that_cannot_be_are_refused_before_anything_is_made(refused):
    error = refused("series", "--output", "f.gif")
    assert "--output f.gif: answers of task=series go into .csv, .jsonl, .png files" in error
    assert "--output f.png: answers of task=text go into .jsonl, .txt files" in refused("text", "--output", "f.png")
    assert "go into .gif files" in refused("moving_mnist", "--output", "f.png")
    Path("file").touch()
    assert "can't be written" in refused("series", "--output", "file/f.csv")
    assert list(Path().iterdir()) == [Path("file")]


def test_python_is_told_the_same(run_of):
    with pytest.raises(ConfigError, match="has nothing to generate"):
        seqtrain.load(run_of("ner"), device="cpu").generate(["a"])
    with pytest.raises(DataError, match="no such file"):
        seqtrain.load(run_of("series"), device="cpu").generate(Path("none.csv"))
    (record,) = seqtrain.load(run_of("moving_mnist"), device="cpu").generate(steps=3)
    assert record["frames"].shape == (3, 28, 28)
