"""Recurrent cores on torch's own kernels: the Elman network, LSTM and GRU, in one or both directions."""

from dataclasses import dataclass
from typing import Literal, assert_never

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqtrain.errors import ConfigError
from seqtrain.models.core import Core, State
from seqtrain.models.model_spec import Merge, ModelSpec
from seqtrain.models.padded import RealSteps
from seqtrain.spec import TaskSpec

Cell = Literal["rnn", "lstm", "gru"]
Nonlinearity = Literal["tanh", "relu"]

SHUT = -1e4
"""What added to a gate closes it: its sigmoid is exactly 0, and exactly 1 for -SHUT, from float16 to float64."""


@dataclass(frozen=True, kw_only=True)
class RecurrentSpec(ModelSpec):
    """A stack of recurrent layers, as torch defines their cells.

    Attributes:
        cell: rnn (Elman 1990), lstm (Hochreiter & Schmidhuber 1997, with the forget gate of Gers 2000)
            or gru (Cho 2014, arXiv 1406.1078v1: the reset gate acts after the matmul).
        nonlinearity: Of the rnn cell only; None takes tanh.
        bidirectional: Whether a second half of each layer reads from the end (Schuster & Paliwal 1997).
        merge: How both directions become one output after every layer; None concatenates them.
    """

    cell: Cell
    nonlinearity: Nonlinearity | None = None
    bidirectional: bool = False
    merge: Merge | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nonlinearity is not None and self.cell != "rnn":
            raise ConfigError(f"model.nonlinearity={self.nonlinearity}: model.cell={self.cell} has none, only rnn does")
        if self.merge is not None and not self.bidirectional:
            raise ConfigError(f"model.merge={self.merge}: needs model.bidirectional=true")

    def core_refusal(self, task: TaskSpec) -> str | None:
        """Refuses the backward direction where later steps may not be seen or are not yet there."""
        if self.bidirectional and task.causal:
            return "reads later steps, which an output of this task may not see"
        if self.bidirectional and task.carry:
            return "reads from the end, and this task's sequences go on in the next batch"
        return None

    def build_core(self, features: tuple[int, ...]) -> "Recurrent":
        """The core that reads steps of F features."""
        (size,) = features
        return Recurrent(self, size)


class Recurrent(Core):
    """Reads sequences with a stack of one-directional torch layers, one per direction.

    Each layer keeps torch's names and order of gates: `layers.L.D.weight_ih_l0` holds
    (W_ii|W_if|W_ig|W_io) of layer L, forward for D = 0 and backward for D = 1. With merge=concat a
    layer reads both halves of the one below, as in a bidirectional nn.LSTM; with sum their sum.

    Sequences are read padded: packed ones would cost the LSTM its fused CPU kernel.
    """

    def __init__(self, spec: RecurrentSpec, features: int) -> None:
        super().__init__()
        self.spec = spec
        self.in_features = features
        directions = 2 if spec.bidirectional else 1
        width = spec.hidden_size if spec.merge == "sum" else spec.hidden_size * directions
        self.out_features = (width,)
        self.layers = nn.ModuleList(
            nn.ModuleList(_torch_layer(spec, features if layer == 0 else width) for _ in range(directions))
            for layer in range(spec.num_layers)
        )
        self.dropout = nn.Dropout(spec.dropout)

    def forward(
        self, x: Float[Tensor, "B T F"], lengths: Int[Tensor, " B"], state: State | None = None
    ) -> tuple[Float[Tensor, "B T D"], State]:
        """Reads each sequence up to its own length.

        Args:
            x: Features. Steps at or past a sequence's length are never read.
            lengths: Real steps per sequence, in 1..T, on the CPU.
            state: Memory to resume from, as an earlier call returned it; None is all zeros. A backward
                direction starts with its part at each sequence's last real step.

        Returns:
            outputs: Zero at and past each sequence's length.
            state: (h,), or (h, c) of an lstm, each (L, B, D), after each direction has read each
                sequence's last real step of its own. Directions, if two, are joined along D, forward first.

        Raises:
            LengthError: If a length is below 1 or above T.
        """
        real = RealSteps(lengths, x.shape[1], x.device)
        outputs = real.zero_padding(x)
        finals: list[State] = []
        for depth, directions in enumerate(self.layers):
            if depth > 0:
                outputs = self.dropout(outputs)
            start = self._zeros(x) if state is None else tuple(part[depth] for part in state)
            outputs, final = self._read_layer(directions, outputs, real, start)
            finals.append(final)
        return outputs, tuple(torch.stack(parts) for parts in zip(*finals, strict=True))

    def _zeros(self, x: Float[Tensor, "B T F"]) -> State:
        """The state of one layer that has read nothing."""
        zeros = x.new_zeros(len(x), self.spec.hidden_size * (2 if self.spec.bidirectional else 1))
        return (zeros, zeros) if self.spec.cell == "lstm" else (zeros,)

    def _read_layer(
        self, directions: nn.Module, x: Float[Tensor, "B T F"], real: RealSteps, state: State
    ) -> tuple[Float[Tensor, "B T D"], State]:
        """Reads with one layer and merges its directions; a state here is one layer's, each part (B, D)."""
        assert isinstance(directions, nn.ModuleList)
        starts = zip(*(part.chunk(len(directions), -1) for part in state), strict=True)
        forward, *backward = zip(directions, starts, strict=True)
        outputs, final = _read(*forward, x, real)
        for layer, start in backward:
            reversed_outputs, reversed_final = _read(layer, start, real.reverse(x), real)
            outputs = self._merge(outputs, real.reverse(reversed_outputs))
            final = tuple(torch.cat(parts, -1) for parts in zip(final, reversed_final, strict=True))
        return real.zero_padding(outputs), final

    def _merge(self, forward: Tensor, backward: Tensor) -> Tensor:
        return forward + backward if self.spec.merge == "sum" else torch.cat([forward, backward], -1)

    def last(
        self,
        outputs: Float[Tensor, "B T D"],
        lengths: Int[Tensor, " B"],
        state: State,
    ) -> Float[Tensor, "B D"]:
        """The output where each direction has read the whole sequence, merged as the outputs are.

        It comes from the state: with merge=sum the outputs no longer tell the directions apart.
        """
        top = state[0][-1]
        return self._merge(*top.chunk(2, -1)) if self.spec.bidirectional else top

    def describe(self) -> str:
        """The core as built: "LSTM 128 -> 256, 2 layers, both directions (concat)"."""
        spec = self.spec
        words = spec.cell.upper() + (f" ({spec.nonlinearity or 'tanh'})" if spec.cell == "rnn" else "")
        layers = "1 layer" if spec.num_layers == 1 else f"{spec.num_layers} layers"
        directions = f", both directions ({spec.merge or 'concat'})" if spec.bidirectional else ""
        return f"{words} {self.in_features:,} -> {self.out_features[0]:,}, {layers}{directions}"


def _torch_layer(spec: RecurrentSpec, features: int) -> nn.RNNBase:
    """One layer in one direction."""
    match spec.cell:
        case "rnn":
            return nn.RNN(features, spec.hidden_size, nonlinearity=spec.nonlinearity or "tanh", batch_first=True)
        case "lstm":
            return nn.LSTM(features, spec.hidden_size, batch_first=True)
        case "gru":
            return nn.GRU(features, spec.hidden_size, batch_first=True)
        case _:
            assert_never(spec.cell)


def _read(
    layer: nn.Module, start: State, x: Float[Tensor, "B T F"], real: RealSteps
) -> tuple[Float[Tensor, "B T D"], State]:
    """Reads forward with one torch layer.

    Returns:
        outputs: Arbitrary at and past each sequence's length.
        state: After each sequence's last real step, each part (B, D).
    """
    # Under autocast a state comes back in another type than the features, which torch's layers don't take;
    # cuDNN's don't take views either.
    start = tuple(part.to(x.dtype).unsqueeze(0).contiguous() for part in start)
    if isinstance(layer, nn.LSTM):
        outputs, c = _read_lstm(layer, start, x, real)
        return outputs, (real.last(outputs), c)
    outputs, _ = layer(x, *start)
    return outputs, (real.last(outputs),)


def _read_lstm(
    lstm: nn.LSTM, start: State, x: Float[Tensor, "B T F"], real: RealSteps
) -> tuple[Float[Tensor, "B T D"], Float[Tensor, "B D"]]:
    """Reads forward with an LSTM whose cell state stands still on padding.

    The fused kernel returns c only after step T, so on a ragged batch the input gets one more column,
    1 on padding and 0 elsewhere, whose weights shut the input gate and open the forget gate:
    c_t = 1 * c_{t-1} + 0 * g_t. Both gates are flat there, so padding adds nothing to a gradient either.
    """
    if not real.ragged:
        outputs, (_, c) = lstm(x, start)
        return outputs, c[0]
    flagged = torch.cat([x, real.padding.unsqueeze(-1).to(x.dtype)], -1)
    outputs, _, c = torch.lstm(flagged, start, _stopping_weights(lstm), True, 1, 0.0, lstm.training, False, True)
    return outputs, c[0]


def _stopping_weights(lstm: nn.LSTM) -> list[Tensor]:
    """An LSTM's weights with one input column more, which stops its cell state wherever that input is 1."""
    weight_ih, weight_hh, bias_ih, bias_hh = lstm.all_weights[0]
    column = weight_ih.new_zeros(4, lstm.hidden_size, 1)
    column[0], column[1] = SHUT, -SHUT  # (i|f|g|o)
    weights = [torch.cat([weight_ih, column.flatten(0, 1)], 1), weight_hh, bias_ih, bias_hh]
    # Laid out in one row, as cuDNN wants them; it would copy them there itself, and warn at every call.
    row = torch.cat([weight.flatten() for weight in weights])
    pieces = row.split([weight.numel() for weight in weights])
    return [piece.view_as(weight) for piece, weight in zip(pieces, weights, strict=True)]
