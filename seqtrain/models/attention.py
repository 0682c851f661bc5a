"""Attention over a core's steps: which of them an answer should look at."""

from abc import ABC, abstractmethod
from typing import Literal, final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from seqtrain.models.multihead import MultiHeadAttention, softmax_over_visible
from seqtrain.models.padded import RealSteps
from seqtrain.models.tracing import tracing
from seqtrain.models.work import multiply_adds

Score = Literal["dot", "additive"]
AT_ONCE = {"cpu": 1 << 19}
"""Values that a device compares at once: on the CPU, few enough for its cache."""
AT_ONCE_ELSEWHERE = 1 << 24
"""On all other devices, enough to keep them busy."""


@final
class AttentionPooling(nn.Module):
    """One vector from a whole sequence: the mean of its steps, weighted by what training finds worth a look.

    The weights are the softmax over the real steps of

    - score=dot: y_t . v, with a learned query v;
    - score=additive: v . tanh(W y_t + b)  (Yang 2016, Hierarchical attention networks, eqs 5-7).

    Attributes:
        out_features: The shape of the vector, (D,).
    """

    def __init__(self, width: int, score: Score, attention_size: int) -> None:
        """Builds the query.

        Args:
            width: D, features of a step.
            score: How a step is scored.
            attention_size: Rows of W; for score=additive only.
        """
        super().__init__()
        self.out_features = (width,)
        self.W = nn.Linear(width, attention_size) if score == "additive" else None
        self.v = nn.Linear(width if self.W is None else attention_size, 1, bias=False)

    def forward(self, steps: Float[Tensor, "B T D"], real: RealSteps) -> Float[Tensor, "B D"]:
        """The weighted mean of each sequence's real steps; the others have to be finite."""
        return (self.weights(steps, real).squeeze(1) @ steps).squeeze(1)

    def weights(self, steps: Float[Tensor, "B T D"], real: RealSteps) -> Float[Tensor, "B 1 1 T"]:
        """How much each step counts, as the one head of one query; 0 on padding."""
        scores = self.v(steps if self.W is None else torch.tanh(self.W(steps)))  # (B, T, 1)
        return softmax_over_visible(scores.transpose(1, 2).unsqueeze(1), real, causal=False)

    def multiply_adds(self) -> int:
        """Products of a weight and a feature for each step; the weighted sum comes on top."""
        return multiply_adds(self)

    def describe(self) -> str:
        """The part as built: "Pooling by attention (additive, 64)"."""
        score = "dot" if self.W is None else f"additive, {self.W.out_features:,}"
        return f"Pooling by attention ({score})"


class Attention(nn.Module, ABC):
    """Lets vectors look at a core's steps.

    Attributes:
        out_features: The shape of what comes of one vector, (E,).
    """

    out_features: tuple[int, ...]

    @abstractmethod
    def forward(
        self, steps: Float[Tensor, "B T D"], real: RealSteps, queries: Float[Tensor, "B Q S"] | None = None
    ) -> Float[Tensor, "B Q E"]:
        """What comes of each query and the steps it looked at.

        Args:
            steps: A core's outputs; finite on padding, which gets no weight.
            real: Which of them are real.
            queries: Vectors that look at all steps of their sequence. None lets each step ask, only itself and
                earlier ones if the task is causal; what comes of padded steps then means nothing.
        """

    @abstractmethod
    def weights(
        self, steps: Float[Tensor, "B T D"], real: RealSteps, queries: Float[Tensor, "B Q S"] | None = None
    ) -> Float[Tensor, "B N Q T"]:
        """How much each of N heads looks at each step, from each query, by `forward`'s arguments."""

    def multiply_adds(self) -> int:
        """Products of a weight and a feature for each step that asks and is asked; comparing them comes on top."""
        return multiply_adds(self)

    @abstractmethod
    def describe(self) -> str:
        """The part as built, in a few words."""


@final
class BahdanauAttention(Attention):
    """(s | c), a query and its context: what it found in the steps  (Bahdanau 2015, arXiv 1409.0473, A.1.2).

    c = sum_t a_t y_t (eq 5), a = softmax over the steps it may see (eq 6) of v . tanh(W s + U y_t).

    From each step, (B, T, T, attention_size) values are compared: a few queries at a time, and once more on the way
    back, so that they stay in the cache and memory holds none of them.
    """

    def __init__(
        self, width: int, attention_size: int, *, causal: bool = False, query_width: int | None = None
    ) -> None:
        """Builds the comparison.

        Args:
            width: D, features of a step.
            attention_size: Units that compare.
            causal: Whether a step that asks sees only itself and earlier ones.
            query_width: S, features of a query; None is D.
        """
        super().__init__()
        query_width = query_width or width
        self.out_features = (query_width + width,)
        self.causal = causal
        self.W = nn.Linear(query_width, attention_size, bias=False)
        self.U = nn.Linear(width, attention_size, bias=False)
        self.v = nn.Linear(attention_size, 1, bias=False)

    def forward(
        self, steps: Float[Tensor, "B T D"], real: RealSteps, queries: Float[Tensor, "B Q S"] | None = None
    ) -> Float[Tensor, "B Q E"]:
        """Each query, and beside it its context."""
        context = self.weights(steps, real, queries).squeeze(1) @ steps
        asking = steps if queries is None else queries
        return torch.cat([asking, context.to(asking.dtype)], -1)

    def weights(
        self, steps: Float[Tensor, "B T D"], real: RealSteps, queries: Float[Tensor, "B Q S"] | None = None
    ) -> Float[Tensor, "B N Q T"]:
        """How much each query looks at each step; one head."""
        causal = self.causal and queries is None
        asking = self.W(steps if queries is None else queries)  # (B, Q, A)
        scores = self._scores(asking, self.U(steps), causal=causal)
        return softmax_over_visible(scores.unsqueeze(1), real, causal=causal)

    def _scores(self, asking: Tensor, asked: Tensor, *, causal: bool) -> Tensor:
        """(B, Q, T) scores of (B, Q, A) and (B, T, A); if causal, arbitrary where a query sees nothing."""
        (_, queries, _), steps = asking.shape, asked.shape[1]
        at_once = max(1, AT_ONCE.get(asked.device.type, AT_ONCE_ELSEWHERE) // asked.numel())
        if queries <= at_once or tracing():
            return self._compare(asking, asked)
        pieces: list[Tensor] = []
        for part in asking.split(at_once, 1):
            seen = min(steps, at_once * (len(pieces) + 1)) if causal else steps
            piece = checkpoint(self._compare, part, asked[:, :seen], use_reentrant=False, preserve_rng_state=False)
            pieces.append(F.pad(piece, (0, steps - seen)))
        return torch.cat(pieces, 1)

    def _compare(self, asking: Tensor, asked: Tensor) -> Tensor:
        """The score v . tanh(W s + U y) of each query and each step."""
        scores: Tensor = self.v(torch.tanh(asking.unsqueeze(2) + asked.unsqueeze(1))).squeeze(-1)
        return scores

    def describe(self) -> str:
        """The part as built: "Bahdanau attention (64), causal"."""
        return f"Bahdanau attention ({self.v.in_features:,}){_causal(self.causal)}"


@final
class MultiHeadOverSteps(Attention):
    """LayerNorm(s + MultiHead(s, y, y)): a query, and what several heads found for it  (Vaswani 2017, section 3).

    Dropout is on what they found, before it is added (section 5.4).
    """

    def __init__(
        self, width: int, num_heads: int, dropout: float, *, causal: bool = False, query_width: int | None = None
    ) -> None:
        """Builds the look-ups.

        Args:
            width: D, features of a step.
            num_heads: Has to divide the features of a query.
            dropout: Of what the heads found.
            causal: Whether a step that asks sees only itself and earlier ones.
            query_width: S, features of a query; None is D. Steps of another width are mapped to it first.
        """
        super().__init__()
        query_width = query_width or width
        self.out_features = (query_width,)
        self.causal = causal
        self.enter = None if query_width == width else nn.Linear(width, query_width, bias=False)
        self.attention = MultiHeadAttention(query_width, num_heads)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(query_width)

    def forward(
        self, steps: Float[Tensor, "B T D"], real: RealSteps, queries: Float[Tensor, "B Q S"] | None = None
    ) -> Float[Tensor, "B Q E"]:
        """Each query with what was found for it added to it, normalised."""
        asking, asked, causal = self._sides(steps, queries)
        found = self.attention(asking, asked, real, causal=causal)
        attended: Tensor = self.norm(asking + self.dropout(found))
        return attended

    def weights(
        self, steps: Float[Tensor, "B T D"], real: RealSteps, queries: Float[Tensor, "B Q S"] | None = None
    ) -> Float[Tensor, "B N Q T"]:
        """How much each head of each query looks at each step."""
        asking, asked, causal = self._sides(steps, queries)
        return self.attention.weights(asking, asked, real, causal=causal)

    def _sides(self, steps: Tensor, queries: Tensor | None) -> tuple[Tensor, Tensor, bool]:
        """Who asks, who is asked, and whether later steps are hidden."""
        asked = steps if self.enter is None else self.enter(steps)
        return (asked, asked, self.causal) if queries is None else (queries, asked, False)

    def describe(self) -> str:
        """The part as built: "Multi-head attention (4 heads), causal"."""
        heads = self.attention.num_heads
        return f"Multi-head attention ({heads} head{'s' * (heads > 1)}){_causal(self.causal)}"


def _causal(causal: bool) -> str:
    return ", causal" if causal else ""
