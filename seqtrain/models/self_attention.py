"""Self-attention without recurrence: each step reads the others directly, all at once."""

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqtrain.errors import ConfigError
from seqtrain.model import State
from seqtrain.models.attention import MultiHeadOverSteps
from seqtrain.models.attentive import check_num_heads
from seqtrain.models.core import Core
from seqtrain.models.model_spec import ModelSpec
from seqtrain.models.multihead import MultiHeadAttention
from seqtrain.models.padded import RealSteps
from seqtrain.models.work import multiply_adds
from seqtrain.spec import TaskSpec, Values


@final
@dataclass(frozen=True, kw_only=True)
class SelfAttentionSpec(ModelSpec):
    """Blocks of self-attention on vectors (Vaswani 2017, arXiv 1706.03762), causal where the task is.

    Where batches continue one another, each is read as a beginning: remembering them all would take ever more memory.
    As a decoder, its blocks read what was written, and attention over the encoder's steps follows the last.

    Attributes:
        num_heads: Look-ups side by side in each block; has to divide hidden_size.
        feedforward_size: Units between the two affine maps of a block; None takes 4 * hidden_size.
    """

    num_heads: int = 4
    feedforward_size: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.hidden_size % 2:
            raise ConfigError(
                f"model.hidden_size={self.hidden_size}: must be even, half for the sines and half for the cosines of "
                "positions"
            )
        check_num_heads(self.num_heads, self.hidden_size, "features of model.hidden_size")
        if self.feedforward_size is not None and self.feedforward_size < 1:
            raise ConfigError(f"model.feedforward_size={self.feedforward_size}: must be at least 1")

    def core_refusal(self, task: TaskSpec) -> str | None:
        """Refuses nothing: where later steps may not be seen, none is."""
        return None

    def build_core(self, features: tuple[int, ...], task: TaskSpec) -> "SelfAttention":
        """The core that reads steps of F features."""
        return SelfAttention(self, features, task)

    def build_decoder_attention(self, steps: tuple[int, ...], queries: tuple[int, ...]) -> MultiHeadOverSteps:
        """As many heads as a block has."""
        (width,), (query_width,) = steps, queries
        return MultiHeadOverSteps(width, self.num_heads, self.dropout, query_width=query_width)


@final
class SelfAttention(Core):
    """Reads sequences with blocks of self-attention, each step at the same time as all others.

    Steps become D features by an affine map; positions are added to them; blocks follow, and a layer norm.
    """

    remembers: ClassVar[bool] = False

    def __init__(self, spec: SelfAttentionSpec, features: tuple[int, ...], task: TaskSpec) -> None:
        super().__init__()
        self.spec = spec
        (self.in_size,) = features
        self.out_features = (spec.hidden_size,)
        self.causal = task.causal
        self.keeps_steps = task.causal and not task.carry
        # An embedded symbol is a vector of length 1, a step of values has features of about 1. Both should enter
        # as large as positions do  (section 3.4).
        self.scale = 1.0 if isinstance(task.input, Values) else self.in_size**0.5
        self.enter = nn.Linear(self.in_size, spec.hidden_size)
        self.blocks = nn.ModuleList(Block(spec, causal=task.causal) for _ in range(spec.num_layers))
        self.norm = nn.LayerNorm(spec.hidden_size)

    def forward(
        self, x: Float[Tensor, "B T F"], lengths: Int[Tensor, " B"], state: State | None = None
    ) -> tuple[Float[Tensor, "B T D"], State]:
        """Reads each sequence up to its own length.

        Args:
            x: Features. Steps at or past a sequence's length are never read.
            lengths: Real steps per sequence, in 1..T, on the CPU.
            state: What an earlier call returned; None or empty is nothing.

        Returns:
            outputs: Zero at and past each sequence's length.
            state: All steps read so far, (P, B, F), to be read again before the next ones: later steps look at them.
                Empty where none may, where sequences ended apart, and where batches continue one another.

        Raises:
            LengthError: If a length is below 1 or above T.
        """
        real = RealSteps(lengths, x.shape[1], x.device)
        together, past = not real.ragged, len(state[0]) if state else 0
        if state:
            x = torch.cat([state[0].transpose(0, 1).to(x.dtype), x], 1)
            real = RealSteps(lengths + past, x.shape[1], x.device)
        y = self._enter(x, real)
        for block in self.blocks:
            y = block(y, real)
        outputs = real.zero_padding(self.norm(y))
        return outputs[:, past:], (x.transpose(0, 1),) if self.keeps_steps and together else ()

    def weights(self, x: Float[Tensor, "B T F"], lengths: Int[Tensor, " B"]) -> tuple[Float[Tensor, "B N T T"], ...]:
        """How much each head of each step looks at each step, for each block; arguments as of `forward`."""
        real = RealSteps(lengths, x.shape[1], x.device)
        y = self._enter(x, real)
        found = []
        for block in self.blocks:
            assert isinstance(block, Block)
            found.append(real.zero_padding(block.weights(y, real).transpose(1, 2)).transpose(1, 2))
            y = block(y, real)
        return tuple(found)

    def _enter(self, x: Tensor, real: RealSteps) -> Tensor:
        entered: Tensor = self.enter(real.zero_padding(x) * self.scale)
        return entered + positions(x.shape[1], self.spec.hidden_size, entered)

    def last(self, outputs: Float[Tensor, "B T D"], lengths: Int[Tensor, " B"], state: State) -> Float[Tensor, "B D"]:
        """The output of each sequence's last real step, which has looked at all of them."""
        return RealSteps(lengths, outputs.shape[1], outputs.device).last(outputs)

    @property
    def by_step_refusal(self) -> str:
        """It has no memory."""
        return "looks at all steps at once and hands no memory on from one to the next"

    def gates(self, x: Float[Tensor, "B T F"], lengths: Int[Tensor, " B"]) -> dict[str, Float[Tensor, "B T D"]]:
        """It has none."""
        return {}

    def multiply_adds(self) -> int:
        """Products of a weight and a feature for each step; the comparison of steps comes on top."""
        return multiply_adds(self)

    def describe(self) -> str:
        """The core as built: "Self-attention 128 -> 128, 2 layers, 4 heads, causal"."""
        layers, heads = self.spec.num_layers, self.spec.num_heads
        counts = f"{layers} layer{'s' * (layers > 1)}, {heads} head{'s' * (heads > 1)}"
        causal = ", causal" if self.causal else ""
        return f"Self-attention {self.in_size:,} -> {self.spec.hidden_size:,}, {counts}{causal}"


@final
class Block(nn.Module):
    """y' = y + MultiHead(n, n, n), n = LayerNorm(y); y'' = y' + FFN(LayerNorm(y')).

    FFN(x) = max(0, x W_1 + b_1) W_2 + b_2  (Vaswani 2017, eq 2). The layer norms stand before the maps instead of
    after the sums, which trains without a warm-up  (Xiong 2020, arXiv 2002.04745). Dropout is on both maps' results.
    """

    def __init__(self, spec: SelfAttentionSpec, *, causal: bool) -> None:
        super().__init__()
        width, inner = spec.hidden_size, spec.feedforward_size or 4 * spec.hidden_size
        self.causal = causal
        self.attention_norm = nn.LayerNorm(width)
        self.attention = MultiHeadAttention(width, spec.num_heads)
        self.feedforward_norm = nn.LayerNorm(width)
        self.feedforward = nn.Sequential(nn.Linear(width, inner), nn.ReLU(), nn.Linear(inner, width))
        self.dropout = nn.Dropout(spec.dropout)

    def forward(self, y: Float[Tensor, "B T D"], real: RealSteps) -> Float[Tensor, "B T D"]:
        """Each step with what it found in the others; what stands on padding is finite and means nothing."""
        normal = self.attention_norm(y)
        y = y + self.dropout(self.attention(normal, normal, real, causal=self.causal))
        read: Tensor = y + self.dropout(self.feedforward(self.feedforward_norm(y)))
        return read

    def weights(self, y: Float[Tensor, "B T D"], real: RealSteps) -> Float[Tensor, "B N T T"]:
        """How much each head of each step looks at each step."""
        normal = self.attention_norm(y)
        return self.attention.weights(normal, normal, real, causal=self.causal)


def positions(steps: int, width: int, like: Tensor) -> Float[Tensor, "T D"]:
    """Where steps stand, for any number of them: PE(t, 2i) = sin(t / 10000^(2i/D)), PE(t, 2i+1) = cos(the same).

    (Vaswani 2017, section 3.5.) In the type and on the device of `like`, reckoned in at least single precision,
    as bfloat16 has no whole numbers past 256.
    """
    precise = torch.promote_types(like.dtype, torch.float32)
    t = torch.arange(steps, dtype=precise, device=like.device)
    rates = 10_000 ** -(torch.arange(0, width, 2, dtype=precise, device=like.device) / width)
    angles = torch.outer(t, rates)  # (T, D / 2)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1).to(like.dtype)
