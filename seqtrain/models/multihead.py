"""Multi-head attention: several softmax look-ups at once, each in a space of its own."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from seqtrain.models.padded import RealSteps


def softmax_over_visible(scores: Tensor, real: RealSteps, *, causal: bool) -> Tensor:
    """The softmax of (..., Q, T) scores over the steps that a query may see; exactly 0 on all others.

    Args:
        scores: Its first axis is B. What stands on padding is never read.
        real: Which of the T steps are real.
        causal: Whether the queries are the steps themselves and none may see a later one.
    """
    if causal:
        # It hides the padding too, which comes after every real step.
        later = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
        scores = scores.masked_fill(later, -torch.inf)
    elif real.ragged:
        batch, steps = real.padding.shape
        scores = scores.masked_fill(real.padding.view(batch, *[1] * (scores.dim() - 2), steps), -torch.inf)
    return scores.softmax(-1)


class MultiHeadAttention(nn.Module):
    """MultiHead(Q, K, V) = Concat(head_1, ..., head_N) W^O  (Vaswani 2017, arXiv 1706.03762, section 3.2).

    head_i = softmax(Q W_i^Q (K W_i^K)^T / sqrt(D / N)) V W_i^V (eq 1), with keys and values from the same steps.

    As in the paper the projections have no biases: one on the keys would shift all scores of a query alike and
    never learn. Names and layout of the weights are those of torch.nn.MultiheadAttention(bias=False).
    """

    def __init__(self, width: int, num_heads: int) -> None:
        """Builds the projections; num_heads has to divide the width."""
        super().__init__()
        assert width % num_heads == 0
        self.num_heads = num_heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))  # (W^Q|W^K|W^V), head by head
        self.out_proj = nn.Linear(width, width, bias=False)
        nn.init.xavier_uniform_(self.in_proj_weight)

    def forward(
        self, queries: Float[Tensor, "B Q D"], steps: Float[Tensor, "B T D"], real: RealSteps, *, causal: bool
    ) -> Float[Tensor, "B Q D"]:
        """What each query finds in the steps, by torch's fused kernels, which never write the weights out.

        Args:
            queries: Who asks.
            steps: Who is asked; finite on padding, which gets no weight.
            real: Which of the T steps are real.
            causal: Whether the queries are the steps themselves and none may see a later one.
        """
        q, k, v = self._project(queries, steps)
        # The causal mask hides the padding too, which comes after every real step.
        mask = ~real.padding[:, None, None] if real.ragged and not causal else None
        heads = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal)  # (B, N, Q, D / N)
        found: Tensor = self.out_proj(heads.transpose(1, 2).flatten(2))
        return found

    def weights(
        self, queries: Float[Tensor, "B Q D"], steps: Float[Tensor, "B T D"], real: RealSteps, *, causal: bool
    ) -> Float[Tensor, "B N Q T"]:
        """How much each head of each query looks at each step; arguments as of `forward`."""
        q, k, _ = self._project(queries, steps)
        scores = q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5
        return softmax_over_visible(scores, real, causal=causal)

    def _project(self, queries: Tensor, steps: Tensor) -> tuple[Tensor, ...]:
        """Queries, keys and values by head, each (B, N, Q or T, D / N)."""
        if queries is steps:
            projected = F.linear(steps, self.in_proj_weight).chunk(3, -1)
        else:
            width = steps.shape[-1]
            asked = F.linear(steps, self.in_proj_weight[width:]).chunk(2, -1)
            projected = (F.linear(queries, self.in_proj_weight[:width]), *asked)
        return tuple(part.unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for part in projected)
