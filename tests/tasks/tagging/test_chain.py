import itertools

import pytest
import torch

from seqtrain.tasks.tagging.chain import log_partition, negative_log_likelihood, viterbi
from seqtrain.tasks.tagging.tags import legal

V = 3
LENGTHS = [4, 1, 3]


def every_score(scores, length, allowed=None):
    """The score of each sequence of one length, by enumeration."""
    found = {}
    for sequence in itertools.product(range(scores.shape[-1]), repeat=length):
        pairs = list(zip((0, *sequence), sequence, strict=False))
        if allowed is None or all(allowed[i, j] for i, j in pairs):
            found[sequence] = sum(scores[step, i, j] for step, (i, j) in enumerate(pairs))
    return found


@pytest.fixture
def scores():
    torch.manual_seed(0)
    drawn = 3 * torch.randn(len(LENGTHS), max(LENGTHS), V, V, dtype=torch.float64)
    drawn[:, 0] = drawn[:, 0, :1]  # nothing stands before the first step
    return drawn


@pytest.fixture
def real():
    return torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS).unsqueeze(1)


def test_the_partition_is_the_sum_over_all_sequences(scores, real):
    expected = [
        torch.stack(list(every_score(each, length).values())).logsumexp(0)
        for each, length in zip(scores, LENGTHS, strict=True)
    ]
    torch.testing.assert_close(log_partition(scores, real), torch.stack(expected), rtol=1e-12, atol=1e-12)


def test_the_likelihood_is_a_share_of_all_sequences_and_so_is_its_gradient(scores):
    targets = torch.tensor([[2, 0, 1, 1], [1, -100, -100, -100], [0, 0, 2, -100]])
    scores.requires_grad_()
    ours = negative_log_likelihood(scores, targets, torch.tensor(LENGTHS))
    expected = 0
    for each, target, length in zip(scores, targets, LENGTHS, strict=True):
        every = every_score(each, length)
        expected -= every[tuple(target[:length].tolist())] - torch.stack(list(every.values())).logsumexp(0)
    torch.testing.assert_close(ours, expected, rtol=1e-12, atol=1e-12)
    (ours_grad,) = torch.autograd.grad(ours, scores)
    (expected_grad,) = torch.autograd.grad(expected, scores)
    # Of the first step's rows, which are alike, ours reads the first; so does the enumeration.
    torch.testing.assert_close(ours_grad, expected_grad, rtol=1e-10, atol=1e-12)


def test_what_stands_past_a_length_changes_nothing(scores, real):
    targets, lengths = torch.zeros(3, 4, dtype=torch.long), torch.tensor(LENGTHS)
    spoilt = scores.masked_fill(~real[:, :, None, None], 1e6)
    assert torch.equal(
        negative_log_likelihood(spoilt, targets, lengths), negative_log_likelihood(scores, targets, lengths)
    )
    assert torch.equal(viterbi(spoilt, lengths), viterbi(scores, lengths))


def test_half_precision_is_summed_in_single(scores):
    targets, lengths = torch.zeros(3, 4, dtype=torch.long), torch.tensor(LENGTHS)
    low = scores.to(torch.bfloat16)
    loss = negative_log_likelihood(low, targets, lengths)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, negative_log_likelihood(low.float(), targets, lengths))


@pytest.mark.parametrize("constrained", [False, True])
def test_viterbi_finds_the_best_of_all_sequences(scores, constrained):
    allowed = legal(1) if constrained else None
    expected = torch.zeros(3, 4, dtype=torch.long)
    for row, (each, length) in enumerate(zip(scores, LENGTHS, strict=True)):
        every = every_score(each, length, allowed)
        expected[row, :length] = torch.tensor(max(every, key=every.__getitem__))
    assert torch.equal(viterbi(scores, torch.tensor(LENGTHS), allowed), expected)


def test_single_scores_are_chained_by_what_is_legal_only():
    outputs = torch.tensor([[[0.0, 1.0, 9.0], [0.0, 1.0, 2.0], [3.0, 1.0, 2.0], [0.0, 1.0, 2.0]]])
    lengths = torch.tensor([4])
    assert viterbi(outputs.unsqueeze(2), lengths).tolist() == [outputs[0].argmax(1).tolist()] == [[2, 2, 0, 2]]
    # O B-x I-x: no I-x at the beginning nor after O.
    assert viterbi(outputs.unsqueeze(2), lengths, legal(1)).tolist() == [[1, 2, 0, 1]]
