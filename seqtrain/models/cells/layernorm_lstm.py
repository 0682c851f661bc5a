"""The LSTM with layer normalisation inside its gates."""

from typing import ClassVar, final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqtrain.model import State
from seqtrain.models.cells.cell import Cell, CellWeights, Gradients, Tape, Weights, total
from seqtrain.models.cells.lstm import hold_cell_state
from seqtrain.models.cells.pointwise import chunks_back, memory, sigmoid_slope, tanh, tanh_slope

EPSILON = 1e-5


@final
class LayerNormLSTM(Cell):
    """(i|f|g|o) = LN(W_hh h; gain_hh) + LN(W_ih x; gain_ih) + b; c' = s(f) c + s(i) tanh(g).

    h' = s(o) tanh(LN(c'; gain_c, bias_c))  (Ba 2016, arXiv 1607.06450, eqs 20-22).

    LN(a) = (a - mean) / sqrt(var + 1e-5), over all gates of a sequence at once, before its gain. c itself stays
    unnormalised in the recurrence. The paper gives each LN in the gates a bias besides b; they would only add
    up to one.
    """

    gates: ClassVar[tuple[str, ...]] = ("i", "f", "g", "o")
    memories: ClassVar[int] = 2

    def weights(self, features: int, hidden_size: int) -> nn.Module:
        rows = 4 * hidden_size
        shapes = {"weight_ih": (rows, features), "weight_hh": (rows, hidden_size), "bias": (rows,)}
        layer = CellWeights(shapes, hidden_size)
        for name, size in (("gain_ih", rows), ("gain_hh", rows), ("gain_c", hidden_size)):
            layer.register_parameter(f"{name}_l0", nn.Parameter(torch.ones(size)))
        layer.register_parameter("bias_c_l0", nn.Parameter(torch.zeros(hidden_size)))
        return layer

    def step(self, x: Tensor, state: State, seen: Tensor, w: Weights) -> State:
        _, c = state
        from_x = _normalise(self.connection.apply(x, w["weight_ih"]), w["gain_ih"])
        from_h = _normalise(self.connection.apply(seen, w["weight_hh"]), w["gain_hh"])
        a_i, a_f, a_g, a_o = (from_h + from_x + w["bias"]).chunk(4, 1)
        c = a_f.sigmoid() * c + a_i.sigmoid() * a_g.tanh()
        return a_o.sigmoid() * _normalise(c, w["gain_c"], w["bias_c"]).tanh(), c

    def project(self, x: Tensor, w: Weights) -> tuple[Tensor, tuple[Tensor, ...]]:
        a = self.connection.apply_all(x, w["weight_ih"], None)
        projected, *measures = torch.native_layer_norm(a, a.shape[-1:], w["gain_ih"], w["bias"], EPSILON)
        return projected, (a, *measures)

    def project_back(
        self, d: Tensor, x: Tensor, w: Weights, kept: tuple[Tensor, ...], *, of_input: bool
    ) -> tuple[Tensor | None, dict[str, Tensor]]:
        a, mean, scale = kept
        found = {"gain_ih": _gain_gradient(d, a, mean, scale, w["gain_ih"]), "bias": total(d)}
        d = _normalise_back(d, a, mean, scale, w["gain_ih"])
        found["weight_ih"] = self.connection.weight_gradient(d, x, w["weight_ih"])
        return self.connection.input_gradient(d, w["weight_ih"], x.shape[-1]) if of_input else None, found

    def hold(self, projected: Tensor, padding: Tensor) -> None:
        """Shuts the input gate and opens the forget gate on padding."""
        hold_cell_state(projected, padding)

    def unroll(self, projected: Tensor, start: State, w: Weights, mask: Tensor | None) -> Tape:
        recurrent, weight = self.connection.recurrent(w["weight_hh"], mask), w["weight_hh"].t()
        memories, cells = (memory(part, len(projected)) for part in start)
        products = torch.empty_like(projected)
        h, c, u = memories.unbind(), cells.unbind(), products.unbind()
        i, f, g, o = (gate.unbind() for gate in projected.chunk(4, -1))
        both = projected[..., : 2 * start[0].shape[-1]].unbind()
        measures: list[tuple[Tensor, ...]] = []
        for t, a in enumerate(projected.unbind()):
            torch.mm(recurrent.seen(h[t]), weight, out=u[t])
            normalised, *of_h = torch.native_layer_norm(u[t], u[t].shape[-1:], w["gain_hh"], None, EPSILON)
            a.add_(normalised)
            both[t].sigmoid_()
            tanh(g[t], out=g[t])
            o[t].sigmoid_()
            torch.mul(f[t], c[t], out=c[t + 1]).addcmul_(i[t], g[t])
            normalised, *of_c = torch.native_layer_norm(c[t + 1], c[t].shape[-1:], w["gain_c"], w["bias_c"], EPSILON)
            tanh(normalised, out=h[t + 1]).mul_(o[t])
            measures.append((*of_h, *of_c))
        return Tape(
            (memories, cells), (projected, products, *(torch.stack(each) for each in zip(*measures, strict=True)))
        )

    def unroll_back(self, tape: Tape, d_outputs: Tensor, d_final: State, w: Weights, mask: Tensor | None) -> Gradients:
        """As in the LSTM, with a normalisation to go back through before c' and before W_hh h.

        With v = LN(c') and u = tanh(v): da_o = dh u o (1-o); dv = dh o (1-u^2); dc' += LN'(dv);
        (da_i|da_f|da_g) = dc' (g i (1-i)|c f (1-f)|i (1-g^2)); dc = f dc'; dh_{t-1} = dy_{t-1} + W_hh^T LN'(da).
        """
        (h, c), (gates, products, mean_h, scale_h, mean_c, scale_c) = tape.states, tape.gates
        recurrent = self.connection.recurrent(w["weight_hh"], mask)
        i, f, g, o = gates.chunk(4, -1)
        da, d_products, d_v = torch.empty_like(gates), torch.empty_like(gates), torch.empty_like(c[1:])
        a_i, a_f, a_g, a_o = da.chunk(4, -1)
        by_c, each_o, each_f = da[..., : 3 * h.shape[-1]].unflatten(-1, (3, -1)).unbind(), a_o.unbind(), f.unbind()
        dy = (torch.zeros_like(h[0]), *d_outputs.unbind())
        dh, dc = dy[-1] + d_final[0], d_final[1].clone(memory_format=torch.contiguous_format)
        for part in chunks_back(da):
            v = F.layer_norm(c[1:][part], c.shape[-1:], w["gain_c"], w["bias_c"], EPSILON)
            u = tanh(v, out=v)
            sigmoid_slope(g[part], i[part], out=a_i[part])
            sigmoid_slope(c[:-1][part], f[part], out=a_f[part])
            tanh_slope(i[part], g[part], out=a_g[part])
            sigmoid_slope(u, o[part], out=a_o[part])
            tanh_slope(o[part], u, out=d_v[part])
            for t in reversed(range(part.start, part.stop)):
                each_o[t].mul_(dh)
                dc.add_(_normalise_back(d_v[t].mul_(dh), c[t + 1], mean_c[t], scale_c[t], w["gain_c"]))
                by_c[t].mul_(dc.unsqueeze(-2))
                dc.mul_(each_f[t])
                d_product = _normalise_back(da[t], products[t], mean_h[t], scale_h[t], w["gain_hh"])
                d_products[t].copy_(d_product)
                recurrent.carry(dy[t], d_product, out=dh)
        found = {
            "weight_hh": self.connection.weight_gradient(d_products, recurrent.seen(h[:-1]), w["weight_hh"]),
            "gain_hh": _gain_gradient(da, products, mean_h, scale_h, w["gain_hh"]),
            "gain_c": _gain_gradient(d_v, c[1:], mean_c, scale_c, w["gain_c"]),
            "bias_c": total(d_v),
        }
        return Gradients(da, (dh, dc), found)


def _normalise(a: Tensor, gain: Tensor, bias: Tensor | None = None) -> Tensor:
    return F.layer_norm(a, a.shape[-1:], gain, bias, EPSILON)


def _normalise_back(d: Tensor, a: Tensor, mean: Tensor, scale: Tensor, gain: Tensor) -> Tensor:
    """From the gradient of LN(a) to that of a; mean and scale are as torch.native_layer_norm returned them."""
    found = torch.ops.aten.native_layer_norm_backward(d, a, a.shape[-1:], mean, scale, gain, None, [True, False, False])
    gradient: Tensor = found[0]
    return gradient


def _gain_gradient(d: Tensor, a: Tensor, mean: Tensor, scale: Tensor, gain: Tensor) -> Tensor:
    """From the gradient of LN(a) to that of its gain."""
    found = torch.ops.aten.native_layer_norm_backward(d, a, a.shape[-1:], mean, scale, gain, None, [False, True, False])
    gradient: Tensor = found[1]
    return gradient
