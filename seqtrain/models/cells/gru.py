"""The gated recurrent unit in both of its forms: the reset gate after the matmul, or before it."""

from typing import ClassVar, final

import torch
from torch import Tensor, nn

from seqtrain.model import State
from seqtrain.models.cells.cell import AffineCell, Cell, CellWeights, Gradients, Tape, Weights, affine_back, total
from seqtrain.models.cells.pointwise import chunks_back, memory, sigmoid_slope, tanh, tanh_slope


@final
class GRU(Cell):
    """The reset gate acts after the matmul  (Cho 2014, arXiv 1406.1078v1; torch.nn.GRU, cuDNN).

    r = s(W_ir x + b_ir + W_hr h + b_hr); z likewise; n = tanh(W_in x + b_in + r (W_hn h + b_hn));
    h' = (1 - z) n + z h.
    """

    gates: ClassVar[tuple[str, ...]] = ("r", "z", "n")

    def weights(self, features: int, hidden_size: int) -> nn.Module:
        return nn.GRU(features, hidden_size, batch_first=True)

    def step(self, x: Tensor, state: State, seen: Tensor, w: Weights) -> State:
        (h,) = state
        x_r, x_z, x_n = self.connection.apply(x, w["weight_ih"], w["bias_ih"]).chunk(3, 1)
        h_r, h_z, h_n = self.connection.apply(seen, w["weight_hh"], w["bias_hh"]).chunk(3, 1)
        r, z = (x_r + h_r).sigmoid(), (x_z + h_z).sigmoid()
        n = (x_n + r * h_n).tanh()
        return ((1 - z) * n + z * h,)

    def project(self, x: Tensor, w: Weights) -> tuple[Tensor, tuple[Tensor, ...]]:
        b_r, b_z, b_n = w["bias_hh"].chunk(3)
        # b_hn has to wait inside r (...).
        bias = w["bias_ih"] + torch.cat([b_r, b_z, torch.zeros_like(b_n)])
        return self.connection.apply_all(x, w["weight_ih"], bias), ()

    def hold(self, projected: Tensor, padding: Tensor) -> None:
        """Nothing to do: h stays within (-1, 1) and is found in the outputs."""

    def unroll(self, projected: Tensor, start: State, w: Weights, mask: Tensor | None) -> Tape:
        w_rz, w_n = _split(w["weight_hh"])
        rz_recurrent, n_recurrent = self.connection.recurrent(w_rz, mask), self.connection.recurrent(w_n, mask)
        size = w_n.shape[0]
        memories = memory(start[0], len(projected))
        h_n = w["bias_hh"][2 * size :].repeat(*projected.shape[:-1], 1)
        rz, n = (gate.unbind() for gate in projected.split([2 * size, size], -1))
        r, z = (gate.unbind() for gate in projected[..., : 2 * size].chunk(2, -1))
        h = memories.unbind()
        for t, candidate in enumerate(h_n.unbind()):
            rz_recurrent.add(rz[t], h[t])
            n_recurrent.add(candidate, h[t])
            rz[t].sigmoid_()
            tanh(n[t].addcmul_(r[t], candidate), out=n[t])
            torch.lerp(n[t], h[t], z[t], out=h[t + 1])
        return Tape((memories,), (projected, h_n))

    def unroll_back(self, tape: Tape, d_outputs: Tensor, d_final: State, w: Weights, mask: Tensor | None) -> Gradients:
        """All gates hang on dh alone, so their slopes are made in bulk; a step multiplies them by dh.

        da_n = dh (1-z) (1-n^2) at the input, r times that at W_hn h; da_r = da_n h_n r (1-r);
        da_z = dh (h - n) z (1-z); dh_{t-1} = dy_{t-1} + z dh + W_hh^T (da_r|da_z|r da_n).
        """
        (h,), (gates, h_n) = tape.states, tape.gates
        recurrent = self.connection.recurrent(w["weight_hh"], mask)
        r, z, n = gates.chunk(3, -1)
        # Laid out as (n at the input|r|z|n at W_hn h): both products read three neighbours of it.
        da = gates.new_empty(*h_n.shape[:-1], 4 * h_n.shape[-1])
        a_n, a_r, a_z, a_hn = da.chunk(4, -1)
        all_four, of_hidden = da.unflatten(-1, (4, -1)).unbind(), da[..., h_n.shape[-1] :].unbind()
        dy, each_z = (torch.zeros_like(h[0]), *d_outputs.unbind()), z.unbind()
        dh = dy[-1] + d_final[0]
        for part in chunks_back(da):
            tanh_slope(1 - z[part], n[part], out=a_n[part])
            sigmoid_slope(h_n[part], r[part], out=a_r[part]).mul_(a_n[part])
            sigmoid_slope(h[:-1][part] - n[part], z[part], out=a_z[part])
            torch.mul(a_n[part], r[part], out=a_hn[part])
            for t in reversed(range(part.start, part.stop)):
                all_four[t].mul_(dh.unsqueeze(-2))
                recurrent.carry(torch.addcmul(dy[t], dh, each_z[t]), of_hidden[t], out=dh)
        hidden = da[..., h_n.shape[-1] :]
        weight = self.connection.weight_gradient(hidden, recurrent.seen(h[:-1]), w["weight_hh"])
        return Gradients(da, (dh,), {"weight_hh": weight, "bias_hh": total(hidden)})

    def project_back(
        self, d: Tensor, x: Tensor, w: Weights, kept: tuple[Tensor, ...], *, of_input: bool
    ) -> tuple[Tensor | None, dict[str, Tensor]]:
        """The input's gates stand as (n|r|z) in d, so its weights are rolled there and back."""
        size = d.shape[-1] // 4
        rolled = {"weight_ih": w["weight_ih"].roll(size, 0)}
        d_x, found = affine_back(self.connection, d[..., : 3 * size], x, rolled, of_input=of_input)
        return d_x, {name: grad.roll(-size, 0) for name, grad in found.items()}


@final
class ChoGRU(AffineCell):
    """The reset gate acts before the matmul  (Cho 2014, arXiv 1406.1078v3; the textbooks).

    r = s(W_ir x + b_ir + W_hr h + b_hr); z likewise; n = tanh(W_in x + b_in + W_hn (r h) + b_hn);
    h' = (1 - z) n + z h.

    z is torch's: how much of the old memory stays. Where a text writes h' = (1 - z) h + z n, its z is our
    1 - z: the same network with the signs of W_iz, W_hz, b_iz and b_hz turned.
    """

    gates: ClassVar[tuple[str, ...]] = ("r", "z", "n")

    def weights(self, features: int, hidden_size: int) -> nn.Module:
        rows = 3 * hidden_size
        shapes = {
            "weight_ih": (rows, features),
            "weight_hh": (rows, hidden_size),
            "bias_ih": (rows,),
            "bias_hh": (rows,),
        }
        return CellWeights(shapes, hidden_size)

    def step(self, x: Tensor, state: State, seen: Tensor, w: Weights) -> State:
        (h,) = state
        w_rz, w_n = _split(w["weight_hh"])
        b_rz, b_n = _split(w["bias_hh"])
        x_r, x_z, x_n = self.connection.apply(x, w["weight_ih"], w["bias_ih"]).chunk(3, 1)
        h_r, h_z = self.connection.apply(seen, w_rz, b_rz).chunk(2, 1)
        r, z = (x_r + h_r).sigmoid(), (x_z + h_z).sigmoid()
        n = (x_n + self.connection.apply(r * seen, w_n, b_n)).tanh()
        return ((1 - z) * n + z * h,)

    def hold(self, projected: Tensor, padding: Tensor) -> None:
        """Nothing to do: h stays within (-1, 1) and is found in the outputs."""

    def unroll(self, projected: Tensor, start: State, w: Weights, mask: Tensor | None) -> Tape:
        w_rz, w_n = _split(w["weight_hh"])
        rz_recurrent, n_recurrent = self.connection.recurrent(w_rz, mask), self.connection.recurrent(w_n, mask)
        size = w_n.shape[0]
        rz, n = (gate.unbind() for gate in projected.split([2 * size, size], -1))
        r, z = (gate.unbind() for gate in projected[..., : 2 * size].chunk(2, -1))
        memories = memory(start[0], len(projected))
        h = memories.unbind()
        for t in range(len(projected)):
            rz_recurrent.add(rz[t], h[t])
            rz[t].sigmoid_()
            n_recurrent.add(n[t], r[t] * h[t])
            tanh(n[t], out=n[t])
            torch.lerp(n[t], h[t], z[t], out=h[t + 1])
        return Tape((memories,), (projected,))

    def unroll_back(self, tape: Tape, d_outputs: Tensor, d_final: State, w: Weights, mask: Tensor | None) -> Gradients:
        """da_n = dh (1-z) (1-n^2); da_z = dh (h - n) z (1-z); e = W_hn^T da_n; da_r = e h r (1-r).

        dh_{t-1} = dy_{t-1} + z dh + r e + (W_hr|W_hz)^T (da_r|da_z).
        """
        (h,), (gates,) = tape.states, tape.gates
        w_rz, w_n = _split(w["weight_hh"])
        recurrent = self.connection.recurrent(w_rz, mask)
        n_recurrent = self.connection.recurrent(w_n, mask)
        r, z, n = gates.chunk(3, -1)
        size = w_n.shape[0]
        da = torch.empty_like(gates)
        a_r, a_z, a_n = da.chunk(3, -1)
        each_r, each_z, d_r, d_n = (part.unbind() for part in (r, z, a_r, a_n))
        d_rz, d_zn = da[..., : 2 * size].unbind(), da[..., size:].unflatten(-1, (2, -1)).unbind()
        dy, nothing = (torch.zeros_like(h[0]), *d_outputs.unbind()), torch.zeros_like(h[0])
        dh, e = dy[-1] + d_final[0], torch.empty_like(h[0])
        for part in chunks_back(da):
            sigmoid_slope(h[:-1][part], r[part], out=a_r[part])
            sigmoid_slope(h[:-1][part] - n[part], z[part], out=a_z[part])
            tanh_slope(1 - z[part], n[part], out=a_n[part])
            for t in reversed(range(part.start, part.stop)):
                d_zn[t].mul_(dh.unsqueeze(-2))
                n_recurrent.carry(nothing, d_n[t], out=e)
                d_r[t].mul_(e)
                recurrent.carry(torch.addcmul(dy[t], dh, each_z[t]).addcmul_(e, each_r[t]), d_rz[t], out=dh)
        seen = recurrent.seen(h[:-1])
        weight = torch.cat(
            [
                self.connection.weight_gradient(da[..., : 2 * size], seen, w_rz),
                self.connection.weight_gradient(a_n, r * seen, w_n),
            ]
        )
        return Gradients(da, (dh,), {"weight_hh": weight, "bias_hh": total(da)})


def _split(weight: Tensor) -> tuple[Tensor, Tensor]:
    """(r|z) and n of a weight or bias that holds (r|z|n)."""
    size = weight.shape[0] // 3
    return weight[: 2 * size], weight[2 * size :]
