import pytest
import torch
from torch import Tensor, nn

from seqtrain.models import ConvLSTMSpec, Recurrent, RecurrentSpec
from tests.models.cases import (
    CASES,
    LENGTHS,
    TASK,
    assert_same,
    build,
    draw_state,
    draw_x,
    every_cell,
    every_direction,
    gradients,
)
from tests.oracles import CELLS

engine_cases = pytest.mark.parametrize("case", [case for case in CASES if case.endswith("/engine")])


def results(core: Recurrent, x: Tensor, lengths: list[int], seed: int = 3) -> dict[str, object]:
    x = x.detach().requires_grad_()
    torch.manual_seed(seed)
    outputs, final = core(x, torch.tensor(lengths))
    return gradients(outputs, final, x, None, dict(core.named_parameters()))


@engine_cases
def test_its_gradients_can_be_differentiated_again(case: str) -> None:
    core = build(case, hidden_size=2, num_layers=1)
    x, start = draw_x(case, 2, 3).requires_grad_(), tuple(part.requires_grad_() for part in draw_state(core, 2))

    def flat(x: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        outputs, state = core(x, torch.tensor([2, 3]), tensors[: len(start)])
        return (outputs, *state)

    tensors = (x, *start)
    assert torch.autograd.gradgradcheck(flat, tensors, fast_mode=True)


@engine_cases
def test_it_is_one_node_of_the_graph_for_each_layer_and_direction(case: str) -> None:
    core = build(case, "concat")
    outputs, _ = core(draw_x(case, 2, 7), torch.tensor([7, 7]))
    seen, pending = set(), [outputs.grad_fn]
    while pending:
        node = pending.pop()
        if node is not None and node not in seen:
            seen.add(node)
            pending += [parent for parent, _ in node.next_functions]
    assert sum(node.name() == "_RecurrenceBackward" for node in seen) == 4
    assert len(seen) < 120, "and few others: the steps leave none"


@engine_cases
def test_backward_runs_twice_over_one_graph(case: str) -> None:
    core = build(case)
    x = draw_x(case, 2, 5).requires_grad_()
    outputs, _ = core(x, torch.tensor([5, 3]))
    twice = [torch.autograd.grad(outputs.sum(), [x, *core.parameters()], retain_graph=True) for _ in range(2)]
    torch.testing.assert_close(*twice, rtol=0, atol=0)


@engine_cases
@pytest.mark.parametrize("part", [0, 1])
def test_a_loss_on_the_state_alone_reaches_everything_before_it(case: str, part: int) -> None:
    engine, loop = build(case, num_layers=1), build(case.replace("engine", "reference"), num_layers=1)
    if part == engine.cell.memories:
        pytest.skip("has no cell state")
    x = draw_x(case, 3, 5).requires_grad_()
    grads = []
    for core in (engine, loop):
        _, state = core(x, torch.tensor([5, 2, 4]))
        grads.append(torch.autograd.grad(state[part].square().sum(), [x, core.layers[0][0].weight_hh_l0]))
    torch.testing.assert_close(*grads)


@every_cell
@every_direction
@pytest.mark.parametrize("chance", [0.0, 0.5])
@pytest.mark.parametrize("residual", [False, True])
def test_engine_and_loop_agree_with_every_option(case: str, direction: str, chance: float, residual: bool) -> None:
    options = {"recurrent_dropout": chance, "residual": residual, "forget_bias": None}
    engine, loop = (build(f"{case}/{kernel}", direction, **options) for kernel in ("engine", "reference"))
    x = draw_x(case, len(LENGTHS), max(LENGTHS))
    assert_same(results(engine, x, LENGTHS), results(loop, x, LENGTHS))


@every_cell
def test_weights_trained_by_one_kernel_are_loaded_by_any(case: str) -> None:
    cores = [build(name) for name in CASES if name.startswith(f"{case}/")]
    assert len(cores) in (2, 3)
    first, *others = (core.state_dict() for core in cores)
    for other in others:
        torch.testing.assert_close(other, first, rtol=0, atol=0)
    assert next(iter(first)) == "layers.0.0.weight_ih_l0"


@engine_cases
def test_one_sequence_of_one_step(case: str) -> None:
    x = draw_x(case, 1, 1)
    loop = build(case.replace("engine", "reference"))
    assert_same(results(build(case), x, [1]), results(loop, x, [1]))


@engine_cases
def test_reading_without_gradients_gives_the_same(case: str) -> None:
    core, x = build(case), draw_x(case, 2, 5)
    with torch.no_grad():
        plain = core(x, torch.tensor([5, 3]))
    torch.testing.assert_close(plain, core(x, torch.tensor([5, 3])), rtol=0, atol=0)
    frozen = core.requires_grad_(False)
    x.requires_grad_()
    frozen(x, torch.tensor([5, 3]))[0].sum().backward()
    assert x.grad is not None
    assert all(weight.grad is None for weight in frozen.parameters())


@engine_cases
def test_float32_stays_close_to_float64(case: str) -> None:
    exact, rough = build(case), build(case, dtype=torch.float32)
    x = draw_x(case, len(LENGTHS), max(LENGTHS))
    expected, ours = results(exact, x, LENGTHS), results(rough, x.float(), LENGTHS)
    for name in ("outputs", "d x"):
        torch.testing.assert_close(
            *(torch.tensor(each[name]).double() for each in (ours, expected)), rtol=1e-3, atol=2e-4
        )


@pytest.mark.parametrize("cell", ["gru", "gru_cho", "peephole_lstm", "layernorm_lstm"])
def test_compilers_see_the_loop(cell: str) -> None:
    core = RecurrentSpec(cell=cell, hidden_size=4, kernel="engine").build_core((3,), TASK).double()
    weights, x = core.layers[0][0], draw_x(cell, 2, 3)

    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weights = weights

        def forward(self, x: Tensor, start: tuple[Tensor, ...]) -> Tensor:
            from seqtrain.models.cells import weights_of
            from seqtrain.models.engine import read_fast

            outputs, _ = read_fast(core.cell, weights_of(self.weights), x, start, None, None)
            return outputs

    start = tuple(torch.zeros(2, 4, dtype=torch.float64) for _ in range(core.cell.memories))
    exported = torch.export.export(Reader(), (x, start)).module()
    torch.testing.assert_close(exported(x, start), core(x, torch.tensor([3, 3]))[0])


def test_a_convlstm_of_one_place_is_an_lstm() -> None:
    options = {"hidden_size": 4, "num_layers": 2, "bidirectional": True}
    vectors = RecurrentSpec(cell="lstm", **options).build_core((3,), TASK).double()
    maps = ConvLSTMSpec(kernel_size=1, **options).build_core((3, 1, 1), TASK).double()
    maps.load_state_dict({name: w[..., None, None] if w.dim() == 2 else w for name, w in vectors.state_dict().items()})
    x, lengths = draw_x("lstm", 4, 7), torch.tensor(LENGTHS)
    (outputs, state), (expected, expected_state) = maps(x[..., None, None], lengths), vectors(x, lengths)
    torch.testing.assert_close(outputs[..., 0, 0], expected)
    torch.testing.assert_close(tuple(part[..., 0, 0] for part in state), expected_state)


def test_texts_that_swap_z_mean_the_same_network() -> None:
    """h' = (1 - z) h + z n is our gru_cho with the signs of z's weights turned."""
    core = build("gru_cho/engine", num_layers=1)
    w = {name.removesuffix("_l0"): value.detach() for name, value in core.layers[0][0].named_parameters()}
    x, h = draw_x("gru_cho", 1, 6), torch.zeros(1, 4, dtype=torch.float64)
    swapped = {name: torch.cat([r, -z, n]) for name, value in w.items() for r, z, n in [value.chunk(3)]}
    u_r, u_z, u_n = swapped["weight_hh"].chunk(3)
    for t in range(6):
        bias = swapped["bias_ih"] + swapped["bias_hh"]
        a_r, a_z, a_n = (x[:, t] @ swapped["weight_ih"].T + bias).chunk(3, 1)
        r, z = (a_r + h @ u_r.T).sigmoid(), (a_z + h @ u_z.T).sigmoid()
        h = (1 - z) * h + z * (a_n + (r * h) @ u_n.T).tanh()
    torch.testing.assert_close(core(x, torch.tensor([6]))[0][:, -1], h)


def test_every_oracle_has_a_case() -> None:
    assert {case.partition("/")[0] for case in CASES} == set(CELLS)
