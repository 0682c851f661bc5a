import itertools
import math

import numpy as np
import pytest
import torch

from seqtrain.tasks.speech.ctc import (
    StringAccuracy,
    SymbolAccuracy,
    SymbolErrorRate,
    beam_search,
    best_path,
    edits,
)
from seqtrain.tasks.speech.utterances import BLANK


def log_probs(rows):
    return torch.tensor(rows, dtype=torch.float64).log()[None]


def collapsed(path):
    return tuple(symbol for symbol, _ in itertools.groupby(path) if symbol != BLANK)


def string_probabilities(probs):
    """Every string's probability, summed over every path there is."""
    strings = {}
    for path in itertools.product(range(probs.shape[1]), repeat=len(probs)):
        chance = math.prod(probs[step, symbol] for step, symbol in enumerate(path))
        strings[collapsed(path)] = strings.get(collapsed(path), 0) + chance
    return strings


def one_hot(paths, symbols=4):
    steps = max(map(len, paths))
    padded = torch.tensor([[*path, *[3] * (steps - len(path))] for path in paths])
    return torch.nn.functional.one_hot(padded, symbols).double().add(1e-9).log()


def test_the_best_path_drops_repeats_then_blanks_and_never_reads_padding():
    paths = [[0, 1, 1, 0, 1, 2, 2], [3, 3, 0, 0], [0, 0]]
    lengths = torch.tensor([len(path) for path in paths])
    assert best_path(one_hot(paths), lengths) == [[1, 1, 2], [3], []]
    assert beam_search(one_hot(paths), lengths, 3) == [[1, 1, 2], [3], []]


def test_a_beam_sums_over_the_paths_of_a_string():
    # The best path is blank, blank with 0.36; "1" has 0.6 * 0.4 * 2 + 0.4 * 0.4 = 0.64.
    rows = log_probs([[0.6, 0.4], [0.6, 0.4]])
    assert best_path(rows, torch.tensor([2])) == [[]]
    assert beam_search(rows, torch.tensor([2]), 4) == [[1]]


@pytest.mark.parametrize("seed", range(10))
def test_a_wide_beam_finds_what_trying_everything_finds(seed):
    probs = np.random.default_rng(seed).dirichlet(np.full(3, 0.7), size=6)
    every = string_probabilities(probs)
    assert sum(every.values()) == pytest.approx(1)
    found = beam_search(torch.from_numpy(probs).log()[None], torch.tensor([6]), 1000)
    assert tuple(found[0]) == max(every, key=every.get)


def test_long_sequences_do_not_underflow():
    # No path of 2000 steps has a chance that a double could hold.
    rows = torch.full((1, 2000, 3), 1 / 3, dtype=torch.float64).log()
    assert len(beam_search(rows, torch.tensor([2000]), 2)[0]) > 100


@pytest.mark.parametrize(
    ("truth", "answer", "count"),
    [
        ([1, 2, 3], [1, 2, 3], 0),
        ([1, 2, 3], [1, 3], 1),
        ([1, 2, 3], [1, 2, 2, 3], 1),
        ([1, 12], [11, 2], 2),
        ([1, 2], [], 2),
        ([1], [2, 3, 4], 3),
    ],
)
def test_edits_are_counted_by_symbol(truth, answer, count):
    assert edits([truth], [answer]) == count


def test_metrics_over_uneven_batches_are_those_of_the_whole():
    truths = [[1, 2, 3], [4, 4], [5], [6, 7, 8, 9]]
    answers = [[1, 2, 3], [4], [5, 5, 5], []]  # 0, 1, 2 and 4 edits of 10 symbols
    for metric, expected in ((SymbolErrorRate(), 0.7), (SymbolAccuracy(), 0.3), (StringAccuracy(), 0.25)):
        metric.update(truths[:1], answers[:1])
        metric.update(truths[1:], answers[1:])
        assert float(metric.compute()) == pytest.approx(expected)
