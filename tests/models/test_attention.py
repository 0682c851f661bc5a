import numpy as np
import pytest
import torch
from torch import Tensor, nn

from seqtrain.models.attention import AT_ONCE, AttentionPooling, BahdanauAttention, MultiHeadOverSteps
from seqtrain.models.multihead import MultiHeadAttention
from seqtrain.models.padded import RealSteps
from tests.models.cases import LENGTHS, Results, assert_same, draw, spoilt
from tests.oracles import additive_attention, dot_attention

WIDTH, UNITS, HEADS = 6, 5, 3
QUERY = 4
"""Features of a query that is no step."""


def draw_steps() -> tuple[Tensor, RealSteps]:
    """Steps with large numbers on padding, which a core's outputs never have, to see them if they leak."""
    steps = spoilt(draw(len(LENGTHS), max(LENGTHS), WIDTH), LENGTHS, 1e3).requires_grad_()
    return steps, RealSteps(torch.tensor(LENGTHS), max(LENGTHS), steps.device)


def results(module: nn.Module, output: Tensor, weights: Tensor, d_output: Tensor, **inputs: Tensor) -> Results:
    leaves = {**inputs, **dict(module.named_parameters())}
    grads = torch.autograd.grad(output, list(leaves.values()), d_output)
    named = {"output": output, "weights": weights, **dict(zip(leaves, grads, strict=True))}
    return {name: value.detach().numpy() for name, value in named.items()}


def arrays(module: nn.Module) -> Results:
    return {name: weight.detach().numpy() for name, weight in module.named_parameters()}


@pytest.mark.parametrize("score", ["dot", "additive"])
def test_pooling_is_the_oracles(score: str) -> None:
    pool = AttentionPooling(WIDTH, score, UNITS).double()
    steps, real = draw_steps()
    d_output = draw(len(LENGTHS), WIDTH)
    ours = results(pool, pool(steps, real), pool.weights(steps, real), d_output, steps=steps)

    w = arrays(pool)
    expected = {name: np.zeros_like(value) for name, value in ours.items()}
    for b, length in enumerate(LENGTHS):
        y = steps[b, :length].detach().numpy()
        if score == "dot":
            context, a, backward = dot_attention(y, w["v.weight"][0])
            (d_y, d_v), d_rest = backward(d_output[b].numpy()), {}
        else:
            context, a, backward = additive_attention(y, w["W.weight"], w["W.bias"], w["v.weight"][0])
            d_y, d_matrix, d_bias, d_v = backward(d_output[b].numpy())
            d_rest = {"W.weight": d_matrix, "W.bias": d_bias}
        expected["output"][b], expected["weights"][b, 0, 0, :length], expected["steps"][b, :length] = context, a, d_y
        for name, grad in {"v.weight": d_v, **d_rest}.items():
            expected[name] += grad
    assert_same(ours, expected)


@pytest.mark.parametrize("queries_at_once", [1, 3, 99])
@pytest.mark.parametrize("asked_by", ["a query", "each step", "each step, causal"])
def test_bahdanau_is_the_oracles(asked_by: str, queries_at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(AT_ONCE, "cpu", queries_at_once * len(LENGTHS) * max(LENGTHS) * UNITS)
    causal, each = "causal" in asked_by, "each" in asked_by
    attention = BahdanauAttention(WIDTH, UNITS, causal=causal, query_width=None if each else QUERY).double()
    steps, real = draw_steps()
    query = None if each else draw(len(LENGTHS), 1, QUERY).requires_grad_()
    output = attention(steps, real, query)
    d_output = draw(*output.shape)
    if each:
        d_output = real.zero_padding(d_output)
    weights = attention.weights(steps, real, query)
    if each:  # what padded steps ask means nothing
        output, weights = real.zero_padding(output), real.zero_padding(weights.transpose(1, 2)).transpose(1, 2)
    inputs = {"steps": steps} if query is None else {"steps": steps, "query": query}
    ours = results(attention, output, weights, d_output, **inputs)

    w = arrays(attention)
    expected = {name: np.zeros_like(value) for name, value in ours.items()}
    for b, length in enumerate(LENGTHS):
        y = steps[b, :length].detach().numpy()
        for t in range(length if each else 1):
            s = y[t] if query is None else query[b, 0].detach().numpy()
            seen = t + 1 if causal else length
            shift = w["W.weight"] @ s
            context, a, backward = additive_attention(y[:seen], w["U.weight"], shift, w["v.weight"][0])
            place = (b, t)
            d_s, d_context = np.split(d_output[place].numpy(), [len(s)])
            d_y, d_matrix, d_shift, d_v = backward(d_context)
            expected["output"][place] = np.concatenate([s, context])
            expected["weights"][b, 0, t, :seen] = a
            expected["steps"][b, :seen] += d_y
            asking = expected["steps"][b, t] if each else expected["query"][b, 0]
            asking += d_s + w["W.weight"].T @ d_shift
            expected["U.weight"] += d_matrix
            expected["W.weight"] += np.outer(d_shift, s)
            expected["v.weight"] += d_v
    assert_same(ours, expected)


@pytest.mark.parametrize("num_heads", [1, HEADS])
@pytest.mark.parametrize("asked_by", ["a query", "each step", "each step, causal"])
def test_multihead_attention_is_torchs(asked_by: str, num_heads: int) -> None:
    causal, each = "causal" in asked_by, "each" in asked_by
    ours = MultiHeadAttention(WIDTH, num_heads).double()
    torchs = nn.MultiheadAttention(WIDTH, num_heads, bias=False, batch_first=True).double()
    torchs.load_state_dict(ours.state_dict())
    steps, real = draw_steps()
    queries = steps if each else draw(len(LENGTHS), 2, WIDTH).requires_grad_()
    inputs = {"steps": steps} if each else {"steps": steps, "queries": queries}
    output, weights = ours(queries, steps, real, causal=causal), ours.weights(queries, steps, real, causal=causal)
    later = torch.ones(max(LENGTHS), max(LENGTHS), dtype=torch.bool).triu(1) if causal else None
    their_output, their_weights = torchs(
        queries, steps, steps, key_padding_mask=real.padding, attn_mask=later, average_attn_weights=False
    )
    d_output = draw(*output.shape)
    if each:
        output, their_output, d_output = (real.zero_padding(part) for part in (output, their_output, d_output))
        weights, their_weights = (
            real.zero_padding(part.transpose(1, 2)).transpose(1, 2) for part in (weights, their_weights)
        )
    expected = results(torchs, their_output, their_weights, d_output, **inputs)
    assert_same(results(ours, output, weights, d_output, **inputs), expected)


@pytest.mark.parametrize("causal", [False, True])
def test_multihead_over_steps_adds_and_normalises(causal: bool) -> None:
    attention = MultiHeadOverSteps(WIDTH, HEADS, 0.0, causal=causal).double()
    nn.init.normal_(attention.norm.weight)
    steps, real = draw_steps()
    found = attention.attention(steps, steps, real, causal=causal)
    expected = nn.functional.layer_norm(steps + found, (WIDTH,), attention.norm.weight, attention.norm.bias)
    torch.testing.assert_close(attention(steps, real), expected)
    query = draw(len(LENGTHS), 2, WIDTH)
    found = attention.attention(query, steps, real, causal=False)
    torch.testing.assert_close(attention(steps, real, query), attention.norm(query + found))


def test_dropout_is_on_what_was_found_in_training_only() -> None:
    attention = MultiHeadOverSteps(WIDTH, HEADS, 0.5, causal=False).double()
    steps, real = draw_steps()
    assert not torch.equal(attention(steps, real), attention(steps, real))
    plain = MultiHeadOverSteps(WIDTH, HEADS, 0.0, causal=False).double()
    plain.load_state_dict(attention.state_dict())
    torch.testing.assert_close(attention.eval()(steps, real), plain(steps, real))
