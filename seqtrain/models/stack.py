"""Stacks of recurrent layers, in one or both directions, whatever their cell."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Literal, final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqtrain.errors import ConfigError
from seqtrain.model import State
from seqtrain.models.cells import Cell, weights_of
from seqtrain.models.core import Core
from seqtrain.models.engine import MEMORIES, read_fast, read_inside, read_scan, read_steps
from seqtrain.models.initialise import Init, initialise
from seqtrain.models.model_spec import Merge, ModelSpec
from seqtrain.models.native import read_native
from seqtrain.models.padded import RealSteps
from seqtrain.models.tracing import exporting, tracing
from seqtrain.models.work import multiply_adds
from seqtrain.spec import TaskSpec

Kernel = Literal["auto", "native", "engine", "reference"]

ENGINE_STEPS = 8
"""From how many steps on the engine makes up for what it has to prepare, where torch has a loop of its own."""


@dataclass(frozen=True, kw_only=True)
class StackSpec(ModelSpec, ABC):
    """The options that all stacks of recurrent layers share.

    Attributes:
        bidirectional: Whether a second half of each layer reads from the end (Schuster & Paliwal 1997).
        merge: How both directions become one output after every layer; None concatenates them.
        residual: Whether each layer above the first adds its input to its output.
        recurrent_dropout: Chance that the recurrent weights don't see a feature of the memory, drawn once per
            sequence, the same at every step (Gal & Ghahramani 2016, arXiv 1512.05287).
        init: How weights start; `initialise` has the table.
        forget_bias: What the forget gate's biases add up to at the start; None leaves them as init has them.
        kernel: What computes it: torch's own kernel (native), our engine, or a loop over the cell's equations
            to learn from (reference); auto takes the fastest that can.
    """

    bidirectional: bool = False
    merge: Merge | None = None
    residual: bool = False
    recurrent_dropout: float = 0.0
    init: Init = "default"
    forget_bias: float | None = None
    kernel: Kernel = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.merge is not None and not self.bidirectional:
            raise ConfigError(f"model.merge={self.merge}: needs model.bidirectional=true")
        if self.residual and self.num_layers == 1:
            raise ConfigError("model.residual=true: needs model.num_layers=2 or more, to go around a layer")
        if not 0 <= self.recurrent_dropout < 1:
            raise ConfigError(f"model.recurrent_dropout={self.recurrent_dropout}: must be at least 0 and below 1")
        if self.kernel == "native" and self.recurrent_dropout > 0:
            raise ConfigError(
                f"model.recurrent_dropout={self.recurrent_dropout}: torch's own loop (model.kernel=native) has none; "
                "use model.kernel=auto, engine or reference"
            )

    def core_refusal(self, task: TaskSpec) -> str | None:
        """Refuses the backward direction where later steps may not be seen or are not yet there."""
        if self.bidirectional and task.causal:
            return "reads later steps, which an output of this task may not see"
        if self.bidirectional and task.carry:
            return "reads from the end, and this task's sequences go on in the next batch"
        return None

    def one_way(self) -> "StackSpec":
        """The same options in one direction."""
        return replace(self, bidirectional=False, merge=None)

    @property
    @abstractmethod
    def has_native_kernel(self) -> bool:
        """Whether torch has such layers."""

    @property
    @abstractmethod
    def title(self) -> str:
        """The cell in a few words: "RNN (tanh)"."""


@final
class Recurrent(Core):
    """Reads sequences with a stack of layers, each of one or two directions.

    Each layer keeps torch's names and order of gates: `layers.L.D.weight_ih_l0` holds
    (W_ii|W_if|W_ig|W_io) of layer L, forward for D = 0 and backward for D = 1. With merge=concat a
    layer reads both halves of the one below, as in a bidirectional nn.LSTM; with sum their sum. The names
    don't depend on the kernel: weights trained by one are loaded by any.

    Sequences are read padded: packed ones would cost the LSTM its fused CPU kernel.
    """

    def __init__(self, spec: StackSpec, cell: Cell, features: tuple[int, ...], *, normalise: bool = False) -> None:
        """Builds a stack.

        Args:
            spec: The options that don't depend on the cell.
            cell: The equations of every layer.
            features: What a step holds, (F,) or (C, Y, X).
            normalise: Whether a layer norm follows the last layer.
        """
        super().__init__()
        self.spec = spec
        self.cell = cell
        self.in_features = features
        self.directions = 2 if spec.bidirectional else 1
        width = spec.hidden_size if spec.merge == "sum" else spec.hidden_size * self.directions
        self.out_features = (width, *features[1:])
        self.layers = nn.ModuleList(
            nn.ModuleList(
                cell.weights(features[0] if depth == 0 else width, spec.hidden_size) for _ in range(self.directions)
            )
            for depth in range(spec.num_layers)
        )
        for layer in self._all_layers():
            initialise(cell, layer, spec.init, spec.forget_bias)
        self.dropout = nn.Dropout(spec.dropout)
        self.norm = nn.LayerNorm(width) if normalise else None

    def _all_layers(self) -> list[nn.Module]:
        return [layer for directions in self.layers for layer in directions.children()]

    def forward(
        self, x: Float[Tensor, "B T *F"], lengths: Int[Tensor, " B"], state: State | None = None
    ) -> tuple[Float[Tensor, "B T *D"], State]:
        """Reads each sequence up to its own length.

        Args:
            x: Features. Steps at or past a sequence's length are never read.
            lengths: Real steps per sequence, in 1..T, on the CPU.
            state: Memory to resume from, as an earlier call returned it; None is all zeros. A backward
                direction starts with its part at each sequence's last real step.

        Returns:
            outputs: Zero at and past each sequence's length.
            state: (h,), or (h, c) of the LSTMs, each (L, B, D) or (L, B, D, Y, X), after each direction has read
                each sequence's last real step of its own. Directions, if two, are joined along D, forward first.

        Raises:
            LengthError: If a length is below 1 or above T.
        """
        real = RealSteps(lengths, x.shape[1], x.device)
        outputs = real.zero_padding(x)
        finals: list[State] = []
        for depth, directions in enumerate(self.layers):
            below = outputs
            start = self._zeros(x) if state is None else tuple(part[depth] for part in state)
            layers = list(directions.children())
            outputs, final = self._read_layer(layers, self.dropout(below) if depth else below, real, start)
            if self.spec.residual and depth > 0:
                outputs = outputs + below
            finals.append(final)
        if self.norm is not None:
            outputs = real.zero_padding(self.norm(outputs))
        return outputs, tuple(torch.stack(parts) for parts in zip(*finals, strict=True))

    def _zeros(self, x: Tensor) -> State:
        """The state of one layer that has read nothing."""
        zeros = x.new_zeros(x.shape[0], self.spec.hidden_size * self.directions, *x.shape[3:])
        return (zeros,) * self.cell.memories

    def _read_layer(
        self, layers: list[nn.Module], x: Float[Tensor, "B T *F"], real: RealSteps, state: State
    ) -> tuple[Float[Tensor, "B T *D"], State]:
        """Reads with one layer and merges its directions; a state here is one layer's, each part (B, D, ...)."""
        starts = zip(*(part.chunk(len(layers), 1) for part in state), strict=True)
        forward, *backward = zip(layers, starts, strict=True)
        outputs, final = self._read(*forward, x, real)
        for layer, start in backward:
            reversed_outputs, reversed_final = self._read(layer, start, real.reverse(x), real)
            outputs = self._merge(outputs, real.reverse(reversed_outputs), axis=2)
            final = tuple(torch.cat(parts, 1) for parts in zip(final, reversed_final, strict=True))
        return real.zero_padding(outputs), final

    def _read(
        self, layer: nn.Module, start: State, x: Float[Tensor, "B T *F"], real: RealSteps
    ) -> tuple[Float[Tensor, "B T *D"], State]:
        """Reads forward with one layer; outputs are arbitrary at and past each sequence's length."""
        mask = self._mask(x)
        padding = real.padding if real.ragged else None
        if exporting():
            known = isinstance(x.shape[1], int)
            return (read_steps if known else read_scan)(self.cell, weights_of(layer), x, start, padding, mask)
        kernel = self._kernel(x, mask)
        if kernel == "native":
            return read_native(layer, x, start, real)
        read = read_fast if kernel == "engine" else read_steps
        outputs, final = read(self.cell, weights_of(layer), x, start, padding, mask)
        return outputs, (real.last(outputs), *final[1:]) if real.ragged else final

    def _mask(self, x: Tensor) -> Tensor | None:
        """What the recurrent weights see of each sequence's memory, (B, D, ...); None is all."""
        chance = self.spec.recurrent_dropout
        if not self.training or chance == 0:
            return None
        kept = x.new_full((len(x), self.spec.hidden_size, *[1] * (x.dim() - 3)), 1 - chance)
        return kept.bernoulli() / (1 - chance)

    def _kernel(self, x: Tensor, mask: Tensor | None) -> Kernel:
        """What reads this batch.

        Of the cells that torch has, it trains the LSTM on a fused kernel everywhere, but the others on the CPU by a
        loop that the engine outruns, by a tenth on large batches to twofold on single sequences. Without gradients,
        or for a few steps, torch's loop has less to prepare.
        """
        if self.spec.kernel != "auto":
            return self.spec.kernel
        if not self.spec.has_native_kernel or mask is not None:
            return "engine"
        slow = x.device.type == "cpu" and self.cell.memories == 1
        long = torch.is_grad_enabled() and x.shape[1] >= ENGINE_STEPS
        return "engine" if slow and long and not tracing() else "native"

    def _merge(self, forward: Tensor, backward: Tensor, axis: int) -> Tensor:
        return forward + backward if self.spec.merge == "sum" else torch.cat([forward, backward], axis)

    def last(
        self,
        outputs: Float[Tensor, "B T *D"],
        lengths: Int[Tensor, " B"],
        state: State,
    ) -> Float[Tensor, "B *D"]:
        """The output where each direction has read the whole sequence, merged as the outputs are.

        It comes from the state: with merge=sum the outputs no longer tell the directions apart. With residuals
        the layers' memories add up, as their outputs do.
        """
        top = state[0].sum(0) if self.spec.residual else state[0][-1]
        if self.spec.bidirectional:
            forward, backward = top.chunk(2, 1)
            top = self._merge(forward, backward, axis=1)
        return top if self.norm is None else self.norm(top)

    @property
    def by_step_refusal(self) -> str | None:
        """The backward direction can't begin before all has been read."""
        return "reads from the end as well, so that no one step is the last" if self.spec.bidirectional else None

    def gates(self, x: Float[Tensor, "B T *F"], lengths: Int[Tensor, " B"]) -> dict[str, Float[Tensor, "B T *D"]]:
        """What each gate let through, of every layer and direction."""
        inside = self.inside(x, lengths)
        return {name: part for name, part in inside.items() if name.rpartition("/")[2] not in MEMORIES}

    def inside(self, x: Float[Tensor, "B T *F"], lengths: Int[Tensor, " B"]) -> dict[str, Float[Tensor, "B T *D"]]:
        """Gates and memories of every layer and direction."""
        real, start, found = RealSteps(lengths, x.shape[1], x.device), self._zeros(x), {}
        below = real.zero_padding(x)
        for depth, directions in enumerate(self.layers):
            layers = list(directions.children())
            begin = tuple(part.chunk(len(layers), 1)[0] for part in start)
            for direction, layer in enumerate(layers):
                read = real.reverse(below) if direction else below
                for name, part in read_inside(self.cell, weights_of(layer), read, begin).items():
                    found[f"layers.{depth}.{direction}/{name}"] = real.reverse(part) if direction else part
            outputs, _ = self._read_layer(layers, below, real, start)
            below = outputs + below if self.spec.residual and depth > 0 else outputs
        return found

    def multiply_adds(self) -> int:
        """Products of a weight and a feature for each step; a convolution's at every place."""
        return multiply_adds(self.layers, places=math.prod(self.in_features[1:]))

    def describe(self) -> str:
        """The core as built: "LSTM 128 -> 256, 2 layers, both directions (concat)"."""
        spec = self.spec
        layers = "1 layer" if spec.num_layers == 1 else f"{spec.num_layers} layers"
        directions = f", both directions ({spec.merge or 'concat'})" if spec.bidirectional else ""
        extras = (", residual" if spec.residual else "") + ("" if self.norm is None else ", layer norm on the outputs")
        return f"{spec.title} {_shape(self.in_features)} -> {_shape(self.out_features)}, {layers}{directions}{extras}"


def _shape(sizes: tuple[int, ...]) -> str:
    return " x ".join(f"{size:,}" for size in sizes)
