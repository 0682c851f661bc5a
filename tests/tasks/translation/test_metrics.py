import math

import numpy as np
import pytest
import sacrebleu
import torch

from seqtrain.tasks.translation.metrics import BLEU, Perplexity, Share

WORDS = ["the", "a", "man", "woman", "dog", "runs", ",", "sits", ".", "on", "It's", "red-haired", "near", "water"]


@pytest.fixture
def corpus():
    rng = np.random.default_rng(0)
    references = [" ".join(rng.choice(WORDS, rng.integers(1, 20))) for _ in range(50)]
    answers = [
        " ".join(word for word in reference.split() if rng.random() < 0.9) for reference in references
    ]  # one or the other is empty
    return answers, references


@pytest.mark.parametrize("options", [{}, {"tokenize": "none", "lowercase": True}])
def test_bleu_is_sacrebleus_however_the_corpus_is_cut(corpus, options):
    answers, references = corpus
    whole = sacrebleu.corpus_bleu(answers, [references], force=True, **options).score
    assert 20 < whole < 95
    for size in (1, 7, 50):
        metric = BLEU(**options)
        for start in range(0, 50, size):
            metric.update(answers[start : start + size], references[start : start + size])
        assert float(metric.compute()) == pytest.approx(whole, rel=1e-6)


def test_bleu_of_two_processes_is_that_of_both(corpus):
    answers, references = corpus
    parts = [BLEU(), BLEU()]
    for metric, part in zip(parts, (slice(0, 13), slice(13, 50)), strict=True):
        metric.update(answers[part], references[part])
    both = BLEU()
    for name in ("correct", "total", "lengths"):  # what torchmetrics does between processes: they are sums
        assert both._reductions[name] is not None
        setattr(both, name, sum(getattr(metric, name) for metric in parts))
    both._update_count = 2
    assert float(both.compute()) == pytest.approx(sacrebleu.corpus_bleu(answers, [references]).score, rel=1e-6)


def test_case_and_tokens_count_as_asked():
    answer, reference = ["A dog runs, it sits."], ["a dog runs, it sits."]
    scores = {}
    for name, options in {"plain": {}, "lower": {"lowercase": True}, "none": {"tokenize": "none"}}.items():
        metric = BLEU(**options)
        metric.update(answer, reference)
        scores[name] = float(metric.compute())
    assert scores["lower"] == pytest.approx(100)
    assert scores["plain"] < 90
    assert scores["none"] < scores["plain"]  # "runs," is one token there: fewer are right


@pytest.mark.parametrize("answer", ["", "nothing of it"])
def test_bleu_of_nothing_right_is_zero(answer):
    metric = BLEU()
    metric.update([answer], ["a dog"])
    assert float(metric.compute()) == 0


def test_no_warning_is_logged_of_words_split_before(caplog):
    metric = BLEU()
    metric.update(["a dog runs ."] * 200, ["a dog runs ."] * 200)
    assert float(metric.compute()) == pytest.approx(100)
    assert caplog.records == []


def test_perplexity_is_of_all_symbols_alike():
    metric = Perplexity()
    metric.update(torch.tensor(3 * math.log(2)), 3)
    metric.update(torch.tensor(math.log(16)), 1)
    assert float(metric.compute()) == pytest.approx(math.exp(7 * math.log(2) / 4))


def test_a_share_is_of_all_alike():
    metric = Share()
    metric.update(torch.tensor(3), 4)
    metric.update(0, 1)
    assert float(metric.compute()) == pytest.approx(0.6)
