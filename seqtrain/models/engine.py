"""The two ways to read with a cell's own equations: the loop to learn from, and the engine to train with.

Both take and return the same, and agree to rounding. The engine differs from the loop in that

- the input's share of the gates is one product over all steps, made before the loop;
- a step is one product and a few pointwise operations, in place, without a graph;
- backpropagation through time is written by hand: slopes of the gates in bulk, in the loop again one
  product and a few pointwise operations a step, the weights' gradients one product each after it;
- kept for it are the gates, the states and what a layer norm normalised; what is cheap is computed again.
"""

from typing import Any

import torch
from torch import Tensor
from torch._higher_order_ops import scan  # documented as torch.scan, a prototype, under this name only

from seqtrain.model import State
from seqtrain.models.cells.cell import Cell, Tape, Weights
from seqtrain.models.tracing import tracing

GATES = {
    "i": "input",
    "f": "forget",
    "g": "candidate",
    "o": "output",
    "r": "reset",
    "z": "update",
    "n": "candidate",
}
"""What the letters of the equations stand for."""
MEMORIES = ("hidden", "cell")
"""What the parts of a state are."""


def read_steps(
    cell: Cell, w: Weights, x: Tensor, start: State, padding: Tensor | None, mask: Tensor | None
) -> tuple[Tensor, State]:
    """Reads one step after the other with plain autograd.

    Args:
        cell: Whose equations.
        w: One layer's weights in one direction.
        x: Features, (B, T, F) or (B, T, C, Y, X).
        start: The state before the first step, (B, D) or (B, D, Y, X) each.
        padding: Where no real step stands, (B, T); None if every step is real.
        mask: What the recurrent weights see of h, the same at every step: (B, D) or (B, D, 1, 1), None is all.

    Returns:
        outputs: h after each step, (B, T, D) or (B, T, D, Y, X).
        state: After each sequence's last real step.
    """
    state, outputs = tuple(part.to(x.dtype) for part in start), []
    for t in range(x.shape[1]):
        h = state[0]
        after = cell.step(x[:, t], state, h if mask is None else h * mask, w)
        if padding is not None:
            stop = padding[:, t].view(-1, *[1] * (h.dim() - 1))
            after = tuple(torch.where(stop, old, new) for old, new in zip(state, after, strict=True))
        state = after
        outputs.append(state[0])
    return torch.stack(outputs, 1), state


def read_scan(
    cell: Cell, w: Weights, x: Tensor, start: State, padding: Tensor | None, mask: Tensor | None
) -> tuple[Tensor, State]:
    """Reads as `read_steps` does, by a loop that an exported program keeps as one: T need not be known."""
    assert padding is not None, "any of the steps of a program's input may be padding"

    def step(state: State, now: tuple[Tensor, Tensor]) -> tuple[State, Tensor]:
        features, stop = now
        h = state[0]
        after = cell.step(features, state, h if mask is None else h * mask, w)
        stop = stop.view(-1, *[1] * (h.dim() - 1))
        after = tuple(torch.where(stop, old, new) for old, new in zip(state, after, strict=True))
        return after, after[0].clone()  # what is carried and what is handed out may not be one tensor

    begin = tuple(part.to(x.dtype).clone() for part in start)
    state, outputs = scan(step, begin, (x.transpose(0, 1), padding.t()))
    return outputs.transpose(0, 1), state


def read_fast(
    cell: Cell, w: Weights, x: Tensor, start: State, padding: Tensor | None, mask: Tensor | None
) -> tuple[Tensor, State]:
    """Reads as `read_steps` does, by the engine; where a tracer follows, by the loop.

    On a batch with padding, outputs there are arbitrary but finite, and h of the state returned isn't to be used:
    it stands in the outputs at each sequence's last real step.
    """
    if tracing():
        return read_steps(cell, w, x, start, padding, mask)
    dtype, names = x.dtype, tuple(w)
    if torch.is_autocast_enabled(x.device.type):
        dtype = torch.get_autocast_dtype(x.device.type)
    place = cell.connection
    with torch.autocast(x.device.type, enabled=False):
        begin = [place.features_last(part).to(dtype).contiguous() for part in start]
        outputs, *final = _Recurrence.apply(  # type: ignore[no-untyped-call]  # of torch, without annotations
            cell,
            names,
            None if padding is None else padding.t(),
            None if mask is None else place.features_last(mask).to(dtype),
            place.steps(x.to(dtype)),
            *begin,
            *(w[name].to(dtype) for name in names),
        )
        return place.batch(outputs), tuple(place.features_first(part) for part in final)


@torch.no_grad()
def read_inside(cell: Cell, w: Weights, x: Tensor, start: State) -> dict[str, Tensor]:
    """What each gate of a cell let through, then its memories, `hidden` and `cell`, after each step, by their names.

    Each is (B, T, D) or (B, T, D, Y, X). No gradient goes through it.

    Args:
        cell: Whose equations.
        w: One layer's weights in one direction.
        x: Features, (B, T, F) or (B, T, C, Y, X). Of a sequence with padding, what comes past its length means nothing.
        start: The state before the first step.
    """
    place = cell.connection
    projected, _ = cell.project(place.steps(x), w)
    tape = cell.unroll(projected, tuple(place.features_last(part).contiguous() for part in start), w, None)
    gates = dict(zip(cell.gates, tape.gates[0].chunk(len(cell.gates), -1), strict=True)) if tape.gates else {}
    found = {GATES[name]: place.batch(gate) for name, gate in gates.items()}
    return found | {name: place.batch(part[1:]) for name, part in zip(MEMORIES, tape.states, strict=False)}


class _Recurrence(torch.autograd.Function):
    """A layer's whole reading as one node of the graph."""

    @staticmethod
    def forward(
        ctx: Any, cell: Cell, names: tuple[str, ...], padding: Tensor | None, mask: Tensor | None, *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        """Reads (T, B, ...) features; tensors are x, each part of the start and each weight.

        Returns:
            outputs: h after each step, (T, B, ...).
            state: Each part after the last step; h is not at the last real one where there is padding.
        """
        x, start, w = _sort(cell, names, tensors)
        projected, kept = cell.project(x, w)
        if padding is not None:
            cell.hold(projected, padding)
        tape = cell.unroll(projected, start, w, mask)
        ctx.cell, ctx.names, ctx.count = cell, names, len(kept)
        ctx.save_for_backward(padding, mask, *tensors, *kept, *tape.states, *tape.gates)
        ctx.set_materialize_grads(False)
        # Copied, for a part of the tape that is handed out twice could not be told apart by autograd.
        return tape.states[0][1:], *(part[-1].clone() for part in tape.states)

    @staticmethod
    def backward(ctx: Any, d_outputs: Tensor | None, *d_final: Tensor | None) -> tuple[Tensor | None, ...]:
        """The gradients of x, start and weights; differentiable again where a graph of them is wanted."""
        cell, names = ctx.cell, ctx.names
        padding, mask, *saved = ctx.saved_tensors
        count = 1 + cell.memories + len(names)
        tensors, kept, taped = saved[:count], saved[count : count + ctx.count], saved[count + ctx.count :]
        if torch.is_grad_enabled():
            wanted = ctx.needs_input_grad[4:]
            return (
                None,
                None,
                None,
                None,
                *_backward_by_steps(cell, names, padding, mask, tensors, wanted, (d_outputs, *d_final)),
            )
        tape = Tape(tuple(taped[: cell.memories]), tuple(taped[cell.memories :]))
        x, start, w = _sort(cell, names, tensors)
        zeros = start[0].new_zeros(()).expand_as(start[0])
        if d_outputs is None:
            d_outputs = zeros.expand(len(x), *zeros.shape)
        with torch.autocast(x.device.type, enabled=False):
            ends = tuple(zeros if part is None else part for part in d_final)
            found = cell.unroll_back(tape, d_outputs.contiguous(), ends, w, mask)
            d_x, d_input = cell.project_back(found.projected, x, w, tuple(kept), of_input=ctx.needs_input_grad[4])
        d_weights = found.weights | d_input
        return None, None, None, None, d_x, *found.start, *(d_weights[name] for name in names)


def _sort(
    cell: Cell, names: tuple[str, ...], tensors: tuple[Tensor, ...] | list[Tensor]
) -> tuple[Tensor, State, Weights]:
    """What a flat row of tensors is: x, start and weights."""
    x, *rest = tensors
    return x, tuple(rest[: cell.memories]), dict(zip(names, rest[cell.memories :], strict=True))


def _backward_by_steps(
    cell: Cell,
    names: tuple[str, ...],
    padding: Tensor | None,
    mask: Tensor | None,
    tensors: list[Tensor],
    wanted: tuple[bool, ...],
    gradients: tuple[Tensor | None, ...],
) -> list[Tensor | None]:
    """The same gradients by the loop, which autograd can differentiate again."""
    x, start, w = _sort(cell, names, tensors)
    place = cell.connection
    with torch.autocast(x.device.type, enabled=False):
        outputs, final = read_steps(
            cell,
            w,
            place.batch(x),
            tuple(place.features_first(part) for part in start),
            None if padding is None else padding.t(),
            None if mask is None else place.features_first(mask),
        )
        results = [place.steps(outputs), *(place.features_last(part) for part in final)]
    pairs = [(result, d) for result, d in zip(results, gradients, strict=True) if d is not None]
    inputs = [tensor for tensor, needed in zip(tensors, wanted, strict=True) if needed]
    found = torch.autograd.grad(
        [result for result, _ in pairs],
        inputs,
        [d for _, d in pairs],
        create_graph=True,
        allow_unused=True,
    )
    remaining = iter(found)
    return [next(remaining) if needed else None for needed in wanted]
