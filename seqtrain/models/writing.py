"""Writing symbols one after the other: the likeliest each time, by drawing, or the likeliest sequence of a beam."""

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seqtrain.batch import BOS, EOS, PAD
from seqtrain.model import State
from seqtrain.models.decoder_spec import DecoderSpec

LENGTH_PENALTY = 0.6
_NEVER = [PAD, BOS]
"""Symbols that no sequence goes on with."""


Step = Callable[[Tensor, State], tuple[Tensor, State]]
"""From the symbols said last, (N,), and the state before them to the logits of what comes next, (N, V), and the state
after them."""


def write(
    step: Step,
    logits: Float[Tensor, "B V"],
    state: State,
    horizon: int,
    *,
    temperature: float | None,
    spec: DecoderSpec,
) -> Int[Tensor, "B U"]:
    """Goes on symbol by symbol.

    Args:
        step: Says what may come next.
        logits: Of the first symbol to write.
        state: Before it.
        horizon: The most symbols to write, at least 1.
        temperature: Of drawing; None takes the likeliest.
        spec: Where drawing is cut off, and its seed.

    Returns:
        What was written, EOS included; PAD after it. As many steps as the longest sequence took.
    """
    return torch.stack(list(said_one_by_one(step, logits, state, horizon, temperature=temperature, spec=spec)), 1)


def said_one_by_one(
    step: Step,
    logits: Float[Tensor, "B V"],
    state: State,
    horizon: int,
    *,
    temperature: float | None,
    spec: DecoderSpec,
) -> Iterator[Int[Tensor, " B"]]:
    """As `write`, each symbol of all sequences as soon as it is written."""
    generator = torch.Generator(logits.device).manual_seed(spec.seed)
    ended = torch.zeros(len(logits), dtype=torch.bool, device=logits.device)
    for count in range(1, horizon + 1):
        logits = _allowed(logits.float())
        if temperature is None:
            said = logits.argmax(-1)
        else:
            chances = cut_off(logits / temperature, spec.top_k, spec.top_p).softmax(-1)
            said = torch.multinomial(chances, 1, generator=generator).squeeze(1)
        said = torch.where(ended, PAD, said)
        yield said
        ended = ended | (said == EOS)
        if count == horizon or ended.all():
            return
        logits, state = step(said, state)


def cut_off(logits: Float[Tensor, "N V"], top_k: int | None, top_p: float | None) -> Float[Tensor, "N V"]:
    """The same logits, -inf outside the top_k likeliest and outside the fewest that hold top_p of the chance."""
    if top_k is not None and top_k < logits.shape[-1]:
        least = logits.topk(top_k).values[:, -1:]
        logits = logits.masked_fill(logits < least, -torch.inf)
    if top_p is not None:
        ordered, places = logits.sort(descending=True)
        before = ordered.softmax(-1).cumsum(-1) - ordered.softmax(-1)  # the share of all likelier ones
        kept = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, places, before < top_p)
        logits = logits.masked_fill(~kept, -torch.inf)
    return logits


def search(
    step: Step, said: Int[Tensor, " B"], state: State, horizon: int, *, beams: int, length_penalty: float | None
) -> Int[Tensor, "B U"]:
    """The best of the sequences that a beam search meets, ranked by log P / ((5 + U) / 6)^alpha  (Wu 2016, eq 14).

    A hypothesis that has ended keeps its place in the beam until better ones push it out.

    Args:
        step: Says what may come next; a state's second axis runs over sequences, and a sequence's hypotheses stand
            side by side.
        said: The symbol that all sequences begin with.
        state: Before it, of B sequences.
        horizon: The most symbols to write, at least 1.
        beams: Hypotheses kept for each sequence.
        length_penalty: alpha; None is 0.6.

    Returns:
        As of `write`.
    """
    alpha = LENGTH_PENALTY if length_penalty is None else length_penalty
    batch, device = len(said), said.device
    said = said.repeat_interleave(beams)
    state = tuple(part.repeat_interleave(beams, 1) for part in state)
    # All hypotheses are the same at first: only one of them counts.
    scores = torch.full((batch, beams), -torch.inf, device=device)
    scores[:, 0] = 0
    ended = torch.zeros(batch, beams, dtype=torch.bool, device=device)
    lengths = torch.zeros(batch, beams, device=device)
    written = torch.empty(batch, beams, 0, dtype=torch.long, device=device)
    first = torch.arange(0, batch * beams, beams, device=device).unsqueeze(1)
    for _ in range(horizon):
        logits, state = step(said, state)
        gains = _allowed(logits.float()).log_softmax(-1).view(batch, beams, -1)
        symbols = gains.shape[-1]
        # What has ended goes on with PAD, at no cost.
        gains = torch.where(ended.unsqueeze(-1), -torch.inf, gains)
        gains[:, :, PAD] = torch.where(ended, 0.0, -torch.inf)
        totals = scores.unsqueeze(-1) + gains
        longer = lengths + (~ended).float()
        ranks = totals / ((5 + longer) / 6).unsqueeze(-1) ** alpha
        chosen = ranks.flatten(1).topk(beams).indices  # (B, K)
        scores = totals.flatten(1).gather(1, chosen)
        parents, symbol = chosen // symbols, chosen % symbols
        rows = (first + parents).flatten()
        state = tuple(part.index_select(1, rows) for part in state)
        lengths = longer.gather(1, parents)
        ended = ended.gather(1, parents) | (symbol == EOS)
        written = torch.cat([written.gather(1, parents.unsqueeze(-1).expand_as(written)), symbol.unsqueeze(-1)], -1)
        said = symbol.flatten()
        if ended.all():
            break
    best = written[:, 0]  # topk sorts
    return best[:, : int((best != PAD).sum(1).max())]


def _allowed(logits: Tensor) -> Tensor:
    """The logits without the symbols that no sequence goes on with."""
    logits = logits.clone()
    logits[:, _NEVER] = -torch.inf
    return logits
