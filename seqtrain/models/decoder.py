"""What writes a sequence: stem, core and readout once more, fed with what was said and asking what was read."""

from typing import NamedTuple, final

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from seqtrain.model import State
from seqtrain.models.attention import Attention
from seqtrain.models.core import Core
from seqtrain.models.padded import RealSteps
from seqtrain.models.readout import MapReadout, Readout
from seqtrain.models.stem import Stem
from seqtrain.models.work import multiply_adds


class Encoded(NamedTuple):
    """What a decoder knows of the sequences that were read: the encoder's outputs, and which of them are real."""

    steps: Float[Tensor, "B T *D"]
    real: RealSteps


class Written(NamedTuple):
    """Answers to what was said: (B, U, *E), the core's outputs behind them, and the state after the last."""

    outputs: Tensor
    queries: Tensor
    state: State


@final
class Bridge(nn.Module):
    """The state that a decoder begins with, from an encoder's of two directions: of each layer W (h_1 | h_2) + b.

    Of h its tanh  (Bahdanau 2015, A.2.2), as h is between -1 and 1; c has no bounds. An encoder of one direction
    hands its state over as it is  (Sutskever 2014) and needs no bridge.
    """

    def __init__(self, memories: int, layers: int, hidden_size: int) -> None:
        super().__init__()
        self.maps = nn.ModuleList(
            nn.ModuleList(nn.Linear(2 * hidden_size, hidden_size) for _ in range(layers)) for _ in range(memories)
        )

    def forward(self, state: State) -> State:
        """From (L, B, 2D, ...) parts to (L, B, D, ...) ones."""
        crossed = []
        for memory, (part, maps) in enumerate(zip(state, self.maps, strict=True)):
            assert isinstance(maps, nn.ModuleList)
            layers = [each(layer.movedim(1, -1)).movedim(-1, 1) for each, layer in zip(maps, part, strict=True)]
            crossed.append(torch.stack(layers).tanh() if memory == 0 else torch.stack(layers))
        return tuple(crossed)

    def multiply_adds(self) -> int:
        """Products of a weight and a feature for each sequence."""
        return multiply_adds(self)

    def describe(self) -> str:
        """The part as built: "Linear 512 -> 256 of each layer's state"."""
        linear = next(part for part in self.modules() if isinstance(part, nn.Linear))
        return f"Linear {linear.in_features:,} -> {linear.out_features:,} of each layer's state"


@final
class Combination(nn.Module):
    """tanh(W_c (y | context)): a step and what it found, in as many features as a step has (Luong 2015, eq 5)."""

    def __init__(self, wide: int, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(wide, width, bias=False)

    def forward(self, attended: Float[Tensor, "N U E"]) -> Float[Tensor, "N U S"]:
        """The features of each step."""
        combined: Tensor = self.linear(attended).tanh()
        return combined

    def multiply_adds(self) -> int:
        """Products of a weight and a feature for each step."""
        return multiply_adds(self)

    def describe(self) -> str:
        """The part as built: "Linear 768 -> 256, tanh"."""
        return f"Linear {self.linear.in_features:,} -> {self.linear.out_features:,}, tanh"


@final
class Decoder(nn.Module):
    """Answers each step from what was said before it, and from what it finds in the encoder's steps.

    x_u = stem(said_u), y_u = core(x_1 .. x_u), a_u = y_u, or with attention what it makes of y_u and the encoder's
    steps, then readout(a_u). Attention comes after the cell, as in Luong 2015, so that with the truth told all steps
    are read at once.

    With input feeding x_u = (stem(said_u) | a_{u-1}), a_0 = 0, so that steps are read one by one.
    """

    def __init__(
        self,
        stem: Stem,
        core: Core,
        attention: Attention | None,
        readout: Readout | MapReadout,
        bridge: Bridge | None,
        dropout: float,
        *,
        input_feeding: bool,
    ) -> None:
        super().__init__()
        self.bridge = bridge
        self.stem = stem
        self.core = core
        self.attention = attention
        self.combine: Combination | None = None
        if attention is not None and attention.out_features != core.out_features:
            (wide,), (width,) = attention.out_features, core.out_features
            self.combine = Combination(wide, width)
        self.readout = readout
        self.input_feeding = input_feeding
        self.dropout = nn.Dropout(dropout)

    def begin(self, state: State) -> State:
        """The state before anything was said, from the encoder's last."""
        if not self.core.remembers:
            return ()
        begun = state if self.bridge is None else self.bridge(state)
        if self.input_feeding:
            begun = (*begun, begun[0].new_zeros(1, begun[0].shape[1], *self.core.out_features))
        return begun

    def forward(
        self, said: Shaped[Tensor, "N U ..."], lengths: Int[Tensor, " N"], state: State, encoded: Encoded
    ) -> Written:
        """The answers after each of the steps said.

        Args:
            said: What was said; of a sequence read there may be several, side by side: N is B times how many.
            lengths: How many steps of it are real, on the CPU. What stands past them means nothing in the answers.
            state: Before the first of them; of `begin`, or as an earlier call returned it.
            encoded: Of the B sequences that were read.
        """
        x = self.dropout(self.stem(said))
        if not self.input_feeding:
            y, state = self.core(x, lengths, state or None)
            return Written(self.readout(self.dropout(self._attend(y, encoded))), y, state)
        ones = torch.ones_like(lengths)
        queries, attended = [], []
        *own, found = state
        for u in range(x.shape[1]):
            y, own = self.core(torch.cat([x[:, u : u + 1], found.transpose(0, 1)], -1), ones, tuple(own))
            queries.append(y)
            attended.append(self._attend(y, encoded))
            found = attended[-1].transpose(0, 1)
        outputs = self.readout(self.dropout(torch.cat(attended, 1)))
        return Written(outputs, torch.cat(queries, 1), (*own, found))

    def _attend(self, y: Float[Tensor, "N U *S"], encoded: Encoded) -> Float[Tensor, "N U *S"]:
        if self.attention is None:
            return y
        queries = y.reshape(encoded.steps.shape[0], -1, y.shape[-1])  # all that ask the same sequence
        attended: Tensor = self.attention(encoded.steps, encoded.real, queries).view(*y.shape[:2], -1)
        return attended if self.combine is None else self.combine(attended)

    def weights(self, queries: Float[Tensor, "B U *S"], encoded: Encoded) -> tuple[Float[Tensor, "B N U T"], ...]:
        """How much each head of each step looked at each step of the encoder."""
        return () if self.attention is None else (self.attention.weights(encoded.steps, encoded.real, queries),)
