from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from seqtrain.logs.gallery import gallery, graph_batch, pictures_due, vectors
from seqtrain.models import RecurrentSpec, build_model
from seqtrain.tasks import NER, Sentiment, Sine, Split, Text, Translation
from seqtrain.training.evaluator import Evaluator


def prepared(task):
    task.prepare(Path("nowhere"), 0)
    torch.manual_seed(0)
    return Evaluator(
        build_model(RecurrentSpec(cell="lstm", hidden_size=8), task.spec), task, torch.device("cpu"), None, 8
    )


def shown(evaluator):
    samples = evaluator.samples(evaluator.task.examples(Split.VAL))
    return gallery(evaluator.model, evaluator.task, samples, evaluator.device, 8)


@pytest.fixture(scope="module")
def sentiment():
    return prepared(Sentiment(train_size=60, val_size=20, test_size=20))


def test_there_is_all_of_the_task_and_what_models_share(sentiment):
    pictures = list(shown(sentiment))
    assert [picture.name for picture in pictures] == ["confusion", "precision-recall", "gradient-flow", "embeddings"]
    scores = pictures[1].content
    assert len(scores.truth) == 20
    assert ((scores.chances > 0) & (scores.chances < 1)).all()
    assert not pictures[1].has_file
    assert not pictures[3].has_file


def test_a_picture_is_made_when_it_is_asked_for(sentiment, monkeypatch):
    monkeypatch.setattr("seqtrain.logs.gallery.flow_picture", None)  # can't be called
    assert len(list(islice(shown(sentiment), 2))) == 2


def test_vectors_have_the_words_of_the_task_as_names(sentiment):
    shown = vectors(sentiment.model, sentiment.task).content
    vocabulary = sentiment.task.codes.vocabulary
    assert shown.names[4:] == list(vocabulary.words)
    np.testing.assert_array_equal(shown.points, sentiment.model.stem.table.weight.detach().numpy())


@pytest.mark.parametrize(
    "task",
    [
        Text(train_size=3000, val_size=600, test_size=600, steps=8),
        NER(train_size=40, val_size=20, test_size=20),
        Translation(train_size=60, val_size=20, test_size=20),
    ],
    ids=lambda task: type(task).__name__,
)
def test_names_of_symbols_can_be_read(task):
    task.prepare(Path("nowhere"), 0)
    names = task.input_names(np.arange(task.spec.input.size))
    assert len(names) == len(set(names)) == task.spec.input.size


def test_blanks_are_seen():
    evaluator = prepared(Text(train_size=3000, val_size=600, test_size=600, steps=8))
    names = vectors(evaluator.model, evaluator.task).content.names
    assert "␣" in names
    assert all(name.strip() == name and name for name in names)


def test_values_have_no_table():
    evaluator = prepared(Sine(train_size=20, val_size=4, test_size=4))
    assert vectors(evaluator.model, evaluator.task) is None
    assert [picture.name for picture in shown(evaluator)] == ["forecasts", "gradient-flow"]
    assert len(graph_batch(evaluator.task, evaluator.device)) == 2


def test_pictures_are_drawn_ever_more_rarely_or_as_often_as_asked():
    assert [n for n in range(1, 20) if pictures_due(n, None)] == [1, 2, 4, 8, 16]
    assert [n for n in range(1, 10) if pictures_due(n, 3)] == [3, 6, 9]
