"""Recurrent cells and attention in plain NumPy, written from their equations, with gradients derived by hand.

Each cell reads one sequence, a step at a time, and returns a function that carries gradients back. They
share nothing with the package, which is held to them. Weights go by torch's names, gates stand in torch's
order. In the derivations, dv is the gradient of the loss with respect to v.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
State = tuple[Array, ...]
Weights = dict[str, Array]
Backward = Callable[[Array, State], tuple[Array, State, Weights]]
"""From gradients of outputs and final state to those of input, initial state and weights."""
Cell = Callable[[Array, State, Weights], tuple[Array, State, Backward]]


def sigmoid(a: Array) -> Array:
    return 1 / (1 + np.exp(-a))


def rnn(x: Array, start: State, weights: Weights, nonlinearity: str = "tanh") -> tuple[Array, State, Backward]:
    """h_t = f(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)  (Elman 1990)."""
    w_ih, w_hh = weights["weight_ih"], weights["weight_hh"]
    bias = weights["bias_ih"] + weights["bias_hh"]
    h = [start[0]]  # h[t] stands before step t
    for x_t in x:
        a = w_ih @ x_t + w_hh @ h[-1] + bias
        h.append(np.tanh(a) if nonlinearity == "tanh" else np.maximum(a, 0))

    def backward(d_outputs: Array, d_final: State) -> tuple[Array, State, Weights]:
        grads = {name: np.zeros_like(weight) for name, weight in weights.items()}
        dx = np.zeros_like(x)
        (dh,) = d_final
        for t in reversed(range(len(x))):
            dh = dh + d_outputs[t]
            slope = 1 - h[t + 1] ** 2 if nonlinearity == "tanh" else h[t + 1] > 0
            da = dh * slope
            dx[t] = w_ih.T @ da
            accumulate(grads, da, da, x[t], h[t])
            dh = w_hh.T @ da
        return dx, (dh,), grads

    return np.stack(h[1:]), (h[-1],), backward


def lstm(x: Array, start: State, weights: Weights) -> tuple[Array, State, Backward]:
    """(i|f|g|o) = W_ih x_t + b_ih + W_hh h_{t-1} + b_hh; c_t = f c_{t-1} + i g; h_t = o tanh(c_t)  (Gers 2000)."""
    w_ih, w_hh = weights["weight_ih"], weights["weight_hh"]
    bias = weights["bias_ih"] + weights["bias_hh"]
    h, c, gates = [start[0]], [start[1]], []
    for x_t in x:
        a_i, a_f, a_g, a_o = np.split(w_ih @ x_t + w_hh @ h[-1] + bias, 4)
        i, f, g, o = sigmoid(a_i), sigmoid(a_f), np.tanh(a_g), sigmoid(a_o)
        gates.append((i, f, g, o))
        c.append(f * c[-1] + i * g)
        h.append(o * np.tanh(c[-1]))

    def backward(d_outputs: Array, d_final: State) -> tuple[Array, State, Weights]:
        grads = {name: np.zeros_like(weight) for name, weight in weights.items()}
        dx = np.zeros_like(x)
        dh, dc = d_final
        for t in reversed(range(len(x))):
            i, f, g, o = gates[t]
            tanh_c = np.tanh(c[t + 1])
            dh = dh + d_outputs[t]
            dc = dc + dh * o * (1 - tanh_c**2)
            da = np.concatenate(
                [
                    dc * g * i * (1 - i),
                    dc * c[t] * f * (1 - f),
                    dc * i * (1 - g**2),
                    dh * tanh_c * o * (1 - o),
                ]
            )
            dx[t] = w_ih.T @ da
            accumulate(grads, da, da, x[t], h[t])
            dh, dc = w_hh.T @ da, dc * f
        return dx, (dh, dc), grads

    return np.stack(h[1:]), (h[-1], c[-1]), backward


def gru(x: Array, start: State, weights: Weights) -> tuple[Array, State, Backward]:
    """The reset gate acts after the matmul  (Cho 2014, arXiv 1406.1078v1; torch).

    r = s(W_ir x + b_ir + W_hr h + b_hr); z likewise; n = tanh(W_in x + b_in + r (W_hn h + b_hn));
    h' = (1 - z) n + z h. Weights hold (r|z|n).
    """
    w_ih, w_hh = weights["weight_ih"], weights["weight_hh"]
    h, gates = [start[0]], []
    for x_t in x:
        x_r, x_z, x_n = np.split(w_ih @ x_t + weights["bias_ih"], 3)
        h_r, h_z, h_n = np.split(w_hh @ h[-1] + weights["bias_hh"], 3)
        r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
        n = np.tanh(x_n + r * h_n)
        gates.append((r, z, n, h_n))
        h.append((1 - z) * n + z * h[-1])

    def backward(d_outputs: Array, d_final: State) -> tuple[Array, State, Weights]:
        grads = {name: np.zeros_like(weight) for name, weight in weights.items()}
        dx = np.zeros_like(x)
        (dh,) = d_final
        for t in reversed(range(len(x))):
            r, z, n, h_n = gates[t]
            dh = dh + d_outputs[t]
            da_n = dh * (1 - z) * (1 - n**2)
            da_z = dh * (h[t] - n) * z * (1 - z)
            da_r = da_n * h_n * r * (1 - r)
            of_input = np.concatenate([da_r, da_z, da_n])
            of_hidden = np.concatenate([da_r, da_z, da_n * r])
            dx[t] = w_ih.T @ of_input
            accumulate(grads, of_input, of_hidden, x[t], h[t])
            dh = dh * z + w_hh.T @ of_hidden
        return dx, (dh,), grads

    return np.stack(h[1:]), (h[-1],), backward


def gru_cho(x: Array, start: State, weights: Weights) -> tuple[Array, State, Backward]:
    """The reset gate acts before the matmul  (Cho 2014, arXiv 1406.1078v3), with torch's z.

    r = s(W_ir x + b_ir + W_hr h + b_hr); z likewise; n = tanh(W_in x + b_in + W_hn (r h) + b_hn);
    h' = (1 - z) n + z h. Weights hold (r|z|n).
    """
    w_ih, w_hh = weights["weight_ih"], weights["weight_hh"]
    w_r, w_z, w_n = np.split(w_hh, 3)
    h, gates = [start[0]], []
    for x_t in x:
        a_r, a_z, a_n = np.split(w_ih @ x_t + weights["bias_ih"] + weights["bias_hh"], 3)
        r, z = sigmoid(a_r + w_r @ h[-1]), sigmoid(a_z + w_z @ h[-1])
        n = np.tanh(a_n + w_n @ (r * h[-1]))
        gates.append((r, z, n))
        h.append((1 - z) * n + z * h[-1])

    def backward(d_outputs: Array, d_final: State) -> tuple[Array, State, Weights]:
        grads = {name: np.zeros_like(weight) for name, weight in weights.items()}
        dx = np.zeros_like(x)
        (dh,) = d_final
        for t in reversed(range(len(x))):
            r, z, n = gates[t]
            dh = dh + d_outputs[t]
            da_n = dh * (1 - z) * (1 - n**2)
            da_z = dh * (h[t] - n) * z * (1 - z)
            d_reset = w_n.T @ da_n  # of r h
            da_r = d_reset * h[t] * r * (1 - r)
            da = np.concatenate([da_r, da_z, da_n])
            dx[t] = w_ih.T @ da
            grads["weight_ih"] += np.outer(da, x[t])
            grads["weight_hh"] += np.concatenate([np.outer(da_r, h[t]), np.outer(da_z, h[t]), np.outer(da_n, r * h[t])])
            grads["bias_ih"] += da
            grads["bias_hh"] += da
            dh = dh * z + d_reset * r + w_r.T @ da_r + w_z.T @ da_z
        return dx, (dh,), grads

    return np.stack(h[1:]), (h[-1],), backward


@dataclass(frozen=True)
class Product:
    """A linear map W x of one step, and what its gradient d hands back to x and to W."""

    apply: Callable[[Array, Array], Array]
    to_input: Callable[[Array, Array], Array]
    to_weight: Callable[[Array, Array, Array], Array]


MATRIX = Product(lambda w, x: w @ x, lambda w, d: w.T @ d, lambda _, d, x: np.outer(d, x))
DIAGONAL = Product(lambda w, x: w * x, lambda w, d: w * d, lambda _, d, x: d * x)


def neighbours(x: Array, size: int) -> Array:
    """What a square kernel sees of (C, Y, X) at each place, zeros around: (C, size, size, Y, X)."""
    edge, (rows, columns) = size // 2, x.shape[1:]
    padded = np.pad(x, ((0, 0), (edge, edge), (edge, edge)))
    shifts = [[padded[:, dy : dy + rows, dx : dx + columns] for dx in range(size)] for dy in range(size)]
    return np.stack([np.stack(row, 1) for row in shifts], 1)


CONVOLUTION = Product(
    lambda w, x: np.einsum("oiyx,iyxrc->orc", w, neighbours(x, w.shape[-1])),
    # What x gave to its neighbours comes back from them, seen through the kernel turned by half a turn.
    lambda w, d: np.einsum("oiyx,oyxrc->irc", w[:, :, ::-1, ::-1], neighbours(d, w.shape[-1])),
    lambda w, d, x: np.einsum("orc,iyxrc->oiyx", d, neighbours(x, w.shape[-1])),
)


def peephole_lstm(
    x: Array, start: State, weights: Weights, product: Product = MATRIX, peephole: Product | None = DIAGONAL
) -> tuple[Array, State, Backward]:
    """The gates see the cell state, i and f the old one, o the new  (Gers 2002; on maps Shi 2015, eq 3).

    i = s(a_i + W_ci c); f = s(a_f + W_cf c); c' = f c + i tanh(a_g); o = s(a_o + W_co c'); h' = o tanh(c'), where
    (a_i|a_f|a_g|a_o) = W_ih x + b_ih + W_hh h + b_hh.
    """
    w_ih, w_hh = weights["weight_ih"], weights["weight_hh"]
    w_ci, w_cf, w_co = np.split(weights["weight_ch"], 3) if peephole else np.zeros(3)
    peep = peephole or DIAGONAL
    bias = (weights["bias_ih"] + weights["bias_hh"]).reshape(-1, *[1] * (x.ndim - 2))
    h, c, gates = [start[0]], [start[1]], []
    for x_t in x:
        a_i, a_f, a_g, a_o = np.split(product.apply(w_ih, x_t) + product.apply(w_hh, h[-1]) + bias, 4)
        i, f = sigmoid(a_i + peep.apply(w_ci, c[-1])), sigmoid(a_f + peep.apply(w_cf, c[-1]))
        g = np.tanh(a_g)
        c.append(f * c[-1] + i * g)
        o = sigmoid(a_o + peep.apply(w_co, c[-1]))
        gates.append((i, f, g, o))
        h.append(o * np.tanh(c[-1]))

    def backward(d_outputs: Array, d_final: State) -> tuple[Array, State, Weights]:
        grads = {name: np.zeros_like(weight) for name, weight in weights.items()}
        dx = np.zeros_like(x)
        dh, dc = d_final
        for t in reversed(range(len(x))):
            i, f, g, o = gates[t]
            u = np.tanh(c[t + 1])
            dh = dh + d_outputs[t]
            da_o = dh * u * o * (1 - o)
            dc = dc + dh * o * (1 - u**2) + peep.to_input(w_co, da_o)
            da_i, da_f, da_g = dc * g * i * (1 - i), dc * c[t] * f * (1 - f), dc * i * (1 - g**2)
            da = np.concatenate([da_i, da_f, da_g, da_o])
            dx[t] = product.to_input(w_ih, da)
            grads["weight_ih"] += product.to_weight(w_ih, da, x[t])
            grads["weight_hh"] += product.to_weight(w_hh, da, h[t])
            for name in ("bias_ih", "bias_hh"):
                grads[name] += da.reshape(len(da), -1).sum(1)
            if peephole:
                pairs = ((w_ci, da_i, c[t]), (w_cf, da_f, c[t]), (w_co, da_o, c[t + 1]))
                grads["weight_ch"] += np.concatenate([peep.to_weight(*pair) for pair in pairs])
            dh = product.to_input(w_hh, da)
            dc = dc * f + peep.to_input(w_ci, da_i) + peep.to_input(w_cf, da_f)
        return dx, (dh, dc), grads

    return np.stack(h[1:]), (h[-1], c[-1]), backward


def normalise(a: Array) -> tuple[Array, Callable[[Array], Array]]:
    """(a - mean) / sqrt(var + 1e-5), and the way back from its gradient to a's."""
    scale = 1 / np.sqrt(a.var() + 1e-5)
    y = (a - a.mean()) * scale
    return y, lambda d: scale * (d - d.mean() - y * (d * y).mean())


def layernorm_lstm(x: Array, start: State, weights: Weights) -> tuple[Array, State, Backward]:
    """Each product is normalised over all gates, c only on its way to h  (Ba 2016, eqs 20-22).

    (i|f|g|o) = gain_hh LN(W_hh h) + gain_ih LN(W_ih x) + b; c' = s(f) c + s(i) tanh(g);
    h' = s(o) tanh(gain_c LN(c') + bias_c).
    """
    w_ih, w_hh = weights["weight_ih"], weights["weight_hh"]
    h, c, tape = [start[0]], [start[1]], []
    for x_t in x:
        (of_x, back_x), (of_h, back_h) = normalise(w_ih @ x_t), normalise(w_hh @ h[-1])
        a_i, a_f, a_g, a_o = np.split(weights["gain_hh"] * of_h + weights["gain_ih"] * of_x + weights["bias"], 4)
        i, f, g, o = sigmoid(a_i), sigmoid(a_f), np.tanh(a_g), sigmoid(a_o)
        c.append(f * c[-1] + i * g)
        of_c, back_c = normalise(c[-1])
        u = np.tanh(weights["gain_c"] * of_c + weights["bias_c"])
        tape.append((i, f, g, o, u, of_x, back_x, of_h, back_h, of_c, back_c))
        h.append(o * u)

    def backward(d_outputs: Array, d_final: State) -> tuple[Array, State, Weights]:
        grads = {name: np.zeros_like(weight) for name, weight in weights.items()}
        dx = np.zeros_like(x)
        dh, dc = d_final
        for t in reversed(range(len(x))):
            i, f, g, o, u, of_x, back_x, of_h, back_h, of_c, back_c = tape[t]
            dh = dh + d_outputs[t]
            dv = dh * o * (1 - u**2)
            dc = dc + back_c(dv * weights["gain_c"])
            da = np.concatenate(
                [dc * g * i * (1 - i), dc * c[t] * f * (1 - f), dc * i * (1 - g**2), dh * u * o * (1 - o)]
            )
            d_of_x, d_of_h = back_x(da * weights["gain_ih"]), back_h(da * weights["gain_hh"])
            dx[t] = w_ih.T @ d_of_x
            for name, share in {
                "weight_ih": np.outer(d_of_x, x[t]),
                "weight_hh": np.outer(d_of_h, h[t]),
                "gain_ih": da * of_x,
                "gain_hh": da * of_h,
                "bias": da,
                "gain_c": dv * of_c,
                "bias_c": dv,
            }.items():
                grads[name] += share
            dh, dc = w_hh.T @ d_of_h, dc * f
        return dx, (dh, dc), grads

    return np.stack(h[1:]), (h[-1], c[-1]), backward


def accumulate(grads: Weights, of_input: Array, of_hidden: Array, x_t: Array, h_t: Array) -> None:
    """Adds one step's share to the gradients of W_ih x + b_ih and W_hh h + b_hh."""
    grads["weight_ih"] += np.outer(of_input, x_t)
    grads["weight_hh"] += np.outer(of_hidden, h_t)
    grads["bias_ih"] += of_input
    grads["bias_hh"] += of_hidden


CELLS: dict[str, Cell] = {
    "rnn": rnn,
    "rnn_relu": partial(rnn, nonlinearity="relu"),
    "lstm": lstm,
    "gru": gru,
    "gru_cho": gru_cho,
    "peephole_lstm": peephole_lstm,
    "peephole_lstm_full": partial(peephole_lstm, peephole=MATRIX),
    "layernorm_lstm": layernorm_lstm,
    "convlstm": partial(peephole_lstm, product=CONVOLUTION, peephole=None),
    "convlstm_peephole": partial(peephole_lstm, product=CONVOLUTION),
}


def read(
    cell: Cell, x: Array, start: State, layers: list[list[Weights]], merge: str = "concat"
) -> tuple[Array, State, Callable[[Array, State], tuple[Array, State, list[list[Weights]]]]]:
    """Reads one sequence with layers of one or two directions, merged after every layer.

    Args:
        cell: One step's equations.
        x: (T, F).
        start: Initial state, each part (L, D * directions), forward first.
        layers: For each layer the weights of its forward and, if it has one, its backward direction.
        merge: concat or sum.

    Returns:
        outputs: (T, D) or (T, 2D).
        final: As start, after each direction's own last step.
        backward: From gradients of both to those of x, start and layers.
    """
    outputs, finals, tape = x, [], []
    for depth, directions in enumerate(layers):
        starts = list(zip(*(np.split(part[depth], len(directions)) for part in start), strict=True))
        reads = [
            cell(outputs[::-1] if back else outputs, starts[back], weights) for back, weights in enumerate(directions)
        ]
        halves = [half[::-1] if back else half for back, (half, _, _) in enumerate(reads)]
        outputs = np.concatenate(halves, 1) if merge == "concat" else sum(halves)
        finals.append([np.concatenate(parts) for parts in zip(*(final for _, final, _ in reads), strict=True)])
        tape.append([carry_back for _, _, carry_back in reads])

    def backward(d_outputs: Array, d_final: State) -> tuple[Array, State, list[list[Weights]]]:
        d_starts, d_layers = [], []
        for depth in reversed(range(len(layers))):
            count = len(tape[depth])
            d_halves = np.split(d_outputs, count, 1) if merge == "concat" else [d_outputs] * count
            d_ends = list(zip(*(np.split(part[depth], count) for part in d_final), strict=True))
            d_outputs, d_layer, d_begins = 0, [], []
            for back, carry_back in enumerate(tape[depth]):
                d_half = d_halves[back][::-1] if back else d_halves[back]
                d_x, d_begin, d_weights = carry_back(d_half, d_ends[back])
                d_outputs = d_outputs + (d_x[::-1] if back else d_x)
                d_begins.append(d_begin)
                d_layer.append(d_weights)
            d_starts.insert(0, [np.concatenate(parts) for parts in zip(*d_begins, strict=True)])
            d_layers.insert(0, d_layer)
        return d_outputs, tuple(np.stack(parts) for parts in zip(*d_starts, strict=True)), d_layers

    return outputs, tuple(np.stack(parts) for parts in zip(*finals, strict=True)), backward


Attended = tuple[Array, Array, Callable[[Array], tuple[Array, ...]]]
"""A context, the weights of the steps, and from the context's gradient to those of the arguments."""


def attend(y: Array, scores: Array) -> Attended:
    """c = sum_t a_t y_t; a = softmax of the scores of these steps."""
    a = np.exp(scores - scores.max())
    a /= a.sum()

    def backward(dc: Array) -> tuple[Array, ...]:
        da = y @ dc
        return np.outer(a, dc), a * (da - a @ da)

    return a @ y, a, backward


def dot_attention(y: Array, v: Array) -> Attended:
    """score_t = y_t . v."""
    context, a, attended = attend(y, y @ v)
    return context, a, lambda dc: (attended(dc)[0] + np.outer(attended(dc)[1], v), y.T @ attended(dc)[1])


def additive_attention(y: Array, u: Array, k: Array, v: Array) -> Attended:
    """score_t = v . tanh(U y_t + k), where k is a bias, or W s of a query s  (Bahdanau 2015, A.1.2)."""
    hidden = np.tanh(y @ u.T + k)
    context, a, attended = attend(y, hidden @ v)

    def backward(dc: Array) -> tuple[Array, ...]:
        dy, d_scores = attended(dc)
        da = np.outer(d_scores, v) * (1 - hidden**2)
        return dy + da @ u, da.T @ y, da.sum(0), hidden.T @ d_scores

    return context, a, backward
