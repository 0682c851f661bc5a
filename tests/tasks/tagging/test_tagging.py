import itertools

import numpy as np
import pytest
import torch

from seqtrain.batch import PAD, UNK
from seqtrain.errors import CheckpointError, DataError
from seqtrain.spec import Align, Spelt, Symbols, TaskSpec
from seqtrain.tasks import NER, Split
from seqtrain.tasks.tagging.examples import LETTERS, UNSCORED
from seqtrain.tasks.task import Sample

TRAIN = """Ann B-person
Lee I-person
met O
Bo B-person
. O

In O
Bath B-place
, O
Ann B-person
met O
Ann B-person

Bath B-place
20 O
"""
VAL = """Ann B-person
met O
Zoë B-person
Bath I-person

Bath O
"""


@pytest.fixture
def prepared(tmp_path):
    def prepare(train=TRAIN, val=VAL, **options):
        for name, content in (("train", train), ("val", val), ("test", val)):
            (tmp_path / name).write_text(content, encoding="utf-8")
        options = {"word_dropout": 0.0, "characters": False, **options}
        paths = {"path": tmp_path / "train", "val_path": tmp_path / "val", "test_path": tmp_path / "test"}
        task = NER(**paths, **options)
        task.prepare(tmp_path, 0)
        return task

    return prepare


def batch_of(task, split=Split.TRAIN, epoch=0):
    examples = task.examples(split)
    return examples.batch(np.arange(len(examples)), epoch)


def words_of(task, split=Split.TRAIN):
    batch = batch_of(task, split)
    ids = batch.inputs if batch.inputs.dim() == 2 else batch.inputs[:, :, 0]
    rows = zip(ids, batch.lengths, strict=True)
    return [task.codes.vocabulary.decode(row[:length].numpy()) for row, length in rows]


def random_outputs(task, batch):
    size = task.spec.output.size
    torch.manual_seed(0)
    return torch.randn(*batch.targets.shape, size)


def test_words_and_tags_become_padded_ids(prepared):
    task = prepared()
    assert task.spec == TaskSpec(Symbols(4 + 9), Symbols(5), Align.EACH)
    assert task.codes.types == ("person", "place")
    batch = batch_of(task)
    assert batch.lengths.tolist() == [5, 6, 2]
    assert words_of(task)[1] == ["In", "Bath", ",", "Ann", "met", "Ann"]
    assert batch.targets.tolist() == [
        [1, 2, 0, 1, 0, UNSCORED],
        [0, 3, 0, 1, 0, 1],
        [3, 0, UNSCORED, UNSCORED, UNSCORED, UNSCORED],
    ]
    assert (batch.inputs[0, 5:] == PAD).all()
    assert task.count(batch) == 13


def test_outlines_need_no_data():
    assert NER(characters=False).outline == TaskSpec(Symbols(), Symbols(), Align.EACH)
    assert NER(characters=True, crf=True).outline == TaskSpec(Spelt(), Symbols(chained=True), Align.EACH)


def test_what_training_lacks_is_unknown(prepared):
    assert words_of(prepared(), Split.VAL) == [["Ann", "met", "<unk>", "Bath"], ["Bath"]]
    assert words_of(prepared(min_count=2), Split.VAL) == [["Ann", "met", "<unk>", "Bath"], ["Bath"]]
    assert prepared(min_count=3).codes.vocabulary.words == ("Ann",)
    assert prepared(max_vocab_size=6).codes.vocabulary.words == ("Ann", "Bath")


def test_words_are_looked_up_without_case_and_digits_where_asked(prepared):
    task = prepared(lowercase=True, digits_to_zero=True, characters=True)
    assert {"ann", "bath", "00"} <= set(task.codes.vocabulary.words)
    assert {"A", "2"} <= set(task.codes.letters.words)
    assert "0" in task.codes.letters.words
    assert "00" not in prepared(lowercase=True).codes.vocabulary.words


def test_only_training_sentences_are_cut_off(prepared):
    task = prepared(max_length=3)
    assert task.examples(Split.TRAIN).lengths.tolist() == [3, 3, 2]
    assert batch_of(task).targets[0].tolist() == [1, 2, 0]
    assert task.examples(Split.VAL).lengths.tolist() == [4, 1]
    assert len(task.notes()) == 1
    assert task.notes()[0].endswith(" train sentences are cut off after task.max_length=3 words")


def test_words_are_dropped_in_training_anew_in_each_epoch_but_their_letters_stay(prepared):
    task, whole = prepared(word_dropout=0.5, characters=True), prepared(characters=True)
    first, again, second = batch_of(task), batch_of(task), batch_of(task, epoch=1)
    assert torch.equal(first.inputs, again.inputs)
    assert not torch.equal(first.inputs, second.inputs)
    expected = batch_of(whole)
    dropped = first.inputs[:, :, 0] != expected.inputs[:, :, 0]
    assert dropped.any()
    assert (first.inputs[:, :, 0][dropped] == UNK).all()
    assert not dropped[expected.targets == UNSCORED].any()
    assert torch.equal(first.inputs[:, :, 1:], expected.inputs[:, :, 1:])
    assert torch.equal(batch_of(task, Split.VAL).inputs, batch_of(whole, Split.VAL).inputs)


def test_a_word_travels_with_its_letters(prepared):
    long = "a" * 15 + "b" * 15
    task = prepared(train=TRAIN + f"\n{long} O\n", characters=True)
    assert task.spec.input == Spelt(4 + 10, len(task.codes.letters))
    inputs = task.examples(Split.TRAIN).batch(np.array([0, 2]), 0).inputs
    assert inputs.shape == (2, 5, 1 + len("Bath"))
    spelt = [[task.codes.letters.decode(word[word > 0].numpy()) for word in sentence[:, 1:]] for sentence in inputs]
    assert spelt[0] == [list("Ann"), list("Lee"), list("met"), list("Bo"), list(".")]
    assert spelt[1] == [list("Bath"), list("20"), [], [], []]
    inputs = task.examples(Split.TRAIN).batch(np.array([3]), 0).inputs
    assert task.codes.letters.decode(inputs[0, 0, 1:].numpy()) == list("a" * 10 + "b" * 10)
    assert inputs.shape == (1, 1, 1 + LETTERS)
    assert "ë" not in task.codes.letters.words
    assert (task.examples(Split.VAL).batch(np.array([0]), 0).inputs[0, 2, 1:] == UNK).sum() == 2  # Z and ë


def test_the_loss_is_the_sum_over_real_words(prepared):
    task = prepared()
    batch = batch_of(task)
    outputs = random_outputs(task, batch)
    expected = sum(
        -outputs[b, t].log_softmax(0)[batch.targets[b, t]]
        for b, length in enumerate(batch.lengths.tolist())
        for t in range(length)
    )
    torch.testing.assert_close(task.loss(outputs, batch), expected)


def test_a_chain_of_tags_that_do_not_depend_on_one_another_is_the_same(prepared):
    task = prepared(crf=True)
    batch = batch_of(task)
    outputs = random_outputs(task, batch)
    chained = outputs.unsqueeze(2).expand(-1, -1, 5, -1)
    assert task.spec.output == Symbols(5, chained=True)
    torch.testing.assert_close(task.loss(chained, batch), prepared().loss(outputs, batch))
    free = prepared(crf=True, constrained=False)
    real = batch.targets != UNSCORED
    assert torch.equal(free.answers(chained, batch.lengths)[real], outputs.argmax(2)[real])
    assert torch.equal(task.answers(chained, batch.lengths)[real], prepared().answers(outputs, batch.lengths)[real])


@pytest.mark.parametrize("crf", [False, True])
def test_only_legal_sequences_are_answered_where_asked(prepared, crf):
    illegal = {}
    for constrained in (False, True):
        task = prepared(crf=crf, constrained=constrained)
        batch = batch_of(task)
        outputs = random_outputs(task, batch)
        outputs = outputs.unsqueeze(2).expand(-1, -1, 5, -1) if crf else outputs
        found = 0
        for row, length in zip(task.answers(outputs, batch.lengths).tolist(), batch.lengths, strict=True):
            for before, tag in itertools.pairwise([0, *row[:length]]):
                found += tag in (2, 4) and before not in (tag, tag - 1)
        illegal[constrained] = found
    assert illegal[False] > 0
    assert illegal[True] == 0


def test_scores_are_over_entities(prepared):
    task = prepared()
    batch = batch_of(task, Split.VAL)
    metrics = task.metrics()
    answers = torch.tensor([[1, 0, 1, 0], [0, 0, 0, 0]])  # Zoë without her surname
    outputs = torch.nn.functional.one_hot(answers, 5).float()
    task.score(metrics, outputs, batch)
    assert {name: float(value) for name, value in metrics.compute().items()} == pytest.approx(
        {"f1": 0.5, "precision": 0.5, "recall": 0.5, "accuracy": 0.8}
    )
    assert task.metric in metrics.compute()


def test_the_baseline_is_each_words_most_frequent_tag(prepared):
    # Ann: B-person; met: O; Zoë, unknown: O; Bath: B-place, twice where it is no place.
    assert prepared().baseline() == pytest.approx({"f1": 2 / 5, "precision": 1 / 3, "recall": 1 / 2, "accuracy": 2 / 5})


@pytest.mark.parametrize("characters", [False, True])
def test_what_reading_needs_is_kept(prepared, characters):
    task = prepared(characters=characters)
    assets = task.assets()
    assert set(assets) == {"vocab.json", "types.json"} | ({"letters.json"} if characters else set())
    restored = NER(path=task.path, characters=characters)
    restored.restore(assets)
    assert restored.spec == task.spec


@pytest.mark.parametrize("broken", [{"types.json": None}, {"types.json": [1]}, {"letters.json": None}])
def test_broken_assets_are_refused(prepared, broken):
    task = prepared(characters=True)
    with pytest.raises(CheckpointError):
        NER(characters=True).restore(task.assets() | broken)


def test_a_type_that_training_lacks_is_told_with_its_line(prepared, tmp_path):
    with pytest.raises(DataError) as caught:
        prepared(val="a O\n\nb O\nc B-ship\n")
    assert str(caught.value) == (
        f"{tmp_path / 'val'}, line 4: tag 'B-ship' is of a type that is not in the training data, "
        "which has person, place"
    )


def test_an_inside_tag_that_training_lacks_is_known_by_its_type(prepared):
    task = prepared(train="a B-x\nb O\n", val="a B-x\nb I-x\n")
    assert batch_of(task, Split.VAL).targets.tolist() == [[1, 2]]


def test_without_entities_there_is_nothing_to_learn(prepared, tmp_path):
    with pytest.raises(DataError) as caught:
        prepared(train="a O\n\nb O\n")
    assert str(caught.value) == f"{tmp_path / 'train'}: every tag is O; there is no entity to learn from"


def test_pictures_show_sentences_and_which_types_are_taken_for_which(prepared):
    task = prepared()
    batch = batch_of(task, Split.VAL)
    answers = torch.tensor([[3, 0, 1, 0], [3, 0, 0, 0]])
    outputs = torch.nn.functional.one_hot(answers, 5).float()
    pictures = {each.name: each for each in task.pictures([Sample(batch, outputs, None, ())])}
    assert list(pictures) == ["sentences", "confusion"]
    texts = {text.get_text() for text in pictures["sentences"].content.axes[0].texts}
    assert {"person", "place", "Ann", "Zoë Bath", "truth", "answer"} <= texts
    cells = [text.get_text() for text in pictures["confusion"].content.axes[0].texts]
    # Rows person, place, none: Ann was taken for a place, Zoë Bath was missed; Zoë and the last Bath were made up.
    assert cells == ["0", "1", "1", "0", "0", "0", "1", "1", "0"]
    assert all(each.file()[1].startswith(b"\x89PNG") for each in pictures.values())


def test_pictures_without_entities_are_fewer(prepared):
    task = prepared(val="a O\n")
    batch = batch_of(task, Split.VAL)
    outputs = torch.nn.functional.one_hot(torch.zeros(1, 1, dtype=torch.long), 5).float()
    assert [each.name for each in task.pictures([Sample(batch, outputs, None, ())])] == ["confusion"]


def test_signs_that_the_font_lacks_and_formulas_are_drawn_as_they_can_be(prepared):
    task = prepared(val="Ann B-person\n\U0001f61c O\n$x$ O\n")
    batch = batch_of(task, Split.VAL)
    outputs = torch.nn.functional.one_hot(torch.tensor([[1, 0, 0]]), 5).float()
    picture = next(task.pictures([Sample(batch, outputs, None, ())]))
    assert [text.get_text() for text in picture.content.axes[0].texts][:3] == ["Ann", "\u25a1", r"\$x\$"]
    picture.file()  # would warn
