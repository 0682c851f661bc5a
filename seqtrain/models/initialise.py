"""How recurrent weights start."""

from typing import Literal

import torch
from torch import Tensor, nn

from seqtrain.models.cells import Cell, weights_of

Init = Literal["default", "orthogonal", "xavier"]


@torch.no_grad()
def initialise(cell: Cell, layer: nn.Module, init: Init, forget_bias: float | None) -> None:
    """Draws one layer's weights anew, gate by gate.

    | init | recurrent weights | input weights | biases |
    |---|---|---|---|
    | default | U(-1/sqrt(D), 1/sqrt(D)) | the same | the same |
    | orthogonal | orthogonal (Saxe 2014) | Xavier uniform (Glorot 2010) | 0 |
    | xavier | Xavier uniform | Xavier uniform | 0 |

    Peepholes and the gains of normalisations keep their start. With forget_bias, the biases of the forget gate
    add up to it (Jozefowicz 2015 recommends 1): the input's is set to it, the recurrent one to 0.
    """
    weights = weights_of(layer)
    biases = [weights[name] for name in ("bias_ih", "bias_hh", "bias") if name in weights]
    if init != "default":
        for gate in _gates(cell, weights["weight_ih"]):
            nn.init.xavier_uniform_(gate)
        for gate in _gates(cell, weights["weight_hh"]):
            (nn.init.orthogonal_ if init == "orthogonal" else nn.init.xavier_uniform_)(gate)
        for bias in biases:
            bias.zero_()
    if forget_bias is not None:
        for bias, value in zip(biases, (forget_bias, 0.0), strict=False):
            _gates(cell, bias)[cell.gates.index("f")].fill_(value)


def _gates(cell: Cell, weight: Tensor) -> tuple[Tensor, ...]:
    return weight.chunk(len(cell.gates))
