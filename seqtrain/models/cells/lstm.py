"""The LSTM, plain or with peepholes from its cell state to its gates, on vectors or on maps."""

from typing import ClassVar, Literal, final

import torch
from torch import Tensor, nn

from seqtrain.model import State
from seqtrain.models.cells.cell import AffineCell, CellWeights, Gradients, Tape, Weights, across, total
from seqtrain.models.cells.connection import Connection
from seqtrain.models.cells.pointwise import SHUT, chunks_back, memory, sigmoid_slope, tanh, tanh_slope

Peephole = Literal["diagonal", "full"]


@final
class LSTM(AffineCell):
    """i = s(W_ii x + b_ii + W_hi h + b_hi + W_ci c); f likewise; g = tanh(W_ig x + b_ig + W_hg h + b_hg).

    c' = f c + i g; o = s(W_io x + b_io + W_ho h + b_ho + W_co c'); h' = o tanh(c').

    Without W_c it is torch.nn.LSTM  (Hochreiter & Schmidhuber 1997, Gers 2000). With diagonal W_c, each gate
    sees its own unit's cell state  (Gers 2002, eqs 1-6); with full ones, every unit's. The output gate sees the
    new cell state. With convolutions for W_i and W_h it is the ConvLSTM  (Shi 2015, eq 3, whose diagonal W_c
    hold a weight for each place of the map).
    """

    gates: ClassVar[tuple[str, ...]] = ("i", "f", "g", "o")
    memories: ClassVar[int] = 2

    def __init__(
        self,
        peephole: Peephole | None = None,
        connection: Connection | None = None,
        places: tuple[int, ...] = (),
    ) -> None:
        """Takes the rows and columns of a map as places; there are none for vectors."""
        super().__init__(connection)
        assert peephole != "full" or not places, "full peepholes are for vectors"
        self.peephole = peephole
        self.places = places

    def weights(self, features: int, hidden_size: int) -> nn.Module:
        if self.peephole is None and not self.places:
            return nn.LSTM(features, hidden_size, batch_first=True)
        rows = 4 * hidden_size
        shapes = {
            "weight_ih": self.connection.weight_shape(features, rows),
            "weight_hh": self.connection.weight_shape(hidden_size, rows),
            "bias_ih": (rows,),
            "bias_hh": (rows,),
        }
        if self.peephole == "diagonal":
            shapes["weight_ch"] = (3 * hidden_size, *self.places)  # (i|f|o)
        elif self.peephole == "full":
            shapes["weight_ch"] = (3 * hidden_size, hidden_size)
        return CellWeights(shapes, hidden_size)

    def step(self, x: Tensor, state: State, seen: Tensor, w: Weights) -> State:
        _, c = state
        apply = self.connection.apply
        a = apply(x, w["weight_ih"], w["bias_ih"]) + apply(seen, w["weight_hh"], w["bias_hh"])
        a_i, a_f, a_g, a_o = a.chunk(4, 1)
        if self.peephole is not None:
            w_ci, w_cf, w_co = w["weight_ch"].chunk(3)
            a_i, a_f = a_i + self._peep(c, w_ci), a_f + self._peep(c, w_cf)
        c = a_f.sigmoid() * c + a_i.sigmoid() * a_g.tanh()
        if self.peephole is not None:
            a_o = a_o + self._peep(c, w_co)
        return a_o.sigmoid() * c.tanh(), c

    def _peep(self, c: Tensor, weight: Tensor) -> Tensor:
        return weight * c if self.peephole == "diagonal" else self.connection.apply(c, weight)

    def hold(self, projected: Tensor, padding: Tensor) -> None:
        """Shuts the input gate and opens the forget gate on padding."""
        hold_cell_state(projected, padding)

    def unroll(self, projected: Tensor, start: State, w: Weights, mask: Tensor | None) -> Tape:
        recurrent = self.connection.recurrent(w["weight_hh"], mask)
        peepholes = self._peepholes(w)
        memories, cells = (memory(part, len(projected)) for part in start)
        h, c = memories.unbind(), cells.unbind()
        i, f, g, o = (gate.unbind() for gate in projected.chunk(4, -1))
        both = projected[..., : 2 * start[0].shape[-1]].unbind()
        for t, a in enumerate(projected.unbind()):
            recurrent.add(a, h[t])
            if peepholes is not None:
                peepholes.add_old(both[t], c[t])
            both[t].sigmoid_()
            tanh(g[t], out=g[t])
            torch.mul(f[t], c[t], out=c[t + 1]).addcmul_(i[t], g[t])
            if peepholes is not None:
                peepholes.add_new(o[t], c[t + 1])
            o[t].sigmoid_()
            tanh(c[t + 1], out=h[t + 1]).mul_(o[t])
        return Tape((memories, cells), (projected,))

    def unroll_back(self, tape: Tape, d_outputs: Tensor, d_final: State, w: Weights, mask: Tensor | None) -> Gradients:
        """da_o hangs on dh alone, (da_i|da_f|da_g) on dc alone: their slopes are made in bulk.

        With u = tanh(c'): da_o = dh u o (1-o); dc' += dh o (1-u^2) + W_co^T da_o;
        (da_i|da_f|da_g) = dc' (g i (1-i)|c f (1-f)|i (1-g^2)); dc = f dc' + W_ci^T da_i + W_cf^T da_f;
        dh_{t-1} = dy_{t-1} + W_hh^T (da_i|da_f|da_g|da_o).
        """
        (h, c), (gates,) = tape.states, tape.gates
        recurrent, peepholes = self.connection.recurrent(w["weight_hh"], mask), self._peepholes(w)
        size = h.shape[-1]
        i, f, g, o = gates.chunk(4, -1)
        da = torch.empty_like(gates)
        a_i, a_f, a_g, a_o = da.chunk(4, -1)
        each_da, d_o, d_if = da.unbind(), a_o.unbind(), da[..., : 2 * size].unbind()
        by_c = da[..., : 3 * size].unflatten(-1, (3, -1)).unbind()
        dy = (torch.zeros_like(h[0]), *d_outputs.unbind())
        dh, dc = dy[-1] + d_final[0], d_final[1].clone(memory_format=torch.contiguous_format)
        for part in chunks_back(da):
            before, after = c[:-1][part], c[1:][part]
            u = tanh(after, out=torch.empty_like(after))
            sigmoid_slope(g[part], i[part], out=a_i[part])
            sigmoid_slope(before, f[part], out=a_f[part])
            tanh_slope(i[part], g[part], out=a_g[part])
            sigmoid_slope(u, o[part], out=a_o[part])
            from_h, from_c = tanh_slope(o[part], u, out=u), f[part]
            if isinstance(peepholes, _Diagonal):
                from_h.addcmul_(a_o[part], peepholes.o)
                from_c = torch.addcmul(from_c, a_i[part], peepholes.i).addcmul_(a_f[part], peepholes.f)
            through_h, through_c = from_h.unbind(), from_c.unbind()
            for t in reversed(range(part.start, part.stop)):
                k = t - part.start
                dc.addcmul_(dh, through_h[k])
                d_o[t].mul_(dh)
                if isinstance(peepholes, _Full):
                    dc.addmm_(d_o[t], peepholes.o)
                by_c[t].mul_(dc.unsqueeze(-2))
                dc.mul_(through_c[k])
                if isinstance(peepholes, _Full):
                    dc.addmm_(d_if[t], peepholes.i_and_f)
                recurrent.carry(dy[t], each_da[t], out=dh)
        weight = self.connection.weight_gradient(da, recurrent.seen(h[:-1]), w["weight_hh"])
        found = {"weight_hh": weight, "bias_hh": total(da)}
        if peepholes is not None:
            found["weight_ch"] = peepholes.gradient(da, c)
        return Gradients(da, (dh, dc), found)

    def _peepholes(self, w: Weights) -> "_Diagonal | _Full | None":
        match self.peephole:
            case None:
                return None
            case "diagonal":
                return _Diagonal(w["weight_ch"], self.connection if self.places else None)
            case "full":
                return _Full(w["weight_ch"])


@final
class _Diagonal:
    """Each gate sees its own unit's cell state, features last."""

    def __init__(self, weight: Tensor, maps: Connection | None) -> None:
        self.maps = maps
        rows = weight if maps is None else maps.features_last(weight)  # (3D,) or (Y, X, 3D)
        self.by_gate = rows.unflatten(-1, (3, -1)).contiguous()
        self.i_and_f = self.by_gate[..., :2, :]
        self.i, self.f, self.o = self.by_gate.unbind(-2)

    def add_old(self, a: Tensor, c: Tensor) -> None:
        a.view(*c.shape[:-1], 2, c.shape[-1]).addcmul_(c.unsqueeze(-2), self.i_and_f)

    def add_new(self, a: Tensor, c: Tensor) -> None:
        a.addcmul_(c, self.o)

    def gradient(self, da: Tensor, c: Tensor) -> Tensor:
        a_i, a_f, _, a_o = da.chunk(4, -1)
        pairs = ((a_i, c[:-1]), (a_f, c[:-1]), (a_o, c[1:]))
        found = torch.cat([(a * seen).sum((0, 1)) for a, seen in pairs], -1)
        return found if self.maps is None else self.maps.features_first(found)


@final
class _Full:
    """Each gate sees every unit's cell state."""

    def __init__(self, weight: Tensor) -> None:
        size = weight.shape[1]
        self.i_and_f, self.o = weight[: 2 * size], weight[2 * size :]

    def add_old(self, a: Tensor, c: Tensor) -> None:
        a.addmm_(c, self.i_and_f.t())

    def add_new(self, a: Tensor, c: Tensor) -> None:
        a.addmm_(c, self.o.t())

    def gradient(self, da: Tensor, c: Tensor) -> Tensor:
        size = c.shape[-1]
        i_and_f, _, o = da.flatten(0, 1).split([2 * size, size, size], -1)
        return torch.cat([i_and_f.t() @ c[:-1].flatten(0, 1), o.t() @ c[1:].flatten(0, 1)])


def hold_cell_state(projected: Tensor, padding: Tensor) -> None:
    """Makes c' = 0 g + 1 c on padding, by gates (i|f|g|o) that are flat there: nothing leaks into a gradient."""
    i, f, _, _ = projected.chunk(4, -1)
    i.masked_fill_(across(padding, i), SHUT)
    f.masked_fill_(across(padding, f), -SHUT)
