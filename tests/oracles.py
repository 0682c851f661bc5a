"""Recurrent cells in plain NumPy, written from their equations, with gradients derived by hand.

Each cell reads one sequence, a step at a time, and returns a function that carries gradients back. They
share nothing with the package, which is held to them. Weights go by torch's names, gates stand in torch's
order. In the derivations, dv is the gradient of the loss with respect to v.
"""

from collections.abc import Callable
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
