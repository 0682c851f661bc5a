import json
import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from seqtrain.batch import PAD, UNK, Batch
from seqtrain.errors import CheckpointError, ConfigError, DataError
from seqtrain.picture import Picture
from seqtrain.spec import Align, Symbols, TaskSpec
from seqtrain.tasks import Split, Text
from seqtrain.tasks.task import Sample

TRAIN = "abababab"


@pytest.fixture
def prepared(tmp_path):
    """A task on files of their own."""

    def prepare(train=TRAIN, val="abca", test="ba", **options):
        paths = {}
        for name, text in (("path", train), ("val_path", val), ("test_path", test)):
            paths[name] = tmp_path / f"{name}.txt"
            paths[name].write_bytes(text if isinstance(text, bytes) else text.encode())
        task = Text(**paths, **{"steps": 3, **options})
        task.prepare(tmp_path, 0)
        return task

    return prepare


def everything(task, split):
    examples = task.examples(split)
    return examples.batch(np.arange(len(examples)), 0)


def test_the_outline_leaves_the_size_open_and_the_spec_fills_it(prepared):
    assert Text(sample_length=9).outline == TaskSpec(
        Symbols(), Symbols(), Align.EACH, horizon=9, causal=True, carry=True, continues=True
    )
    task = prepared(carry=False)
    assert task.spec == TaskSpec(
        Symbols(6), Symbols(6), Align.EACH, horizon=200, causal=True, carry=False, continues=True
    )


def test_without_carry_chunks_are_read_from_nothing(prepared):
    assert [prepared(carry=True).examples(split).successive for split in Split] == [True, True, True]
    assert [prepared(carry=False).examples(split).successive for split in Split] == [False, False, False]
    assert [prepared(cold_eval=True).examples(split).successive for split in Split] == [True, False, False]


def test_steps_and_streams_are_those_asked_for(prepared):
    task = prepared("ab" * 50, steps=7, max_streams=3)
    assert task.examples(Split.TRAIN).batch(np.arange(2), 0).inputs.shape == (2, 7)
    assert task.examples(Split.VAL).max_streams == 3
    assert prepared().examples(Split.VAL).max_streams == 4


def test_the_vocabulary_is_that_of_the_training_text(prepared):
    batch = everything(prepared(), Split.VAL)
    assert batch.inputs.tolist() == [[4, 5, UNK]]
    assert batch.targets.tolist() == [[5, UNK, 4]]


def test_rare_symbols_are_unknown(prepared):
    assert prepared("aaabbc", min_count=2).vocabulary.words == ("a", "b")
    assert prepared("aaabbc", max_vocab_size=5).vocabulary.words == ("a",)
    assert prepared("aaabbc").vocabulary.words == ("a", "b", "c")
    # Words are known from two on, unless it is said otherwise.
    assert prepared("x y\nx z\n", val="x x", level="words").vocabulary.words == ("\n", "x")
    assert prepared("x y\nx z\n", val="x x", level="words", min_count=1).vocabulary.words == ("\n", "x", "y", "z")


def test_the_test_text_is_not_read_before_it_is_asked_for(prepared):
    task = prepared(test=b"\xff\xfe")
    with pytest.raises(DataError, match=r"test_path\.txt, line 1: not UTF-8: byte 0xff at position 0"):
        task.examples(Split.TEST)


@pytest.mark.parametrize(
    ("texts", "options", "message"),
    [
        ({"train": "abc"}, {}, "path.txt: its train part has 3 characters, where 4 are needed; give it more text, or "),
        ({"train": "abc"}, {"level": "words"}, "path.txt: its train part has 1 words, where 4 are needed; give it"),
        ({"val": "a"}, {}, "val_path.txt: its val part has 1 characters, where 2 are needed; give it more text"),
        ({"train": ""}, {}, "path.txt: is empty"),
        ({"val": ""}, {}, "val_path.txt: is empty"),
        ({"val": b"a\n\xe4"}, {}, "val_path.txt, line 2: not UTF-8: byte 0xe4 at position 2; save the file as UTF-8"),
    ],
)
def test_texts_that_cannot_be_used_are_refused(prepared, tmp_path, texts, options, message):
    with pytest.raises(DataError) as caught:
        prepared(**texts, **options)
    assert str(caught.value).startswith(f"{tmp_path}/{message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "task.steps=0: must be at least 1"),
        ({"min_count": 0}, "task.min_count=0: must be at least 1"),
        ({"max_streams": 0}, "task.max_streams=0: must be at least 1"),
        (
            {"max_streams": 3, "carry": False},
            "task.max_streams=3: nothing is read in streams without task.carry, or with task.cold_eval",
        ),
        ({"max_vocab_size": 4}, "task.max_vocab_size=4: must be at least 5"),
        ({"sample_length": 0}, "task.sample_length=0: must be at least 1"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ConfigError) as caught:
        Text(**options)
    assert str(caught.value) == message


def test_the_loss_is_the_sum_over_what_is_asked_for(prepared):
    task = prepared()
    targets = torch.tensor([[4, 5, 4], [5, PAD, PAD]])
    batch = Batch(targets, torch.tensor([3, 1]), targets, torch.arange(2))
    outputs = torch.randn(2, 3, 6, generator=torch.Generator().manual_seed(0))
    chances = outputs.softmax(-1)
    expected = -sum(math.log(chances[at]) for at in [(0, 0, 4), (0, 1, 5), (0, 2, 4), (1, 0, 5)])
    assert float(task.loss(outputs, batch)) == pytest.approx(expected)
    assert task.loss(outputs.bfloat16(), batch).dtype == torch.float32
    assert task.count(batch) == 4
    assert math.isfinite(task.loss(outputs.where(targets.unsqueeze(-1) != PAD, math.inf), batch))


@pytest.mark.parametrize("level", ["characters", "words"])
def test_metrics_over_uneven_batches_are_those_of_the_whole(prepared, level):
    task = prepared("a b a b", val="a b a", level=level, min_count=1)
    size = task.spec.output.size
    outputs = torch.randn(2, 3, size, generator=torch.Generator().manual_seed(1))
    targets = torch.tensor([[4, 5, 4], [5, PAD, PAD]])
    metrics = task.metrics()
    for row, length in ((0, 3), (1, 1)):
        part = slice(row, row + 1)
        lengths = torch.tensor([length])
        task.score(metrics, outputs[part], Batch(targets[part], lengths, targets[part], torch.tensor([row])))
    real = targets != PAD
    nats = float(F.cross_entropy(outputs[real], targets[real]))
    expected = {
        "bits": pytest.approx(nats / math.log(2)),
        "accuracy": pytest.approx(float((outputs[real].argmax(-1) == targets[real]).float().mean())),
    }
    if level == "words":
        expected["perplexity"] = pytest.approx(math.exp(nats))
    assert {name: float(value) for name, value in metrics.compute().items()} == expected
    assert task.metric in metrics
    assert not task.higher_is_better


def test_the_baseline_is_what_frequencies_of_symbols_score(prepared):
    task = prepared("aaab" * 100, val="aab", test="ab")
    # Six ids: counts 0, 0, 0, 0, 300, 100, and one more of each.
    a, b = 301 / 406, 101 / 406
    scores = task.baseline()
    assert scores["bits"] == pytest.approx(-(math.log2(a) + math.log2(b)) / 2)
    assert scores["accuracy"] == 0.5
    # Pairs: aa 200, ab 100, ba 99; five symbols of the unigram distribution are added to each row.
    aa, ab = (200 + 5 * a) / 305, (100 + 5 * b) / 305
    assert scores["bits_bigram"] == pytest.approx(-(math.log2(aa) + math.log2(ab)) / 2)
    words = prepared("a b " * 100, val="a b a", level="words").baseline()
    assert words["perplexity"] == pytest.approx(2 ** words["bits"])


def test_pairs_are_not_counted_where_that_is_dear(prepared, monkeypatch):
    monkeypatch.setattr("seqtrain.tasks.language.language_modelling.MOST_BIGRAMS", 35)
    assert "bits_bigram" not in prepared().baseline()  # 6 ids have 36 pairs
    monkeypatch.setattr("seqtrain.tasks.language.language_modelling.MOST_BIGRAMS", 36)
    assert "bits_bigram" in prepared().baseline()


@pytest.mark.parametrize("level", ["characters", "words"])
def test_assets_read_and_write_text_without_the_data(prepared, level):
    task = prepared("so be it, so be it\n", val="so be", level=level, min_count=1)
    again = Text(level=level)
    again.restore(json.loads(json.dumps(task.assets())))
    assert again.spec.input == task.spec.input
    assert again.text_of(torch.from_numpy(again.ids_of("it, so"))) == "it, so"
    assert again.text_of(torch.tensor([4, PAD, PAD])) == again.vocabulary.words[0]
    with pytest.raises(CheckpointError, match=r"vocab\.json: is not of task\.level="):
        Text(level="words" if level == "characters" else "characters").restore(task.assets())
    with pytest.raises(CheckpointError, match="no vocabulary"):
        again.restore({"vocab.json": {"level": level}})


def samples(task, generated=True):
    for chunk in range(len(task.examples(Split.VAL))):
        batch = task.examples(Split.VAL).batch(np.array([chunk]), 0)
        outputs = torch.zeros(1, batch.inputs.shape[1], task.spec.output.size)
        yield Sample(batch, outputs, torch.tensor([[4, 5, 4, PAD]]) if generated else None, ())


def shown(task, generated=True):
    pictures = list(task.pictures(samples(task, generated)))
    return {picture.name: Picture.file(picture)[1] for picture in pictures}


def test_pictures_show_what_is_written_after_a_prompt_and_what_surprised(prepared):
    pictures = shown(prepared(val="abc```\n日\t" * 9, steps=5))
    assert "```text\nab<unk>" in pictures["samples"].decode()
    assert "The model goes on:\n\n```text\naba\n```" in pictures["samples"].decode()
    assert pictures["surprise"].startswith(b"\x89PNG")
    assert list(shown(prepared(), generated=False)) == ["surprise"]


def test_words_are_shown_too(prepared):
    pictures = shown(prepared("so be it\n" * 3, val="it be so\nso long\n" * 3, level="words"))
    assert "be" in pictures["samples"].decode()
