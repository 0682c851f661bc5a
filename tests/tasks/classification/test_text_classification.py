import json
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from seqtrain.batch import PAD, UNK, Batch
from seqtrain.errors import CheckpointError, ConfigError, DataError
from seqtrain.spec import Align, Symbols, TaskSpec
from seqtrain.tasks.classification.sources import Source
from seqtrain.tasks.classification.text_classification import TextClassification, TextOptions
from seqtrain.tasks.labelled_text import LabelledTexts
from seqtrain.tasks.task import Split

TRAIN = [("a good film", "pos"), ("Good , good", "pos"), ("a bad film !", "neg")]
VAL = [("a fine film", "neg"), ("good", "pos"), ("bad bad", "neg")]
TEST = [("unheard of", "pos")]


@dataclass(frozen=True)
class Given(Source):
    """Texts at hand, and a note of which were asked for."""

    splits: dict
    asked: list = field(default_factory=list)

    def check(self, data_dir):
        self.asked.append("check")

    def read(self, split, data_dir, seed):
        self.asked.append(split)
        return LabelledTexts(*map(list, zip(*self.splits[split], strict=True)))


@dataclass(eq=False)
class Chosen(TextClassification):
    given: Source = None
    reading: TextOptions = None

    def source(self):
        return self.given

    def text_options(self):
        return self.reading


def made(train=TRAIN, val=VAL, test=TEST, **options):
    return Chosen(Given({Split.TRAIN: train, Split.VAL: val, Split.TEST: test}), TextOptions(**options))


@pytest.fixture
def prepared(tmp_path):
    def prepare(*splits, seed=0, **options):
        task = made(*splits, **options)
        task.prepare(tmp_path, seed)
        return task

    return prepare


def everything(task, split, epoch=0):
    examples = task.examples(split)
    return examples.batch(np.arange(len(examples)), epoch)


def words(task, split):
    batch = everything(task, split)
    vocabulary = task.codes.vocabulary
    return [vocabulary.decode(row[:length]) for row, length in zip(batch.inputs.numpy(), batch.lengths, strict=True)]


def answers(targets):
    return Batch(
        torch.ones(len(targets), 1, dtype=torch.long),
        torch.ones(len(targets), dtype=torch.long),
        torch.tensor(targets),
        torch.arange(len(targets)),
    )


def test_the_outline_leaves_sizes_open_and_the_spec_fills_them(prepared):
    assert made().outline == TaskSpec(Symbols(), Symbols(), Align.WHOLE)
    task = prepared()
    assert task.codes.vocabulary.words == ("good", "a", "film", "!", ",", "bad")
    assert task.spec == TaskSpec(Symbols(10), Symbols(2), Align.WHOLE)


def test_a_batch_is_padded_and_keeps_its_order(prepared):
    batch = prepared().examples(Split.TRAIN).batch(np.array([2, 0]), 0)
    assert batch.inputs.tolist() == [[5, 9, 6, 7], [5, 4, 6, PAD]]
    assert batch.lengths.tolist() == [4, 3]
    assert batch.targets.tolist() == [0, 1]
    assert batch.indices.tolist() == [2, 0]
    assert batch.inputs.dtype == batch.lengths.dtype == batch.targets.dtype == torch.int64


def test_examples_tell_their_lengths(prepared):
    assert prepared().examples(Split.TRAIN).lengths.tolist() == [3, 3, 4]


def test_the_vocabulary_is_that_of_the_training_split(prepared):
    assert words(prepared(), Split.VAL) == [["a", "<unk>", "film"], ["good"], ["bad", "bad"]]
    assert words(prepared(), Split.TEST) == [["<unk>", "<unk>"]]


def test_the_test_split_is_read_when_first_asked_for_and_only_once(prepared):
    task = prepared()
    assert task.given.asked == ["check", Split.TRAIN, Split.VAL]
    assert task.examples(Split.TEST) is task.examples(Split.TEST)
    assert task.given.asked[3:] == [Split.TEST]


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["b", "c", "a"], ("a", "b", "c")),
        (["10", "9", "-1", "2.5"], ("-1", "2.5", "9", "10")),
        (["10", "9", "x"], ("10", "9", "x")),
        (["1", "nan", "0"], ("0", "1", "nan")),
        (["1.0", "1", "0"], ("0", "1", "1.0")),
        ([f"c{i:03}" for i in range(150)], tuple(f"c{i:03}" for i in range(150))),
    ],
)
def test_classes_are_the_labels_in_order(prepared, labels, classes):
    rows = [("a", label) for label in labels]
    task = prepared(rows, rows[:1], rows[:1])
    assert task.codes.classes == classes
    assert task.spec.output == Symbols(len(classes))
    assert everything(task, Split.TRAIN).targets.tolist() == [classes.index(label) for label in labels]


def test_one_class_is_nothing_to_learn(prepared):
    with pytest.raises(DataError, match="every example has the label 'pos'; there is nothing to learn"):
        prepared([("a", "pos"), ("b", "pos")])


def test_a_label_that_training_lacks_is_refused(prepared):
    message = "^generated text 1: label 'so so' is not in the training data, which has neg, pos$"
    with pytest.raises(DataError, match=message):
        prepared(TRAIN, [("a", "pos"), ("b", "so so")])
    task = prepared(TRAIN, VAL, [("a", "pos"), ("b", "so so")])
    with pytest.raises(DataError, match=message):
        task.examples(Split.TEST)


@pytest.mark.parametrize(
    ("options", "text", "expected"),
    [
        ({}, "Don't stop: well-made, isn\u2019t it?!", "don't stop : well-made , isn\u2019t it ? !"),
        ({}, "'quoted' (7.5) caf\u00e9 \u4e2d\u6587 :-)", "' quoted ' ( 7 . 5 ) caf\u00e9 \u4e2d\u6587 : - )"),
        ({"lowercase": False}, "So GOOD.", "So GOOD ."),
        ({"tokenizer": "whitespace"}, " Well-made,  \t isn't it? ", "well-made, isn't it?"),
    ],
)
def test_a_text_becomes_words(options, text, expected):
    assert TextOptions(**options).words(text) == expected.split()


def test_options_reach_the_vocabulary_and_the_texts(prepared):
    assert prepared(min_count=2).codes.vocabulary.words == ("good", "a", "film")
    assert prepared(max_vocab_size=5).codes.vocabulary.words == ("good",)
    assert "Good" in prepared(lowercase=False).codes.vocabulary.words
    task = prepared(max_length=1)
    assert words(task, Split.TRAIN) == [["a"], ["good"], ["a"]]
    assert words(task, Split.VAL) == [["a"], ["good"], ["<unk>"]]
    assert [note.split(" ", 1)[1] for note in task.notes()] == [
        "train texts are cut off after task.max_length=1 words",
        "val texts are cut off after task.max_length=1 words",
    ]
    assert prepared(max_length=99).notes() == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_count": 0}, "task.min_count=0: must be at least 1"),
        ({"max_vocab_size": 4}, "task.max_vocab_size=4: must be at least 5"),
        ({"max_length": 0}, "task.max_length=0: must be at least 1"),
        ({"word_dropout": 1.5}, "task.word_dropout=1.5: must be between 0 and 1"),
    ],
)
def test_an_option_beyond_its_limits_is_refused_by_name(options, message):
    with pytest.raises(ConfigError) as caught:
        TextOptions(**options)
    assert str(caught.value) == message


LONG = [("a b c d e f g h i j " * length, str(length % 2)) for length in range(1, 9)]


def test_word_dropout_does_not_depend_on_the_batch(prepared):
    examples = prepared(LONG, LONG, LONG, word_dropout=0.3).examples(Split.TRAIN)
    whole = examples.batch(np.arange(8), 1)
    for index, row, length in zip(range(8), whole.inputs, whole.lengths, strict=True):
        alone = examples.batch(np.array([index]), 1)
        assert torch.equal(alone.inputs[0], row[:length])


def test_word_dropout_replaces_its_share_of_words_anew_in_each_epoch(prepared):
    task = prepared(LONG, LONG, LONG, word_dropout=0.3)
    plain = everything(prepared(LONG, LONG, LONG), Split.TRAIN).inputs
    drawn = [everything(task, Split.TRAIN, epoch).inputs for epoch in range(20)]
    assert torch.equal(drawn[3], everything(task, Split.TRAIN, 3).inputs)
    assert not torch.equal(drawn[3], drawn[4])
    assert all(((inputs == plain) | (inputs == UNK)).all() for inputs in drawn)
    share = torch.stack(drawn)[:, plain != PAD].eq(UNK).float().mean()
    assert float(share) == pytest.approx(0.3, abs=0.03)


def test_word_dropout_leaves_padding_alone_and_follows_the_seed(prepared):
    one, other = (everything(prepared(LONG, LONG, LONG, seed=s, word_dropout=0.5), Split.TRAIN) for s in (0, 1))
    assert not torch.equal(one.inputs, other.inputs)
    beyond = torch.arange(one.inputs.shape[1]) >= one.lengths.unsqueeze(1)
    assert (one.inputs[beyond] == PAD).all()


def test_nothing_is_dropped_in_validation_and_test(prepared):
    task = prepared(LONG, LONG, LONG, word_dropout=1.0)
    assert (everything(task, Split.TRAIN).inputs <= UNK).all()
    for split in (Split.VAL, Split.TEST):
        assert not (everything(task, split).inputs == UNK).any()


def test_the_loss_is_the_sum_of_cross_entropies(prepared):
    task = prepared()
    outputs = torch.tensor([[0.0, 0.0], [0.0, np.log(3.0)]])
    batch = answers([1, 0])
    assert float(task.loss(outputs, batch)) == pytest.approx(np.log(2) + np.log(4))
    assert task.loss(outputs.bfloat16(), batch).dtype == torch.float32
    assert task.count(batch) == 2


def test_metrics_over_uneven_batches_are_those_of_the_whole(prepared):
    rows = [("a", label) for label in "xyz"]
    task = prepared(rows, rows, rows)
    metrics = task.metrics()
    logits = torch.eye(3)
    # Truth x x x y, z; answers x x y y, x.
    task.score(metrics, logits[[0, 0, 1, 1]], answers([0, 0, 0, 1]))
    task.score(metrics, logits[[0]], answers([2]))
    # F1 is 2 TP / (2 TP + FP + FN): x 4 / (4 + 1 + 1), y 2 / (2 + 1 + 0), z 0.
    assert {name: float(value) for name, value in metrics.compute().items()} == {
        "accuracy": pytest.approx(3 / 5),
        "f1": pytest.approx((2 / 3 + 2 / 3 + 0) / 3),
    }
    assert task.metric in metrics
    assert task.higher_is_better


def test_the_baseline_answers_with_the_most_frequent_training_class(prepared):
    # Training has two "pos" of three; one of three validation texts is "pos": F1 is 2 / (2 + 2) for it, 0 for "neg".
    assert prepared().baseline() == {"accuracy": pytest.approx(1 / 3), "f1": pytest.approx(0.25)}


def test_assets_read_new_text_without_the_data(prepared):
    task = prepared()
    again = made()
    again.restore(json.loads(json.dumps(task.assets())))
    assert again.spec == task.spec
    assert again.codes.classes == ("neg", "pos")
    assert again.codes.vocabulary.words == task.codes.vocabulary.words
    assert again.given.asked == []


@pytest.mark.parametrize("broken", ["vocab.json", "classes.json"])
def test_broken_assets_are_refused(prepared, broken):
    assets = prepared().assets()
    with pytest.raises(CheckpointError):
        made().restore({**assets, broken: {"words": 3}})
