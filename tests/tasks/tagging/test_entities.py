import numpy as np
import pytest
import torch
from seqeval.metrics import classification_report
from seqeval.scheme import IOB2

from seqtrain.tasks.tagging.entities import spans
from seqtrain.tasks.tagging.scores import TaggingScores
from seqtrain.tasks.tagging.tags import names

TYPES = ["person", "place", "thing"]
NAMES = names(TYPES)


def test_an_entity_is_a_beginning_and_what_goes_on_with_it_at_once():
    written = ["B-person", "I-person", "I-place", "O", "I-person", "B-place", "B-place", "I-place", "I-place"]
    ids = torch.tensor([[NAMES.index(tag) for tag in written]])
    found = spans(ids, torch.ones_like(ids, dtype=torch.bool))
    starts = torch.nonzero(found.begins[0]).squeeze(1)
    assert [(int(s), int(found.ends[0, s]), TYPES[found.types[0, s]]) for s in starts] == [
        (0, 2, "person"),
        (5, 6, "place"),
        (6, 9, "place"),
    ]


def test_an_entity_ends_with_its_sentence():
    ids = torch.tensor([[1, 2, 2, 2], [0, 3, 4, 4]])
    found = spans(ids, torch.tensor([[True, True, False, False], [True, True, True, True]]))
    assert found.ends[0, 0] == 2
    assert found.ends[1, 1] == 4


def tags_at_random(rng, lengths):
    """Tags that make sense often, and often don't."""
    ids = rng.integers(0, len(NAMES), (len(lengths), max(lengths)))
    repeat = rng.random(ids.shape) < 0.4
    for step in range(1, ids.shape[1]):
        inside = np.where(ids[:, step - 1] > 0, (ids[:, step - 1] + 1) // 2 * 2, ids[:, step - 1])
        ids[:, step] = np.where(repeat[:, step], inside, ids[:, step])
    return torch.from_numpy(ids)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.parametrize("seed", range(5))
def test_scores_are_those_of_seqeval_over_any_batches(seed):
    rng = np.random.default_rng(seed)
    truths, answers, metric = [], [], TaggingScores()
    right = 0
    for _ in range(4):
        lengths = rng.integers(1, 15, rng.integers(1, 9))
        truth = tags_at_random(rng, lengths)
        answer = torch.where(torch.from_numpy(rng.random(truth.shape) < 0.7), truth, tags_at_random(rng, lengths))
        metric.update(answer, truth, torch.from_numpy(lengths))
        for found, ids in ((truths, truth), (answers, answer)):
            found += [[NAMES[i] for i in row[:length]] for row, length in zip(ids.tolist(), lengths, strict=True)]
    report = classification_report(truths, answers, mode="strict", scheme=IOB2, output_dict=True, zero_division=0)
    right = [a == b for left, other in zip(truths, answers, strict=True) for a, b in zip(left, other, strict=True)]
    ours = {name: float(value) for name, value in metric.compute().items()}
    assert 0.1 < ours["f1"] < 0.9
    assert ours == pytest.approx(
        {
            "f1": report["micro avg"]["f1-score"],
            "precision": report["micro avg"]["precision"],
            "recall": report["micro avg"]["recall"],
            "accuracy": np.mean(right),
        }
    )


def test_without_entities_scores_are_zero():
    metric = TaggingScores()
    none = torch.zeros(2, 3, dtype=torch.long)
    metric.update(none, none, torch.tensor([3, 1]))
    assert {name: float(value) for name, value in metric.compute().items()} == {
        "f1": 0,
        "precision": 0,
        "recall": 0,
        "accuracy": 1,
    }
