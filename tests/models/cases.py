"""Every cell by every kernel: what the tests of stacks run over. A cell added to CELLS is tested unasked."""

import numpy as np
import pytest
import torch
from torch import Tensor

from seqtrain.models import ConvLSTMSpec, Recurrent, RecurrentSpec, StackSpec, State
from seqtrain.spec import Align, TaskSpec, Values
from tests.oracles import CELLS, read

LENGTHS = [4, 7, 1, 5]
FEATURES, HIDDEN, LAYERS = 3, 4, 2
IMAGE = (2, 3, 4)
TASK = TaskSpec(Values(), Values(), Align.EACH)
"""For a core built by itself."""
CELL_OPTIONS = {
    "rnn": {"cell": "rnn"},
    "rnn_relu": {"cell": "rnn", "nonlinearity": "relu"},
    "lstm": {"cell": "lstm"},
    "gru": {"cell": "gru"},
    "gru_cho": {"cell": "gru_cho"},
    "peephole_lstm": {"cell": "peephole_lstm"},
    "peephole_lstm_full": {"cell": "peephole_lstm", "peephole": "full"},
    "layernorm_lstm": {"cell": "layernorm_lstm"},
    "convlstm": {},
    "convlstm_peephole": {"peephole": "diagonal"},
}
DIRECTION_OPTIONS = {
    "forward": {},
    "concat": {"bidirectional": True},
    "sum": {"bidirectional": True, "merge": "sum"},
}
Results = dict[str, np.ndarray]


def is_image(cell: str) -> bool:
    return cell.startswith("convlstm")


def spec_of(case: str, direction: str = "forward", **options: object) -> StackSpec:
    """The spec of a case, which is a cell or "cell/kernel"."""
    cell, _, kernel = case.partition("/")
    kind = ConvLSTMSpec if is_image(cell) else RecurrentSpec
    sizes = {"hidden_size": HIDDEN, "num_layers": LAYERS, "kernel": kernel or "auto"}
    return kind(**{**CELL_OPTIONS[cell], **DIRECTION_OPTIONS[direction], **sizes, **options})


def _cases() -> list[str]:
    kernels = {cell: ["engine", "reference"] for cell in CELLS}
    for cell, found in kernels.items():
        if spec_of(cell).has_native_kernel:
            found.insert(0, "native")
    return [f"{cell}/{kernel}" for cell, found in kernels.items() for kernel in found]


CASES = _cases()
every_case = pytest.mark.parametrize("case", CASES)
every_cell = pytest.mark.parametrize("case", list(CELLS))
every_fast_case = pytest.mark.parametrize("case", [case for case in CASES if not case.endswith("/reference")])
every_direction = pytest.mark.parametrize("direction", DIRECTION_OPTIONS)


def build(case: str, direction: str = "forward", *, dtype: torch.dtype = torch.float64, **options: object) -> Recurrent:
    torch.manual_seed(1)
    core = spec_of(case, direction, **options).build_core(step_of(case), TASK)
    return core.to(dtype)


def step_of(case: str) -> tuple[int, ...]:
    """The shape of one input step."""
    return IMAGE if is_image(case) else (FEATURES,)


def draw(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, dtype=dtype)


def draw_x(case: str, batch: int, steps: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return draw(batch, steps, *step_of(case), dtype=dtype)


def draw_state(core: Recurrent, batch: int) -> State:
    width = core.spec.hidden_size * core.directions
    return tuple(draw(core.spec.num_layers, batch, width, *core.in_features[1:]) for _ in range(core.cell.memories))


def spoilt(x: Tensor, lengths: list[int], value: float) -> Tensor:
    x = x.clone()
    for sequence, length in zip(x, lengths, strict=True):
        sequence[length:] = value
    return x


def assert_same(ours: Results, expected: Results) -> None:
    assert ours.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(ours[name], value, rtol=1e-10, atol=1e-13, err_msg=name)


def gradients(outputs: Tensor, final: State, x: Tensor, start: State | None, weights: dict[str, Tensor]) -> Results:
    """Outputs, final state and all gradients, for weights on them that every run draws alike."""
    torch.manual_seed(2)
    # Drawn by shape: randn_like would follow the strides, which differ between views and copies.
    loss = sum((result * draw(*result.shape)).sum() for result in (outputs, *final))
    leaves = {"x": x, **{f"start {i}": part for i, part in enumerate(start or ())}, **weights}
    grads = torch.autograd.grad(loss, list(leaves.values()))
    results = {"outputs": outputs, **{f"final {i}": part for i, part in enumerate(final)}}
    results |= {f"d {name}": grad for name, grad in zip(leaves, grads, strict=True)}
    return {name: result.detach().numpy() for name, result in results.items()}


def oracle(core: Recurrent, case: str, x: Tensor, lengths: list[int], start: State | None) -> Results:
    """What `gradients` should return for a core, one sequence at a time in NumPy."""
    layers = [
        [{name.removesuffix("_l0"): w.detach().numpy() for name, w in half.named_parameters()} for half in layer]
        for layer in core.layers
    ]
    merge = core.spec.merge or "concat"
    begin = [part.detach().numpy() for part in start or (torch.zeros_like(part) for part in draw_state(core, len(x)))]
    reads = [
        read(
            CELLS[case.partition("/")[0]],
            x[b, :length].detach().numpy(),
            tuple(part[:, b] for part in begin),
            layers,
            merge,
        )
        for b, length in enumerate(lengths)
    ]
    outputs = np.zeros((len(x), max(lengths), *core.out_features))
    for b, (own, _, _) in enumerate(reads):
        outputs[b, : len(own)] = own
    final = [np.stack(parts, 1) for parts in zip(*(end for _, end, _ in reads), strict=True)]

    torch.manual_seed(2)
    d_outputs, *d_final = (draw(*result.shape).numpy() for result in (outputs, *final))
    results = {"outputs": outputs, **{f"final {i}": part for i, part in enumerate(final)}, "d x": np.zeros(x.shape)}
    results |= {f"d start {i}": np.zeros_like(part) for i, part in enumerate(begin) if start is not None}
    results |= {f"d {name}": np.zeros(weight.shape) for name, weight in core.named_parameters()}
    for b, (length, (_, _, backward)) in enumerate(zip(lengths, reads, strict=True)):
        d_x, d_start, d_layers = backward(d_outputs[b, :length], tuple(part[:, b] for part in d_final))
        results["d x"][b, :length] = d_x
        for i, part in enumerate(d_start if start is not None else ()):
            results[f"d start {i}"][:, b] = part
        for depth, layer in enumerate(d_layers):
            for back, grads in enumerate(layer):
                for name, grad in grads.items():
                    results[f"d layers.{depth}.{back}.{name}_l0"] += grad
    return results
