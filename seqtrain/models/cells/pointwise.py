"""Arithmetic on gates that every cell shares, in place and in bulk."""

from collections.abc import Iterator

import torch
from torch import Tensor

SHUT = -1e4
"""What added to a gate closes it: its sigmoid is exactly 0, and exactly 1 for -SHUT, from float16 to float64."""

CHUNK = 1 << 18
"""Gate values that are prepared for the backward loop at a time: enough to spread the cost of a call,
few enough to be still in the cache when the loop comes to them."""

_MINUS_ONE = torch.tensor(-1.0)


def tanh(x: Tensor, out: Tensor) -> Tensor:
    """Writes the hyperbolic tangent of x; out may be x.

    On a CPU in float32 as 2 sigmoid(2x) - 1, for MKL's tanh takes four times as long as its sigmoid. The
    error stays at float32's own step below 1, 6e-8, absolute; in half precision that step would be too coarse.
    """
    if x.dtype is torch.float32 and x.device.type == "cpu":
        # No Python number among the operands: each would become a tensor first, at the price of the operation.
        return torch.add(_MINUS_ONE, torch.add(x, x, out=out).sigmoid_(), alpha=2, out=out)
    return torch.tanh(x, out=out)


def sigmoid_slope(factor: Tensor, y: Tensor, out: Tensor) -> Tensor:
    """Writes factor * y (1 - y): the slope of y = sigmoid(a), times what stands behind it."""
    torch.ops.aten.sigmoid_backward.grad_input(factor, y, grad_input=out)
    return out


def tanh_slope(factor: Tensor, y: Tensor, out: Tensor) -> Tensor:
    """Writes factor * (1 - y^2): the slope of y = tanh(a), times what stands behind it."""
    torch.ops.aten.tanh_backward.grad_input(factor, y, grad_input=out)
    return out


def chunks_back(gates: Tensor) -> Iterator[slice]:
    """Slices of the steps of gates (T, B, ...), from the last to the first."""
    size = max(1, CHUNK // max(1, gates[0].numel()))
    for stop in range(len(gates), 0, -size):
        yield slice(max(0, stop - size), stop)


def memory(start: Tensor, steps: int) -> Tensor:
    """Room for a state before and after every step, (T + 1, *), the first one filled in."""
    room = start.new_empty(steps + 1, *start.shape)
    room[0] = start
    return room
