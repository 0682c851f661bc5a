"""What a recurrent cell is: its equations for one step, and the same forward and back over all steps."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from seqtrain.model import State
from seqtrain.models.cells.connection import Connection, Dense

Weights = Mapping[str, Tensor]
"""By torch's names without the layer: weight_ih, weight_hh, bias_ih, bias_hh and what else a cell has."""


class Tape(NamedTuple):
    """What the backward loop needs of the forward one, (T, B, ...) each, the states (T + 1, B, ...)."""

    states: tuple[Tensor, ...]
    gates: tuple[Tensor, ...]


class Gradients(NamedTuple):
    """What the backward loop finds: of the projected input, of the start, and of each weight but the input's."""

    projected: Tensor
    start: State
    weights: dict[str, Tensor]


class Cell(ABC):
    """The equations of one cell.

    `step` is the cell as its paper writes it; the other methods are what the engine calls, and compute the same.

    Attributes:
        gates: Their names in the order in which the weights hold them.
        memories: 1 for h, 2 for h and c.
        connection: How its units are connected.
    """

    gates: ClassVar[tuple[str, ...]]
    memories: ClassVar[int] = 1

    def __init__(self, connection: Connection | None = None) -> None:
        self.connection = connection or Dense()

    @abstractmethod
    def weights(self, features: int, hidden_size: int) -> nn.Module:
        """New weights for one layer in one direction, named as torch does: weight_ih_l0."""

    @abstractmethod
    def step(self, x: Tensor, state: State, seen: Tensor, w: Weights) -> State:
        """The state after one step.

        Args:
            x: Features, (B, F) or (B, C, Y, X).
            state: (h,) or (h, c) before the step.
            seen: h as the recurrent weights see it: less some features under recurrent dropout.
            w: The layer's weights.
        """

    @abstractmethod
    def project(self, x: Tensor, w: Weights) -> tuple[Tensor, tuple[Tensor, ...]]:
        """What the input adds to the gates, at all steps, and what `project_back` needs besides x and w.

        The first is a fresh tensor that `unroll` may overwrite.
        """

    @abstractmethod
    def project_back(
        self, d: Tensor, x: Tensor, w: Weights, kept: tuple[Tensor, ...], *, of_input: bool
    ) -> tuple[Tensor | None, dict[str, Tensor]]:
        """From the gradient called `projected` to that of x, if wanted, and of the input's weights."""

    @abstractmethod
    def hold(self, projected: Tensor, padding: Tensor) -> None:
        """Changes the projected input wherever padding (T, B) is true so that nothing happens there.

        Memories that `unroll` hides from the outputs stand still; those in the outputs stay finite.
        """

    @abstractmethod
    def unroll(self, projected: Tensor, start: State, w: Weights, mask: Tensor | None) -> Tape:
        """Reads all steps, features last."""

    @abstractmethod
    def unroll_back(self, tape: Tape, d_outputs: Tensor, d_final: State, w: Weights, mask: Tensor | None) -> Gradients:
        """Carries the gradients of outputs (T, B, ...) and final state back through all steps."""


class AffineCell(Cell, ABC):
    """A cell whose input and memory meet in one sum, so that all biases act at once: W_ih x + b_ih + b_hh."""

    def project(self, x: Tensor, w: Weights) -> tuple[Tensor, tuple[Tensor, ...]]:
        return self.connection.apply_all(x, w["weight_ih"], w["bias_ih"] + w["bias_hh"]), ()

    def project_back(
        self, d: Tensor, x: Tensor, w: Weights, kept: tuple[Tensor, ...], *, of_input: bool
    ) -> tuple[Tensor | None, dict[str, Tensor]]:
        return affine_back(self.connection, d, x, w, of_input=of_input)


class CellWeights(nn.Module):
    """One layer's weights in one direction, each from U(-1/sqrt(D), 1/sqrt(D)) as in torch's own layers."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]], hidden_size: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(hidden_size)
        for name, shape in shapes.items():
            weight = nn.Parameter(torch.empty(shape).uniform_(-bound, bound))
            self.register_parameter(f"{name}_l0", weight)


def weights_of(layer: nn.Module) -> dict[str, Tensor]:
    """A layer's weights by the names that cells use."""
    return {name.removesuffix("_l0"): weight for name, weight in layer.named_parameters()}


def affine_back(
    connection: Connection, d: Tensor, x: Tensor, w: Weights, *, of_input: bool
) -> tuple[Tensor | None, dict[str, Tensor]]:
    """What W_ih x + b_ih hands back: the gradients of x, weight_ih and bias_ih."""
    weight = w["weight_ih"]
    d_x = connection.input_gradient(d, weight, x.shape[-1]) if of_input else None
    return d_x, {"weight_ih": connection.weight_gradient(d, x, weight), "bias_ih": total(d)}


def total(d: Tensor) -> Tensor:
    """The sum over steps, sequences and places, (G,): the gradient of a bias."""
    return d.flatten(0, -2).sum(0)


def across(padding: Tensor, like: Tensor) -> Tensor:
    """Padding (T, B) with as many axes as what it is to be laid over."""
    return padding.view(*padding.shape, *[1] * (like.dim() - 2))
