import hashlib
import re

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from seqtrain.tasks.classification.reviews import reviews
from seqtrain.tasks.classification.sources import GeneratedReviews
from seqtrain.tasks.classification.text_classification import TextOptions
from seqtrain.tasks.task import Split
from seqtrain.tasks.vocabulary import Vocabulary

DEFAULT = {name: getattr(GeneratedReviews, name) for name in ("contrast", "negation", "irony")}
NEGATIONS = r"(not|never|hardly|far from|less than|by no means)\b"
IRONY = (
    r"(Read this the other way round|I mean the opposite|Do not believe a word of it|It is all irony"
    r"|This is sarcasm|Only joking)\."
)
CONTRASTS = r"\b(but|yet|although|even though|despite)\b"


def judging(**options):
    """The sentences that judge: those that say what a thing was."""
    texts, labels = reviews(Split.TRAIN, 2000, 0, **{"irony": 0.0, **options})
    sentences = [re.search(r"[^.]*\b[Tt]he ([a-z]+ )?[a-z]+ was [^.]*\.", text)[0].strip() for text in texts]
    return sentences, labels


def test_the_seed_decides():
    one = reviews(Split.TRAIN, 100, 0, **DEFAULT)
    again = reviews(Split.TRAIN, 100, 0, **DEFAULT)
    assert one[0] == again[0]
    assert np.array_equal(one[1], again[1])
    assert not set(one[0]) & set(reviews(Split.TRAIN, 100, 1, **DEFAULT)[0])


def test_the_reviews_of_seed_0_are_the_same_everywhere():
    texts, labels = reviews(Split.TRAIN, 100, 0, **DEFAULT)
    content = "\n".join(f"{label} {text}" for text, label in zip(texts, labels, strict=True))
    assert hashlib.sha256(content.encode()).hexdigest()[:16] == "5d3c73e0644e45d0"


def test_no_two_reviews_are_alike_within_or_across_splits():
    texts = [text for split in Split for text in reviews(split, 3000, 0, **DEFAULT)[0]]
    assert len(set(texts)) == 9000


def test_splits_never_meet_whatever_their_seeds():
    options = {"contrast": 0.0, "negation": 0.0, "irony": 0.0}
    train = {text for seed in range(5) for text in reviews(Split.TRAIN, 3000, seed, **options)[0]}
    assert not train & set(reviews(Split.TEST, 3000, 9, **options)[0])


def test_lengths_vary_and_labels_are_balanced():
    texts, labels = reviews(Split.TRAIN, 3000, 0, **DEFAULT)
    lengths = [len(text.split()) for text in texts]
    assert 4 <= min(lengths) <= 6
    assert 45 <= max(lengths) <= 60
    assert np.std(lengths) > 8
    assert 0.47 < labels.mean() < 0.53


def test_a_review_reads_like_english():
    for text in reviews(Split.TRAIN, 1000, 0, **DEFAULT)[0]:
        assert re.fullmatch(r"([A-Z][a-z]*(,? [A-Za-z]+)*\. ?)+", text), text
        assert not text.endswith(" ")


def test_plain_reviews_say_what_their_words_say():
    sentences, labels = judging(contrast=0.0, negation=0.0)
    assert not any(re.search(NEGATIONS, sentence) or re.search(CONTRASTS, sentence) for sentence in sentences)
    good = [bool(re.search(r"(great|superb|lovely|brilliant|charming)\b", sentence)) for sentence in sentences]
    bad = [bool(re.search(r"(awful|terrible|dreadful|lousy|weak)\b", sentence)) for sentence in sentences]
    assert not (np.array(good) & (labels == 0)).any()
    assert not (np.array(bad) & (labels == 1)).any()
    assert sum(good) > 300 < sum(bad)


def test_negated_reviews_say_the_opposite_of_their_words():
    sentences, labels = judging(contrast=0.0, negation=1.0)
    assert all(re.search(NEGATIONS, sentence) for sentence in sentences)
    good = np.array([bool(re.search(r"(great|superb|lovely|brilliant|charming)\b", text)) for text in sentences])
    assert good.sum() > 300
    assert (labels[good] == 0).all()


def test_a_contrast_is_decided_by_the_clause_that_it_favours():
    sentences, labels = judging(contrast=1.0, negation=0.0)
    assert all(re.search(CONTRASTS, sentence, re.I) for sentence in sentences)
    good = r"(great|superb|lovely|brilliant|charming|excellent|wonderful|splendid)"
    seen = 0
    for pattern, meant in [
        (rf"^The .* was [a-z ]*{good}, (although|even though|despite) ", 1),
        (rf", (but|yet) the .* was [a-z ]*{good}\.", 1),
        (rf"^(Although|Even though) the .*, the .* was [a-z ]*{good}\.", 1),
        (rf"^Despite the .*, the .* was [a-z ]*{good}\.", 1),
        (rf"^The .* was [a-z ]*{good}, (but|yet) ", 0),
        (rf"^(Although|Even though) the .* was [a-z ]*{good}, the ", 0),
        (rf"^Despite the [a-z ]*{good} .*, the ", 0),
        (rf", despite the [a-z ]*{good} ", 0),
    ]:
        found = [label for text, label in zip(sentences, labels, strict=True) if re.search(pattern, text)]
        assert len(found) > 10, pattern
        assert set(found) == {meant}, pattern
        seen += len(found)
    assert seen > 500


def test_an_ironic_review_says_so_at_an_end_and_means_the_opposite():
    texts, labels = reviews(Split.TRAIN, 2000, 0, contrast=0.0, negation=0.0, irony=0.5)
    good = np.array([bool(re.search(r"(great|superb|lovely|brilliant|charming)\b", text)) for text in texts])
    first = np.array([bool(re.match(IRONY, text)) for text in texts])
    last = np.array([bool(re.search(rf"{IRONY}$", text)) for text in texts])
    assert not (first & last).any()
    assert first.mean() == pytest.approx(0.25, abs=0.03)
    assert last.mean() == pytest.approx(0.25, abs=0.03)
    assert all(
        len(re.findall(IRONY, text)) == (one or other) for text, one, other in zip(texts, first, last, strict=True)
    )
    assert (labels[good & ~(first | last)] == 1).all()
    assert (labels[good & (first | last)] == 0).all()


def test_the_chances_are_those_asked_for():
    sentences, _ = judging(contrast=0.3, negation=0.0)
    assert np.mean([bool(re.search(CONTRASTS, text, re.I)) for text in sentences]) == pytest.approx(0.3, abs=0.04)
    sentences, _ = judging(contrast=1.0, negation=0.4)
    negated = np.mean([len(re.findall(NEGATIONS, text)) for text in sentences]) / 2
    assert negated == pytest.approx(0.4, abs=0.05)


def test_a_bag_of_words_cannot_tell():
    words = TextOptions().words
    train, val = (reviews(split, size, 0, **DEFAULT) for split, size in ((Split.TRAIN, 6000), (Split.VAL, 2000)))
    vocabulary = Vocabulary.build([words(text) for text in train[0]])

    def counts(texts):
        return torch.stack(
            [torch.from_numpy(np.bincount(vocabulary.encode(words(text)), minlength=len(vocabulary))) for text in texts]
        ).float()

    x, y = counts(train[0]), torch.from_numpy(train[1]).float()
    weights = torch.zeros(len(vocabulary), requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=50, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(x @ weights, y) + 1e-4 * weights.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    accuracy = float(((counts(val[0]) @ weights > 0) == torch.from_numpy(val[1])).float().mean())
    assert 0.5 < accuracy < 0.7
