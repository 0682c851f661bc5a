"""The Elman network."""

from typing import ClassVar, Literal, final

import torch
from torch import Tensor, nn

from seqtrain.model import State
from seqtrain.models.cells.cell import AffineCell, Gradients, Tape, Weights, across, total
from seqtrain.models.cells.pointwise import memory, tanh, tanh_slope

Nonlinearity = Literal["tanh", "relu"]


@final
class Elman(AffineCell):
    """h_t = f(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh), f tanh or relu  (Elman 1990; torch.nn.RNN)."""

    gates: ClassVar[tuple[str, ...]] = ("h",)

    def __init__(self, nonlinearity: Nonlinearity = "tanh") -> None:
        super().__init__()
        self.nonlinearity = nonlinearity

    def weights(self, features: int, hidden_size: int) -> nn.Module:
        return nn.RNN(features, hidden_size, nonlinearity=self.nonlinearity, batch_first=True)

    def step(self, x: Tensor, state: State, seen: Tensor, w: Weights) -> State:
        apply = self.connection.apply
        a = apply(x, w["weight_ih"], w["bias_ih"]) + apply(seen, w["weight_hh"], w["bias_hh"])
        return (a.tanh() if self.nonlinearity == "tanh" else a.relu(),)

    def hold(self, projected: Tensor, padding: Tensor) -> None:
        """Silences relu on padding, where it could grow without bounds; tanh can't."""
        if self.nonlinearity == "relu":
            projected.masked_fill_(across(padding, projected), torch.finfo(projected.dtype).min / 2)

    def unroll(self, projected: Tensor, start: State, w: Weights, mask: Tensor | None) -> Tape:
        recurrent = self.connection.recurrent(w["weight_hh"], mask)
        memories = memory(start[0], len(projected))
        h = memories.unbind()
        for t, a in enumerate(projected.unbind()):
            recurrent.add(a, h[t])
            if self.nonlinearity == "tanh":
                tanh(a, out=h[t + 1])
            else:
                torch.clamp_min(a, 0, out=h[t + 1])
        return Tape((memories,), ())

    def unroll_back(self, tape: Tape, d_outputs: Tensor, d_final: State, w: Weights, mask: Tensor | None) -> Gradients:
        """By da = dh * slope and dh_{t-1} = dy_{t-1} + W_hh^T da."""
        (h,) = tape.states
        recurrent = self.connection.recurrent(w["weight_hh"], mask)
        if self.nonlinearity == "tanh":
            slopes = tanh_slope(h.new_ones(()).expand_as(h[1:]), h[1:], out=torch.empty_like(h[1:]))
        else:
            slopes = (h[1:] > 0).to(h.dtype)
        da, dy = slopes.unbind(), (torch.zeros_like(h[0]), *d_outputs.unbind())
        dh = dy[-1] + d_final[0]
        for t in reversed(range(len(da))):
            da[t].mul_(dh)
            recurrent.carry(dy[t], da[t], out=dh)
        weight = self.connection.weight_gradient(slopes, recurrent.seen(h[:-1]), w["weight_hh"])
        return Gradients(slopes, (dh,), {"weight_hh": weight, "bias_hh": total(slopes)})
