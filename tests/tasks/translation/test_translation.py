import json
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from seqtrain.batch import EOS, PAD
from seqtrain.errors import CheckpointError, ConfigError, DataError
from seqtrain.spec import Align, Symbols, TaskSpec
from seqtrain.tasks import Split, Translation
from seqtrain.tasks.task import Sample
from seqtrain.tasks.translation.codecs import CodecOptions
from seqtrain.tasks.translation.pairs import TextPairs
from seqtrain.tasks.translation.sources import PairSource
from seqtrain.tasks.translation.translation_task import TranslationTask

TRAIN = [("ein Hund rennt .", "A dog runs ."), ("zwei Hunde", "two dogs run there , see !"), ("ein Haus", "A house .")]
VAL = [("ein Hund", "A dog ."), ("zwei Katzen rennen da", "Two cats run there"), ("Haus", "house")]
TEST = [("unbekannt", "unknown")]


@dataclass(frozen=True)
class Given(PairSource):
    """Pairs at hand, and a note of which were asked for."""

    splits: dict
    asked: list = field(default_factory=list)

    def check(self, data_dir):
        self.asked.append("check")

    def read(self, split, data_dir, seed):
        self.asked.append(split)
        return TextPairs(*map(list, zip(*self.splits[split], strict=True)))


@dataclass(eq=False)
class Chosen(TranslationTask):
    given: PairSource = None
    reading: CodecOptions = None
    limit: int | None = None
    by: str = "bleu"

    @property
    def metric(self):
        return self.by

    def pair_source(self):
        return self.given

    def codec_options(self):
        return self.reading

    def longest(self):
        return self.limit


def made(train=TRAIN, val=VAL, test=TEST, limit=None, by="bleu", **options):
    return Chosen(Given({Split.TRAIN: train, Split.VAL: val, Split.TEST: test}), CodecOptions(**options), limit, by)


@pytest.fixture
def prepared(tmp_path):
    def prepare(*splits, **options):
        task = made(*splits, **options)
        task.prepare(tmp_path, 0)
        return task

    return prepare


def everything(task, split=Split.VAL):
    examples = task.examples(split)
    return examples.batch(np.arange(len(examples)), 0)


def certain(task, ids):
    """Logits that are nearly sure of these ids."""
    return 30 * torch.nn.functional.one_hot(ids, task.spec.output.size).float()


def test_the_outline_leaves_sizes_open_and_the_spec_fills_them(prepared):
    assert made().outline == TaskSpec(Symbols(), Symbols(), Align.FREE)
    # ein Hund rennt . zwei Hunde Haus / A . dog runs two dogs run there , see ! house, and the four special symbols.
    # The longest target has seven words and its end.
    assert prepared().spec == TaskSpec(Symbols(7 + 4), Symbols(12 + 4), Align.FREE, horizon=8)


def test_targets_end_and_are_padded(prepared):
    task = prepared()
    batch = task.examples(Split.TRAIN).batch(np.array([2, 1]), 0)
    assert batch.indices.tolist() == [2, 1]
    assert batch.lengths.tolist() == [2, 2]
    assert batch.target_lengths.tolist() == [4, 8]
    assert batch.targets[0].tolist()[3:] == [EOS, PAD, PAD, PAD, PAD]
    assert batch.targets[1].tolist()[7] == EOS
    assert task.codes.target.symbols(batch.targets[0, :3].numpy()) == ["A", "house", "."]
    assert task.codes.source.text(batch.inputs[0].numpy()) == "ein Haus"
    assert batch.references == ("A house .", "two dogs run there , see !")
    assert {each.dtype for each in (batch.inputs, batch.lengths, batch.targets, batch.target_lengths)} == {torch.int64}
    assert task.count(batch) == 12


def test_a_batch_keeps_its_references_on_its_way(prepared):
    batch = everything(prepared())
    assert batch.to(torch.device("cpu")).references == tuple(target for _, target in VAL)


def test_examples_tell_both_lengths(prepared):
    assert prepared().examples(Split.TRAIN).lengths.tolist() == [[4, 5], [2, 8], [2, 4]]


def test_the_test_split_is_read_when_first_asked_for_and_only_once(prepared):
    task = prepared()
    assert task.given.asked == ["check", Split.TRAIN, Split.VAL]
    assert task.examples(Split.TEST) is task.examples(Split.TEST)
    assert task.given.asked[3:] == [Split.TEST]


def test_longer_pairs_are_not_trained_on_and_longer_sources_are_cut(prepared):
    task = prepared(limit=3)
    assert [len(task.examples(split)) for split in (Split.TRAIN, Split.VAL)] == [1, 3]
    assert task.spec.horizon == 4
    assert everything(task).lengths.tolist() == [2, 3, 1]
    assert everything(task).target_lengths.tolist() == [4, 5, 2]
    with pytest.raises(DataError, match=r"^task\.max_length=1: every pair of the training data is longer$"):
        prepared(limit=1)
    with pytest.raises(ConfigError, match=r"^task\.max_length=0: must be at least 1$"):
        made(limit=0)


def test_the_loss_sums_over_real_steps_only(prepared):
    task = prepared()
    batch = everything(task)
    logits = torch.zeros(3, 5, 16)
    assert float(task.loss(logits, batch)) == pytest.approx(task.count(batch) * math.log(16))
    logits[batch.targets == PAD] = torch.randn(16)
    assert float(task.loss(logits, batch)) == pytest.approx(task.count(batch) * math.log(16), rel=1e-5)
    assert task.count(batch) == 4 + 5 + 2
    assert task.loss(logits.bfloat16(), batch).dtype == torch.float32


def scored(task, generated, outputs, batches):
    metrics = task.metrics()
    for part in batches:
        batch = task.examples(Split.VAL).batch(np.array(part), 0)
        rows = np.array(part)
        steps = batch.targets.shape[1]
        task.score(metrics, outputs[rows, :steps], batch, generated[rows])
    return {name: float(value) for name, value in metrics.compute().items()}


def test_metrics_over_uneven_batches_are_those_of_the_whole(prepared):
    task = prepared()
    batch = everything(task)
    generated = torch.nn.functional.pad(batch.targets, (0, 2))
    generated[0, 1] = generated[1, 3]  # "A there ."
    outputs = certain(task, batch.targets)
    outputs[2, 0] = 0  # wavers between 16 symbols
    whole = scored(task, generated, outputs, [[0, 1, 2]])
    for parts in ([[0], [1, 2]], [[2], [1], [0]]):
        assert scored(task, generated, outputs, parts) == pytest.approx(whole, rel=1e-5)
    assert whole["token_accuracy"] == pytest.approx(10 / 11)
    assert whole["perplexity"] == pytest.approx(16 ** (1 / 11), rel=1e-5)
    assert set(whole) == {"bleu", "bleu_tok", "perplexity", "token_accuracy"}
    assert task.metric in whole
    assert task.higher_is_better


def test_bleu_compares_with_the_texts_and_not_with_what_is_known_of_them(prepared):
    known = [("ein Hund rennt", "A dog runs there .")]
    unknown = [("ein Hund rennt", "A cat runs there .")]
    assert scored_alike(prepared(TRAIN, known))["bleu"] == pytest.approx(100)
    assert scored_alike(prepared(TRAIN, unknown))["bleu"] < 50


def scored_alike(task):
    """What an answer scores whose ids are the reference's."""
    batch = everything(task)
    return scored(task, batch.targets, certain(task, batch.targets), [list(range(len(batch)))])


def test_tokenised_bleu_knows_no_capitals(prepared):
    task = prepared([("a", "the dog runs there ."), ("a", "The")], [("a", "The dog runs there .")])
    target = task.codes.target.encode(["the dog runs there ."])[0]
    batch = everything(task)
    values = scored(task, torch.from_numpy(target)[None], certain(task, batch.targets), [[0]])
    assert values["bleu_tok"] == pytest.approx(100)
    assert values["bleu"] < 90


def test_accuracy_is_to_the_letter(prepared):
    task = prepared(TRAIN, TRAIN, by="accuracy", level="characters")
    batch = everything(task)
    generated = batch.targets.clone()
    assert scored(task, generated, certain(task, batch.targets), [[0, 1, 2]])["accuracy"] == 1
    generated[0, 0] += 1
    values = scored(task, generated, certain(task, batch.targets), [[0], [1, 2]])
    assert values["accuracy"] == pytest.approx(2 / 3)
    assert set(values) == {"accuracy", "perplexity", "token_accuracy"}


def test_accuracy_in_small_letters_asks_for_no_capitals(prepared):
    task = prepared(TRAIN, TRAIN, by="accuracy", level="characters", lowercase=True)
    batch = everything(task)
    assert scored(task, batch.targets, certain(task, batch.targets), [[0, 1, 2]])["accuracy"] == 1


def test_the_baseline_copies_the_source_and_knows_frequencies(prepared):
    same = [("A dog runs .", "A dog runs .")] * 2 + [("a", "b b")]
    baseline = prepared(same, same).baseline()
    assert baseline["bleu"] > 80
    # Symbols and ends: A dog runs . EOS twice, b b EOS: 13, of which EOS is the most frequent with 3.
    assert baseline["token_accuracy"] == pytest.approx(3 / 13)
    # Known are <pad> <unk> <bos> <eos> A dog runs . b; one more of each is thought of.
    rates = {"EOS": 4 / 22, "b": 3 / 22, "other": 3 / 22}
    nats = -(3 * math.log(rates["EOS"]) + 2 * math.log(rates["b"]) + 8 * math.log(rates["other"]))
    assert baseline["perplexity"] == pytest.approx(math.exp(nats / 13), rel=1e-5)


def test_the_baseline_of_accuracy_is_the_better_of_copy_and_habit(prepared):
    rows = [("x", "y"), ("z", "y"), ("u", "v")]
    assert prepared(rows, rows, by="accuracy").baseline()["accuracy"] == pytest.approx(2 / 3)
    rows = [("x", "x"), ("z", "z"), ("u", "v")]
    assert prepared(rows, rows, by="accuracy").baseline()["accuracy"] == pytest.approx(2 / 3)


def sample(task, indices, attention=True, heads=2):
    batch = task.examples(Split.VAL).batch(np.array(indices), 0)
    rows, columns = batch.targets.shape[1], batch.inputs.shape[1]
    weights = torch.rand(len(indices), heads, rows, columns)
    return Sample(batch, certain(task, batch.targets), batch.targets, (weights,) if attention else ())


def test_pictures_show_translations_and_attention(prepared):
    task = prepared(TRAIN, [*VAL, ("ein | Hund", "a | dog")])
    pictures = {picture.name: picture for picture in task.pictures(sample(task, part) for part in ([1, 0], [2], [3]))}
    assert list(pictures) == ["translations", "attention-1", "attention-2", "attention-3"]
    lines = pictures["translations"].content.splitlines()
    assert lines[0] == "| source | reference | answer |"
    unknown = "&lt;unk&gt;"  # a browser would take it for a tag
    assert lines[2] == f"| zwei {unknown} {unknown} {unknown} | Two cats run there | {unknown} {unknown} run there |"
    assert lines[4].split(" | ")[1] == "a &#124; dog"
    axes = pictures["attention-1"].content.axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["zwei", "<unk>", "<unk>", "<unk>"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["<unk>", "<unk>", "run", "there", "<eos>"]
    assert isinstance(pictures["attention-3"].content, Figure)


def test_attention_of_an_encoder_asks_from_the_source(prepared):
    task = prepared()
    shown = sample(task, [1])
    weights = torch.rand(1, 1, 4, 4)
    pictures = list(task.pictures([Sample(shown.batch, shown.outputs, shown.generated, (weights,))]))
    rows = pictures[1].content.axes[0].get_yticklabels()
    assert [label.get_text() for label in rows] == ["zwei", "<unk>", "<unk>", "<unk>"]


def test_without_attention_there_is_no_map_and_no_more_is_answered_than_is_shown(prepared):
    task = prepared()
    taken = []

    def answers():
        for _ in range(100):
            taken.append(1)
            yield sample(task, [0], attention=False)

    assert [picture.name for picture in task.pictures(answers())] == ["translations"]
    assert len(taken) == 12


def test_assets_read_new_text_without_the_data(prepared):
    task = prepared(lowercase=True)
    again = made()
    again.restore(json.loads(json.dumps(task.assets())))
    assert again.spec == task.spec
    assert again.codes.target.encode(["A dog"])[0].tolist() == task.codes.target.encode(["a dog"])[0].tolist()
    assert again.given.asked == []


@pytest.mark.parametrize("broken", [{}, {"vocab.json": 3}, {"vocab.json": {"source": {}, "target": {}, "horizon": 3}}])
def test_broken_assets_are_refused(broken):
    with pytest.raises(CheckpointError):
        made().restore(broken)


# ---------------------------------------------------------------- the word


def test_by_default_dates_are_read_by_characters(tmp_path):
    task = Translation(train_size=50, val_size=20, test_size=10)
    task.prepare(tmp_path, 0)
    assert task.metric == "accuracy"
    assert task.spec.horizon == 22
    assert set(task.codes.target.symbols(np.arange(4, task.spec.output.size))) == set("0123456789- ")
    assert [len(task.examples(split)) for split in Split] == [50, 20, 10]
    assert task.baseline()["accuracy"] == 0


def test_the_seed_decides_what_is_generated(tmp_path):
    tasks = [Translation(train_size=50, val_size=20) for _ in range(3)]
    for task, seed in zip(tasks, (0, 0, 1), strict=True):
        task.prepare(tmp_path, seed)
    first, again, other = (task.examples(Split.VAL).pairs.sources for task in tasks)
    assert first == again
    assert first != other


def test_letters_can_be_reversed(tmp_path):
    task = Translation(kind="reverse", length=5, train_size=20, val_size=5)
    task.prepare(tmp_path, 0)
    pairs = task.examples(Split.VAL).pairs
    assert [source[::-1] for source in pairs.sources] == pairs.targets


@pytest.fixture
def own(tmp_path):
    (tmp_path / "a.de").write_text("".join(f"Satz {i} .\n" for i in range(20)))
    (tmp_path / "a.en").write_text("".join(f"Line {i} .\n" for i in range(20)))
    return {"path": tmp_path / "a.de", "target_path": tmp_path / "a.en"}


def test_own_files_are_read_by_words_and_measured_by_bleu(own, tmp_path):
    task = Translation(**own, lowercase=True)
    task.prepare(tmp_path, 0)
    assert task.metric == "bleu"
    assert task.codes.source.symbols(everything(task).inputs[0].numpy())[0] == "satz"
    assert task.codes.target.text(everything(task).targets[0].numpy())[:4] == "Line"


def test_other_levels_measures_and_limits_can_be_had(own, tmp_path):
    task = Translation(**own, level="characters", measure="accuracy", max_length=8, max_vocab_size=9, min_count=2)
    task.prepare(tmp_path, 0)
    assert task.metric == "accuracy"
    assert task.spec.input == Symbols(9)
    assert task.examples(Split.TRAIN).lengths.max() <= 9
    task = Translation(measure="bleu", level="words", train_size=20, val_size=5)
    task.prepare(tmp_path, 0)
    assert "bleu" in task.baseline()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target_path": "b"}, "task.target_path=b: is about files, and needs task.path"),
        ({"val_fraction": 0.5}, "task.val_fraction=0.5: is about files, and needs task.path"),
        ({"path": "a"}, "task.path=a: needs task.target_path, the file with the translation of each line"),
        (
            {"path": "a", "target_path": "b", "kind": "dates"},
            "task.kind=dates: is about generated pairs, but task.path=a is a file",
        ),
        (
            {"path": "a", "target_path": "b", "length": 2},
            "task.length=2: is about generated pairs, but task.path=a is a file",
        ),
    ],
)
def test_an_option_of_the_other_kind_of_data_is_refused(options, message):
    paths = {name: Path(value) if name.endswith("path") else value for name, value in options.items()}
    with pytest.raises(ConfigError) as caught:
        Translation(**paths)
    assert str(caught.value) == message


def test_ten_thousand_pairs_hold_no_text_twice_too_often(tmp_path):
    task = Translation()
    task.prepare(tmp_path, 0)
    train, val = (task.examples(split).pairs.sources for split in (Split.TRAIN, Split.VAL))
    assert len(set(val) & set(train)) < 0.1 * len(val)
    assert len(set(train)) > 0.95 * len(train)
