"""Sequences of symbols that depend on their neighbours: a linear-chain conditional random field.

What a model says of them are scores (B, T, V, V), of symbol j after symbol i at [i, j]; see `seqtrain.spec.Symbols`. A
sequence's score is the sum over its steps, and its probability that score's softmax over all sequences of the length
(Lafferty, McCallum and Pereira 2001; Lample 2016, section 2.2).
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seqtrain.batch import length_mask


def negative_log_likelihood(
    scores: Float[Tensor, "B T V V"], targets: Int[Tensor, "B T"], lengths: Int[Tensor, " B"]
) -> Float[Tensor, ""]:
    """Minus the log-probability in nats of the targets, summed over the sequences; at least in single precision.

    Args:
        scores: Finite; at and past a sequence's length they are not scored.
        targets: Ids in [0, V) at real steps.
        lengths: Real steps per sequence, on the CPU.
    """
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    real = length_mask(lengths, scores.shape[1]).to(scores.device)
    return log_partition(scores, real).sum() - _score_of(scores, targets, real).sum()


def log_partition(scores: Float[Tensor, "B T V V"], real: Bool[Tensor, "B T"]) -> Float[Tensor, " B"]:
    """The log of the sum over all sequences of e to their score, by the forward algorithm."""
    total = scores[:, 0, 0]  # (B, V): over all beginnings that end with a symbol
    for step in range(1, scores.shape[1]):
        longer = torch.logsumexp(total.unsqueeze(2) + scores[:, step], 1)
        total = torch.where(real[:, step, None], longer, total)
    return torch.logsumexp(total, 1)


def _score_of(
    scores: Float[Tensor, "B T V V"], symbols: Int[Tensor, "B T"], real: Bool[Tensor, "B T"]
) -> Float[Tensor, " B"]:
    symbols = symbols.where(real, 0)
    before = torch.cat([torch.zeros_like(symbols[:, :1]), symbols[:, :-1]], 1)
    transitions = before * scores.shape[3] + symbols  # where (i, j) stands in a row of V * V
    chosen = scores.flatten(2).gather(2, transitions.unsqueeze(2)).squeeze(2)
    return chosen.where(real, 0).sum(1)


def viterbi(
    scores: Float[Tensor, "B T #V V"], lengths: Int[Tensor, " B"], legal: Bool[Tensor, "V V"] | None = None
) -> Int[Tensor, "B T"]:
    """The sequences of the highest score.

    Args:
        scores: Finite; (B, T, 1, V), scores that don't depend on the symbol before, will do.
        lengths: Real steps per sequence, on the CPU.
        legal: Whether j may follow i, at [i, j]; a sequence begins as after symbol 0, which may follow any. None: all.

    Returns:
        Ids; past a length, 0.
    """
    size = scores.shape[3]
    real = length_mask(lengths, scores.shape[1]).to(scores.device)
    barred = torch.zeros(size, size, dtype=scores.dtype, device=scores.device)
    if legal is not None:
        barred = barred.masked_fill(~legal, -torch.inf)
    best = scores[:, 0, 0] + barred[0]  # (B, V): of all beginnings that end with a symbol
    stay = torch.arange(size, device=scores.device).expand(len(scores), -1)
    origins = []
    for step in range(1, scores.shape[1]):
        longer, origin = (best.unsqueeze(2) + scores[:, step] + barred).max(1)
        going = real[:, step, None]
        best = longer.where(going, best)
        origins.append(origin.where(going, stay))
    path = [best.argmax(1)]
    for origin in reversed(origins):
        path.append(origin.gather(1, path[-1].unsqueeze(1)).squeeze(1))
    return torch.stack(path[::-1], 1).where(real, 0)
