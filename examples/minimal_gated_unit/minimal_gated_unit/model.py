"""The minimal gated unit: a model is a spec, which holds options, and the core that it builds."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqtrain.models import Core, ModelSpec, State
from seqtrain.models.padded import RealSteps
from seqtrain.spec import TaskSpec


@final
@dataclass(frozen=True, kw_only=True)
class MinimalGatedUnitSpec(ModelSpec):
    """Layers of minimal gated units. The options that all models share are inherited, and so must be honoured.

    Attributes:
        forget_bias: What the bias of each forget gate starts with; below 0, units begin by keeping what they hold.
    """

    forget_bias: float = 0.0

    def core_refusal(self, task: TaskSpec) -> str | None:
        """Refuses nothing: it reads forward only, whatever the task."""
        return None

    def build_core(self, features: tuple[int, ...], task: TaskSpec) -> "MinimalGatedUnit":
        """The layers for steps of F features; no size of the data ever stands in YAML."""
        return MinimalGatedUnit(self, features[0])


@final
class MinimalGatedUnit(Core):
    """Reads with one gate, which forgets and lets in  (Zhou 2016, arXiv 1603.09420, eqs 6-8).

    f = s(W_f [h, x] + b_f); n = tanh(W_n [f h, x] + b_n); h' = (1 - f) h + f n.
    """

    def __init__(self, spec: MinimalGatedUnitSpec, features: int) -> None:
        super().__init__()
        self.spec = spec
        self.in_size = features
        self.out_features = (spec.hidden_size,)
        widths = [features] + [spec.hidden_size] * (spec.num_layers - 1)
        self.layers = nn.ModuleList(Layer(width, spec.hidden_size, spec.forget_bias) for width in widths)
        self.dropout = nn.Dropout(spec.dropout)

    def forward(
        self, x: Float[Tensor, "B T F"], lengths: Int[Tensor, " B"], state: State | None = None
    ) -> tuple[Float[Tensor, "B T D"], State]:
        """Reads each sequence up to its own length; the contract is `Core.forward`'s."""
        real = RealSteps(lengths, x.shape[1], x.device)
        y, finals = real.zero_padding(x), []
        for depth, layer in enumerate(self.layers):
            start = x.new_zeros(len(x), self.spec.hidden_size) if state is None else state[0][depth]
            outputs, _ = layer(self.dropout(y) if depth else y, start)
            finals.append(real.last(outputs))
            y = real.zero_padding(outputs)
        return y, (torch.stack(finals),)

    def last(self, outputs: Float[Tensor, "B T D"], lengths: Int[Tensor, " B"], state: State) -> Float[Tensor, "B D"]:
        """The top layer's memory, which stands in the state."""
        return state[0][-1]

    @property
    def by_step_refusal(self) -> None:
        """Its memory tells all that later steps need, so it can be read one step at a time."""
        return

    def gates(self, x: Float[Tensor, "B T F"], lengths: Int[Tensor, " B"]) -> dict[str, Float[Tensor, "B T D"]]:
        """What each layer's forget gate let in at each step: TensorBoard shows it as a histogram."""
        y, found = RealSteps(lengths, x.shape[1], x.device).zero_padding(x), {}
        for depth, layer in enumerate(self.layers):
            y, found[f"layers.{depth}/forget"] = layer(y, x.new_zeros(len(x), self.spec.hidden_size))
        return found

    def multiply_adds(self) -> int:
        """Products of a weight and a feature for each step: each matrix is used once."""
        return sum(weight.numel() for weight in self.parameters() if weight.ndim == 2)

    def describe(self) -> str:
        """The core as built: "Minimal gated unit 64 -> 64, 1 layer"."""
        count = len(self.layers)
        return f"Minimal gated unit {self.in_size} -> {self.spec.hidden_size}, {count} layer{'s' * (count > 1)}"


class Layer(nn.Module):
    """One layer: the input's part of both sums in one product over all steps, then a loop over the steps."""

    def __init__(self, features: int, hidden_size: int, forget_bias: float) -> None:
        super().__init__()
        self.of_input = nn.Linear(features, 2 * hidden_size)  # (W_f|W_n) x + (b_f|b_n)
        self.forget = nn.Linear(hidden_size, hidden_size, bias=False)
        self.candidate = nn.Linear(hidden_size, hidden_size, bias=False)
        nn.init.constant_(self.of_input.bias[:hidden_size], forget_bias)

    def forward(
        self, x: Float[Tensor, "B T F"], h: Float[Tensor, "B D"]
    ) -> tuple[Float[Tensor, "B T D"], Float[Tensor, "B T D"]]:
        """The memory after each step and the forget gate at each step; on padding, they mean nothing."""
        outputs, gates = [], []
        for x_f, x_n in zip(*(part.unbind(1) for part in self.of_input(x).chunk(2, 2)), strict=True):
            f = torch.sigmoid(x_f + self.forget(h))
            n = torch.tanh(x_n + self.candidate(f * h))
            h = torch.lerp(h, n, f)
            outputs.append(h)
            gates.append(f)
        return torch.stack(outputs, 1), torch.stack(gates, 1)
