import itertools

import pytest
import torch

from seqtrain.batch import BOS, EOS, PAD
from seqtrain.models import DecoderSpec
from seqtrain.models.writing import cut_off, search, write

SYMBOLS, HORIZON = 6, 4


def markov(seed: int, sequences: int):
    """Next symbols that depend on the last one and on the step, of a table for each sequence; the state counts."""
    tables = torch.randn(sequences, HORIZON, SYMBOLS, SYMBOLS, generator=torch.Generator().manual_seed(seed)) * 2

    def step(said, state):
        turn, which = state[0][0, :, 0].long(), state[0][0, :, 1].long()
        return tables[which, turn, said], (state[0] + torch.tensor([1.0, 0.0]),)

    start = torch.stack([torch.zeros(sequences), torch.arange(sequences)], -1).unsqueeze(0)  # (1, B, 2)
    return step, (start,)


def first(sequences: int) -> torch.Tensor:
    return torch.full((sequences,), BOS)


def log_probability(step, state, sequence: list[int]) -> float:
    said, total = BOS, 0.0
    for symbol in sequence:
        logits, state = step(torch.tensor([said]), state)
        logits[:, [PAD, BOS]] = -torch.inf
        total += logits.log_softmax(-1)[0, symbol].item()
        said = symbol
    return total


@pytest.mark.parametrize("alpha", [0.0, 1.0, None])
def test_a_beam_that_holds_everything_finds_the_best_sequence(alpha):
    step, start = markov(3, sequences=3)
    found = search(step, first(3), start, HORIZON, beams=400, length_penalty=alpha)
    inner = [s for s in range(SYMBOLS) if s not in (PAD, BOS, EOS)]
    for b in range(3):
        ranked = {}
        for length in range(1, HORIZON + 1):
            for body in itertools.product(inner, repeat=length - 1):
                ends = [EOS] if length < HORIZON else [EOS, *inner]
                for end in ends:
                    sequence = [*body, end]
                    score = log_probability(step, (start[0][:, b : b + 1],), sequence)
                    ranked[tuple(sequence)] = score / ((5 + length) / 6) ** (0.6 if alpha is None else alpha)
        best = max(ranked, key=ranked.__getitem__)
        assert tuple(s for s in found[b].tolist() if s != PAD) == best


def test_one_beam_is_the_likeliest_symbol_each_time():
    step, start = markov(1, sequences=8)
    logits, state = step(first(8), start)
    greedy = write(step, logits, state, HORIZON, temperature=None, spec=DecoderSpec())
    assert torch.equal(search(step, first(8), start, HORIZON, beams=1, length_penalty=0.0), greedy)
    assert not (greedy == BOS).any()
    for row in greedy.tolist():
        if EOS in row:
            assert set(row[row.index(EOS) + 1 :]) <= {PAD}


def test_more_beams_find_likelier_sequences():
    step, start = markov(2, sequences=16)
    scores = []
    for beams in (1, 4):
        found = search(step, first(16), start, HORIZON, beams=beams, length_penalty=0.0)
        rows = ([s for s in row if s != PAD] for row in found.tolist())
        scores.append([log_probability(step, (start[0][:, b : b + 1],), row) for b, row in enumerate(rows)])
    assert sum(scores[1]) > sum(scores[0])


def drawn(spec: DecoderSpec, temperature: float) -> torch.Tensor:
    step, start = markov(1, sequences=64)
    logits, state = step(first(64), start)
    return write(step, logits, state, HORIZON, temperature=temperature, spec=spec)


def test_drawing_is_decided_by_its_seed_and_cools_down_to_the_likeliest():
    assert torch.equal(drawn(DecoderSpec(), 1.0), drawn(DecoderSpec(), 1.0))
    assert not torch.equal(drawn(DecoderSpec(), 1.0), drawn(DecoderSpec(seed=1), 1.0))
    step, start = markov(1, sequences=64)
    logits, state = step(first(64), start)
    greedy = write(step, logits, state, HORIZON, temperature=None, spec=DecoderSpec())
    assert torch.equal(drawn(DecoderSpec(), 1e-4), greedy)
    assert torch.equal(drawn(DecoderSpec(top_k=1), 1.0), greedy)
    assert torch.equal(drawn(DecoderSpec(top_p=1e-6), 1.0), greedy)


def test_cutting_off_keeps_the_likeliest():
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05], [0.05, 0.15, 0.5, 0.3]]).log()
    kept = cut_off(logits, top_k=2, top_p=None).isfinite()
    assert kept.tolist() == [[True, True, False, False], [False, False, True, True]]
    kept = cut_off(logits, top_k=None, top_p=0.85).isfinite()
    assert kept.tolist() == [[True, True, True, False], [False, True, True, True]]
    assert torch.equal(cut_off(logits, top_k=9, top_p=1.0), logits)
