"""`seqtrain predict` as a user types it."""

import gzip
import io
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

import seqtrain
from seqtrain.cli import main
from seqtrain.cli.predict import given_of
from seqtrain.tasks.given import Source


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def predict(run_of, capsys):
    """What `seqtrain predict` prints for a run of a kind, as records."""

    def run(kind: str, *arguments: str) -> list[dict[str, Any]]:
        assert main(["predict", str(run_of(kind)), "--device", "cpu", *arguments]) == 0, capsys.readouterr().err
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return run


@pytest.fixture
def refused(run_of, capsys):
    """The one line that `seqtrain predict` says when it can't."""

    def run(kind: str, *arguments: str) -> str:
        assert main(["predict", str(run_of(kind)), "--device", "cpu", *arguments]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        return error

    return run


def pipe(monkeypatch, content: bytes) -> None:
    """Puts content on standard input."""
    stream = io.BufferedReader(io.BytesIO(content))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stream, isatty=lambda: False))


TEXTS = ["a fine film", "the plot was dull , but I liked it", "schön \u2028 und gut 🎬", "no"]


def test_a_line_becomes_a_record_in_its_place(predict):
    Path("in.txt").write_bytes(("\ufeff" + "\r\n".join([TEXTS[0], "", TEXTS[1], "   ", *TEXTS[2:]])).encode())
    records = predict("sentiment", "in.txt")
    assert [(each["line"], each["text"]) for each in records] == list(zip([1, 3, 5, 6], TEXTS, strict=True))
    for each in records:
        assert sum(each["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert each["probability"] == max(each["probabilities"].values()) == each["probabilities"][each["label"]]


def test_the_size_of_batches_changes_nothing(predict):
    Path("in.txt").write_text("\n".join(TEXTS * 9))
    many, one = (predict("sentiment", "in.txt", "--batch-size", size) for size in ("64", "1"))
    assert [each["label"] for each in many] == [each["label"] for each in one]
    for mine, theirs in zip(many, one, strict=True):
        assert mine["probability"] == pytest.approx(theirs["probability"], abs=2e-6)


def test_more_lines_than_are_held_at_once_stay_in_order(predict):
    texts = [" ".join(["good"] * (1 + number * 7 % 11)) + f" {number}" for number in range(80)]
    Path("in.txt").write_text("\n".join(texts))
    assert [each["text"] for each in predict("sentiment", "in.txt", "--batch-size", "2")] == texts


def test_standard_input_is_read_as_a_file_is(predict, monkeypatch):
    content = "\n".join(TEXTS).encode()
    Path("in.txt").write_bytes(content)
    from_file = predict("sentiment", "in.txt")
    for arguments in ([], ["-"]):
        pipe(monkeypatch, content)
        assert predict("sentiment", *arguments) == from_file


class Endless(io.BytesIO):
    """A pipe that never ends."""

    read_lines = 0

    def __next__(self) -> bytes:
        self.read_lines += 1
        return b"a fine film\n"


def test_a_pipe_is_answered_while_it_is_open(run_of):
    """No more is read ahead than is held at once, so that a million lines take no more memory than a thousand."""
    trained, stream = seqtrain.load(run_of("sentiment"), device="cpu"), Endless()
    answers = trained.answers(trained.task.new_inputs(Source(Path("pipe"), stream)), batch_size=4)
    for _ in range(100):
        next(answers)
    assert stream.read_lines <= 100 + 4 * 16


def test_rows_are_read_with_and_without_labels(predict):
    Path("a.tsv").write_text("label\ttext\n1\ta fine film\n0\tno\n")
    Path("b.csv").write_text('text\n"a fine, ""fine"" film\nof two lines"\nno\n')
    Path("c.jsonl").write_text('{"text": "a fine film", "more": [1]}\n\n{"text": "no"}\n')
    with gzip.open("d.jsonl.gz", "wt") as file:
        file.write('{"text": "no"}\n')
    assert [(each["line"], each["text"]) for each in predict("sentiment", "a.tsv")] == [(2, "a fine film"), (3, "no")]
    found = [(each["line"], each["text"]) for each in predict("sentiment", "b.csv")]
    assert found == [(2, 'a fine, "fine" film\nof two lines'), (4, "no")]
    assert [(each["line"], each["text"]) for each in predict("sentiment", "c.jsonl")] == [(1, "a fine film"), (3, "no")]
    assert [each["text"] for each in predict("sentiment", "d.jsonl.gz")] == ["no"]


def test_a_format_can_be_told(predict, monkeypatch):
    pipe(monkeypatch, b'{"text": "a fine film"}\n')
    assert [each["text"] for each in predict("sentiment", "--format", "jsonl")] == ["a fine film"]


def test_several_files_tell_their_names(predict):
    Path("a.txt").write_text("a fine film\nno\n")
    Path("b.txt").write_text("no\n")
    found = [(each["file"], each["line"]) for each in predict("sentiment", "a.txt", "b.txt")]
    assert found == [("a.txt", 1), ("a.txt", 2), ("b.txt", 1)]


def test_texts_can_be_given_at_once_and_answers_kept_in_a_file(predict):
    assert predict("sentiment", "--text", "a fine film", "--text", "no", "--output", "out.jsonl") == []
    records = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [each["text"] for each in records] == ["a fine film", "no"]
    assert [path.name for path in Path().iterdir()] == ["out.jsonl"]


def test_other_options_can_be_asked_for(predict, run_of):
    words = seqtrain.load(run_of("sentiment")).task.codes.vocabulary.words
    word = next(word for word in words if word.isalpha()).upper()
    (small,) = predict("sentiment", "--text", word)
    (large,) = predict("sentiment", "--text", word, "--checkpoint", "last", "--set", "task.lowercase=false")
    assert small["probability"] != large["probability"]


# ---------------------------------------------------------------- what can't be read


def test_an_unreadable_line_is_an_error_with_its_number(refused):
    Path("in.txt").write_bytes(b"a fine film\nn\xffo\n")
    assert "in.txt, line 2: not UTF-8: byte 0xff; save the file as UTF-8" in refused("sentiment", "in.txt")
    Path("in.jsonl").write_text('{"text": "a"}\n{"text": \n')
    assert "in.jsonl, line 2: not JSON: " in refused("sentiment", "in.jsonl")
    Path("other.jsonl").write_text('{"txt": "a"}\n')
    assert "other.jsonl, line 1: no column 'text' among 'txt'; did you mean 'txt'?" in refused(
        "sentiment", "other.jsonl"
    )
    Path("in.tsv").write_text("text\tlabel\na\tb\nc\n")
    assert "in.tsv, line 3: has 1 fields, where line 1 has 2" in refused("sentiment", "in.tsv")
    Path("blank.csv").write_text('text,label\n" ",b\n')
    assert "blank.csv, line 2: nothing in column 'text'" in refused("sentiment", "blank.csv")


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(refused, monkeypatch, content):
    Path("in.txt").write_bytes(content)
    assert "in.txt: holds nothing to read" in refused("sentiment", "in.txt")
    pipe(monkeypatch, content)
    told = "holds nothing to read" if content else "is empty"
    assert f"standard input: {told}" in refused("sentiment")


def test_files_that_cannot_be_opened_are_refused(refused):
    assert "none.txt: no such file" in refused("sentiment", "none.txt")
    Path("folder").mkdir()
    assert "folder: Is a directory" in refused("sentiment", "folder")
    Path("bad.txt.gz").write_bytes(b"no gzip")
    assert "bad.txt.gz: can't be unpacked" in refused("sentiment", "bad.txt.gz")
    assert "can't be written" in refused("sentiment", "--text", "a", "--output", "nowhere/out.jsonl")
    assert "--text 1: is blank" in refused("sentiment", "--text", " ")


def test_arguments_that_cannot_be_are_refused(refused):
    assert "--text: instead of FILE" in refused("sentiment", "in.txt", "--text", "a")
    assert "--text: task=sine reads no text; give it a file" in refused("sine", "--text", "a")
    assert "--batch-size=0: must be at least 1" in refused("sentiment", "--text", "a", "--batch-size", "0")
    assert "task.lowercas: unknown key; did you mean task.lowercase?" in refused(
        "sentiment", "--text", "a", "--set", "task.lowercas=1"
    )
    assert "--set lowercase: write it as KEY=VALUE" in refused("sentiment", "--text", "a", "--set", "lowercase")
    assert "--set a=[: [ is no value" in refused("sentiment", "--text", "a", "--set", "a=[")
    assert "seed.a: seed has no parts" in refused("sentiment", "--text", "a", "--set", "seed.a=1")


@pytest.mark.parametrize("command", ["predict", "eval", "generate"])
def test_what_is_no_run_is_one_line(command, capsys):
    for run in ("nowhere", "last", "."):
        assert main([command, run]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert "run" in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict"], "predict: the following arguments are required: RUN"),
        (["predict", "last", "--batchsize", "3"], "unrecognized arguments: --batchsize 3; did you mean --batch-size?"),
        (["predict", "last", "--checkpoint", "newest"], "--checkpoint: invalid choice: 'newest'"),
        (["eval", "last", "--split", "tset"], "eval: argument --split: invalid choice: 'tset' (choose from 'train'"),
        (["eval", "last", "--split", "val", "--file", "a"], "not allowed with argument --split"),
        (["generate", "last", "--seed", "x"], "generate: argument --seed: invalid int value: 'x'"),
        (["generate", "last", "--steps"], "argument --steps: expected one argument; see seqtrain generate --help"),
    ],
)
def test_an_unknown_word_in_any_position_is_one_line(arguments, message, capsys):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error


def test_help_answers_without_torch():
    code = "import sys; from seqtrain.cli import main\ntry: main([sys.argv[1], '--help'])\nexcept SystemExit: pass\n"
    for command in ("predict", "eval", "generate"):
        asked = code + "assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
        subprocess.run([sys.executable, "-c", asked, command], check=True, stdout=subprocess.DEVNULL)


# ---------------------------------------------------------------- every kind of task


def test_entities_are_told_by_their_places_in_the_text(run_of):
    trained = seqtrain.load(run_of("ner"), device="cpu")
    text = "  We met Dr. O'Hara (of @acme) near Ulm."
    (record,) = trained.predict([text])
    assert record["words"] == ["We", "met", "Dr", ".", "O'Hara", "(", "of", "@acme", ")", "near", "Ulm", "."]
    assert len(record["tags"]) == len(record["words"])
    for entity in record["entities"]:
        assert text[entity["begin"] : entity["end"]] == entity["text"]
        assert 0 <= entity["probability"] <= 1
    (same,) = trained.predict([record["words"]])
    assert same["tags"] == record["tags"]
    assert same["text"] == " ".join(record["words"])


def test_entities_follow_from_the_tags(run_of, monkeypatch):
    import torch

    trained = seqtrain.load(run_of("ner"), device="cpu")
    kind = trained.task.codes.types[1]
    monkeypatch.setattr(trained.task, "answers", lambda *_: torch.tensor([[0, 3, 4, 0]]))
    (record,) = trained.predict([["in", "New", "York", "today"]])
    assert record["tags"] == ["O", f"B-{kind}", f"I-{kind}", "O"]
    (entity,) = record["entities"]
    assert (entity["type"], entity["text"], entity["begin"], entity["end"]) == (kind, "New York", 3, 11)


def test_sentences_are_read_from_conll_files_with_and_without_tags(predict):
    Path("in.conll").write_bytes(b"-DOCSTART- O\r\n\r\nAnna B-person\r\nslept O\r\n\r\n\r\nUlm B-place\r\n")
    records = predict("ner", "in.conll")
    assert [(each["line"], each["words"]) for each in records] == [(3, ["Anna", "slept"]), (7, ["Ulm"])]
    Path("in.txt").write_text("Anna\nslept\n")
    (bare,) = predict("ner", "in.txt", "--format", "conll")
    assert (bare["words"], bare["tags"]) == (["Anna", "slept"], records[0]["tags"])
    assert "probability" not in str(predict("crf", "in.conll"))


def test_texts_are_translated_with_their_probability(run_of):
    trained = seqtrain.load(run_of("translation"), device="cpu")
    together = trained.predict(["3 May 1999", "the twelfth of June 2020"])
    assert [each["text"] for each in together] == ["3 May 1999", "the twelfth of June 2020"]
    assert all(each["log_probability"] < 0 for each in together)
    alone = [trained.predict([each["text"]])[0] for each in together]
    for mine, theirs in zip(alone, together, strict=True):
        assert mine["translation"] == theirs["translation"]
        assert mine["log_probability"] == pytest.approx(theirs["log_probability"], abs=1e-4)


def test_a_text_is_told_its_bits_and_what_may_come_next(run_of):
    trained = seqtrain.load(run_of("text"), device="cpu")
    long, short = trained.predict(["the dog", "t"])
    assert short["bits"] is None
    assert long["bits"] > 0
    chances = [each["probability"] for each in long["next"]]
    assert chances == sorted(chances, reverse=True)
    Path("t.txt").write_text("the dog")
    assert long["bits"] == pytest.approx(trained.evaluate(Path("t.txt")).metrics["bits"], abs=1e-5)


def test_a_series_is_forecast_past_its_end_in_its_own_units(predict, run_of):
    hours = run_of("series").parent / "hours.csv"
    (record,) = predict("series", str(hours))
    dates = [row["date"] for row in record["forecast"]]
    assert dates == ["2020-02-03 06:00:00", "2020-02-03 07:00:00", "2020-02-03 08:00:00", "2020-02-03 09:00:00"]
    assert list(record["forecast"][0]) == ["date", "load", "heat"]
    trained = seqtrain.load(run_of("series"), device="cpu")
    scaler = trained.task.scaler
    (array,) = trained.predict([np.loadtxt(hours, delimiter=",", skiprows=1, usecols=(1, 2))])
    assert [row["row"] for row in array["forecast"]] == [81, 82, 83, 84]
    assert [row["heat"] for row in array["forecast"]] == [row["heat"] for row in record["forecast"]]
    near = [abs(row["heat"] - scaler.mean[1]) < 5 * scaler.std[1] for row in record["forecast"]]
    assert all(near)


def test_a_forecast_in_the_middle_is_the_windows_own(run_of):
    """Channels apart, differences from the last values and a calendar come back as the validation split has them."""
    from seqtrain.tasks import Split

    trained = seqtrain.load(run_of("apart"), device="cpu")
    task = trained.task
    task.prepare(trained.config.data_dir, 0)
    windows = task.examples(Split.VAL)
    sample = next(iter(trained.evaluator().samples(windows)))
    said = (task.rows(sample.outputs) + windows.last(np.arange(len(windows))))[0, :, 0]
    end = int(windows.first_row(np.zeros(1, np.int64))[0]) + task.lookback
    lines = Path(trained.config.task.path).read_text().splitlines()
    Path("begun.csv").write_text("\n".join(lines[: 1 + end]) + "\n")
    (record,) = trained.predict(Path("begun.csv"))
    wanted = said.numpy() * task.scaler.std[0] + task.scaler.mean[0]
    np.testing.assert_allclose([row["load"] for row in record["forecast"]], wanted, rtol=1e-4)
    assert record["forecast"][0]["date"] == lines[1 + end].split(",")[0].replace("T", " ") + ":00"


def test_a_series_that_does_not_fit_is_refused(refused, predict):
    Path("short.csv").write_text("date,load,heat\n2020-01-01 00:00,1,2\n2020-01-01 01:00,1,2\n")
    assert "short.csv: 2 rows, where the model sees task.lookback=8" in refused("series", "short.csv")
    Path("lacking.csv").write_text("date,load\n2020-01-01 00:00,1\n")
    assert "lacking.csv, line 1: no column 'heat' among 'date', 'load'" in refused("series", "lacking.csv")
    days = "".join(f"2020-01-{day:02},1,{day}\n" for day in range(1, 15))
    Path("days.csv").write_text("date,load,heat\n" + days)
    assert len(predict("series", "days.csv")) == 1
    assert "days.csv: rows are not as far apart as in training" in refused("apart", "days.csv")
    Path("words.csv").write_text("a,b\nx,1\n")
    assert "words.csv" in refused("sine", "words.csv")


def test_a_series_is_read_from_a_pipe(predict, run_of, monkeypatch):
    content = (run_of("series").parent / "hours.csv").read_bytes()
    pipe(monkeypatch, content)
    assert predict("series") == predict("series", str(run_of("series").parent / "hours.csv"))
    pipe(monkeypatch, b"date,load,heat\n2020-01-01 00:00,1,x\n")


def test_a_fault_in_a_piped_series_is_told_by_its_line(refused, monkeypatch):
    pipe(monkeypatch, b"date,load,heat\n2020-01-01 00:00,1,x\n")
    assert "seqtrain: standard input, line 2, column 'heat': 'x' is no number" in refused("series")


@pytest.fixture
def sounds(tmp_path) -> Path:
    rng = np.random.default_rng(0)
    for number in range(3):
        path = tmp_path / "sounds" / str(number) / f"{number}.wav"
        path.parent.mkdir(parents=True)
        soundfile.write(path, 0.1 * rng.standard_normal((4000 + 1600 * number, 1 + number)), 8000 * (1 + number))
    return tmp_path / "sounds"


def test_sounds_are_read_from_files_folders_lists_pipes_and_arrays(predict, run_of, sounds, monkeypatch):
    in_folder = predict("speech", "sounds")
    assert [each["file"] for each in in_folder] == [f"sounds/{n}/{n}.wav" for n in range(3)]
    assert predict("speech", "sounds/1/1.wav") == [in_folder[1]]
    Path("list.csv").write_text("path\nsounds/2/2.wav\n")
    assert predict("speech", "list.csv") == [{"line": 2, **in_folder[2]}]
    pipe(monkeypatch, (sounds / "0/0.wav").read_bytes())
    (piped,) = predict("speech")
    assert piped["probabilities"] == in_folder[0]["probabilities"]
    samples, _ = soundfile.read(sounds / "0/0.wav")
    (array,) = seqtrain.load(run_of("speech"), device="cpu").predict([samples])
    assert array["probability"] == pytest.approx(in_folder[0]["probability"], abs=1e-5)
    assert all(isinstance(each["string"], list) for each in predict("digits", "sounds"))


@pytest.mark.usefixtures("sounds")
def test_what_is_no_sound_is_refused(refused):
    Path("x.wav").write_text("no sound")
    assert "x.wav: can't be read as audio" in refused("speech", "x.wav")
    assert "y.wav: can't be read (No such file" in refused("speech", "y.wav")
    Path("empty").mkdir()
    assert "empty: holds no audio files" in refused("speech", "empty")
    Path("list.csv").write_text("path\nsounds/9/9.wav\n")
    assert "sounds/9/9.wav (list.csv, line 2): can't be read" in refused("speech", "list.csv")


def test_future_frames_become_a_gif(predict):
    films = (255 * np.random.default_rng(0).random((3, 5, 28, 28))).astype(np.uint8)
    np.save("films.npy", films)
    records = predict("moving_mnist", "films.npy", "--films", "out")
    assert [(each["film"], each["frames"]) for each in records] == [(n, f"out/frames-{n + 1}.gif") for n in range(3)]
    with Image.open("out/frames-1.gif") as film:
        assert (film.n_frames, film.size) == (2, (28, 28))
    np.savez("one.npz", films[1] / 255)
    (one,) = predict("moving_mnist", "one.npz")
    assert Path(one["frames"]).read_bytes() == Path("out/frames-2.gif").read_bytes()


def test_films_that_do_not_fit_are_refused(refused):
    np.save("short.npy", np.zeros((2, 28, 28), np.uint8))
    assert "short.npy: 2 frames, where the model sees task.frames_in=3" in refused("moving_mnist", "short.npy")
    np.save("large.npy", np.zeros((3, 32, 32), np.uint8))
    assert "large.npy: frames of 32 x 32 pixels, where the model's are of 28 x 28" in refused(
        "moving_mnist", "large.npy"
    )
    np.save("bright.npy", np.full((3, 28, 28), 2.0))
    assert "bright.npy: has a pixel that is not a number in 0 to 1" in refused("moving_mnist", "bright.npy")
    np.save("flat.npy", np.zeros(3))
    assert "flat.npy: 1 axes" in refused("moving_mnist", "flat.npy")
    assert "flat.npy: 1 axes" in refused("sequential_mnist", "flat.npy")
    np.save("small.npy", np.zeros((4, 8, 8), np.uint8))
    assert "small.npy, image 0: an image of 28 x 28 pixels is expected" in refused("sequential_mnist", "small.npy")


def test_images_are_read_one_by_one(predict):
    np.save("images.npy", (255 * np.random.default_rng(0).random((3, 28, 28))).astype(np.uint8))
    records = predict("sequential_mnist", "images.npy")
    assert [each["image"] for each in records] == [0, 1, 2]
    np.save("image.npy", np.load("images.npy")[2] / 255)
    assert predict("sequential_mnist", "image.npy")[0]["label"] == records[2]["label"]


def test_the_probes_read_json_lines(predict, refused):
    Path("sums.jsonl").write_text("[[0.5, 1], [0.2, 0], [0.1, 1]]\n[[0.5, 1], [0.1, 1]]\n")
    assert [set(each) for each in predict("adding", "sums.jsonl")] == [{"line", "sum"}] * 2
    Path("copy.jsonl").write_text("[1, 2, 3, 0, 0, 0, 9, 0, 0, 0]\n")
    (record,) = predict("copy_memory", "copy.jsonl")
    assert len(record["recalled"]) == 3
    for content in ("[[0.5, 1, 2]]", "[]", "[[1, 2], [3]]", '["a"]', "{}"):
        Path("bad.jsonl").write_text(content)
        assert "bad.jsonl, line 1: [[number, mark], ...] is expected, of numbers" in refused("adding", "bad.jsonl")
    for content, message in (("[11]", "a symbol is outside 0 to 9"), ("[0.5]", "[symbol, ...] is expected")):
        Path("bad.jsonl").write_text(content)
        assert message in refused("copy_memory", "bad.jsonl")


@pytest.mark.parametrize("kind", ["sentiment", "ner", "translation", "series", "moving_mnist", "sequential_mnist"])
def test_values_of_another_kind_are_refused(run_of, kind):
    from seqtrain.errors import DataError

    with pytest.raises(DataError, match=r"input 1: .*expected"):
        seqtrain.load(run_of(kind), device="cpu").predict([{"a": 1}])


def test_one_text_is_one_input(run_of):
    trained = seqtrain.load(run_of("sentiment"), device="cpu")
    assert trained.predict("a fine film") == trained.predict(["a fine film"])


def test_nothing_is_read_before_it_is_asked_for(run_of):
    given = given_of(seqtrain.load(run_of("sentiment"), device="cpu"), ["none.txt"], None, None)
    assert iter(given) is given


@pytest.mark.parametrize("kind", ["sentiment", "series", "moving_mnist"])
def test_nothing_on_standard_input_is_refused_alike_by_all(refused, monkeypatch, kind):
    pipe(monkeypatch, b"")
    assert "standard input: is empty; name a FILE, or send something" in refused(kind)


def test_who_types_is_told_that_input_is_awaited(run_of, capsys, monkeypatch):
    stream = io.BytesIO(b"a fine film\n")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stream, isatty=lambda: True))
    assert main(["predict", str(run_of("sentiment")), "--device", "cpu"]) == 0
    told = capsys.readouterr()
    assert "Ctrl-D ends it" in told.err
    assert json.loads(told.out)["text"] == "a fine film"
