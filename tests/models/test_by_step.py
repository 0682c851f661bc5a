import pytest
import torch

from seqtrain.models import RecurrentSpec, SelfAttentionSpec
from seqtrain.models.by_step import read_by_step
from seqtrain.models.cells import weights_of
from tests.models.cases import HIDDEN, LENGTHS, TASK, build, draw, draw_x, every_case, every_cell, every_direction


@every_case
@pytest.mark.parametrize("options", [{}, {"residual": True}], ids=str)
def test_reading_by_step_gives_the_same_and_a_memory_after_each(case, options):
    core, lengths = build(case, **options), torch.tensor(LENGTHS)
    x = draw_x(case, len(LENGTHS), max(LENGTHS))
    outputs, state = core(x, lengths)
    by_step, states = read_by_step(core, x, lengths)
    torch.testing.assert_close(by_step, outputs, rtol=1e-10, atol=1e-12)
    for ours, theirs in zip(states[-1], state, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)
    _, early = core(x[:, :3], torch.tensor(LENGTHS).clamp(max=3))
    torch.testing.assert_close(states[2][0], early[0], rtol=1e-10, atol=1e-12)


def test_a_layer_norm_on_the_outputs_is_read_by_step_too():
    core = RecurrentSpec(cell="layernorm_lstm", norm="output", hidden_size=HIDDEN).build_core((3,), TASK)
    x, lengths = draw(4, 7, 3, dtype=torch.float32), torch.tensor(LENGTHS)
    torch.testing.assert_close(read_by_step(core, x, lengths)[0], core(x, lengths)[0])


def test_what_has_no_step_that_is_the_last_says_so():
    assert build("gru").by_step_refusal is None
    assert build("gru", "concat").by_step_refusal == "reads from the end as well, so that no one step is the last"
    core = SelfAttentionSpec().build_core((3,), TASK)
    assert core.by_step_refusal == "looks at all steps at once and hands no memory on from one to the next"
    assert core.gates(draw(2, 4, 3, dtype=torch.float32), torch.tensor([4, 2])) == {}


@every_direction
@pytest.mark.parametrize("residual", [False, True])
def test_gates_of_an_lstm_make_its_memory(direction, residual):
    core = build("lstm", direction, residual=residual)
    x, lengths = draw_x("lstm", 3, 6), torch.tensor([6, 6, 6])
    gates = core.gates(x, lengths)
    halves = len(core.layers[0])
    assert set(gates) == {
        f"layers.{depth}.{half}/{name}"
        for depth in range(2)
        for half in range(halves)
        for name in ("input", "forget", "candidate", "output")
    }
    _, (h, c) = core(x, lengths)
    for depth in range(2):
        for half in range(halves):
            i, f, g, o = (gates[f"layers.{depth}.{half}/{name}"] for name in ("input", "forget", "candidate", "output"))
            memory = torch.zeros(3, HIDDEN, dtype=torch.float64)
            for t in reversed(range(6)) if half else range(6):
                memory = f[:, t] * memory + i[:, t] * g[:, t]
                last = o[:, t] * memory.tanh()
            part = slice(half * HIDDEN, (half + 1) * HIDDEN)
            torch.testing.assert_close(memory, c[depth, :, part], rtol=1e-10, atol=1e-12)
            torch.testing.assert_close(last, h[depth, :, part], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("case", ["gru", "gru_cho"])
def test_gates_of_a_gru_make_its_memory(case):
    core = build(case, num_layers=1)
    x, lengths = draw_x(case, 3, 6), torch.tensor([6, 6, 6])
    gates = core.gates(x, lengths)
    r, z, n = (gates[f"layers.0.0/{name}"] for name in ("reset", "update", "candidate"))
    w = weights_of(core.layers[0][0])
    memory = torch.zeros(3, HIDDEN, dtype=torch.float64)
    for t in range(6):
        a_r = x[:, t] @ w["weight_ih"][:HIDDEN].t() + memory @ w["weight_hh"][:HIDDEN].t()
        expected = (a_r + w["bias_ih"][:HIDDEN] + w["bias_hh"][:HIDDEN]).sigmoid()
        torch.testing.assert_close(r[:, t], expected, rtol=1e-10, atol=1e-12)
        memory = (1 - z[:, t]) * n[:, t] + z[:, t] * memory
    torch.testing.assert_close(memory, core(x, lengths)[1][0][0], rtol=1e-10, atol=1e-12)


@every_cell
def test_gates_stand_where_the_steps_do_and_padding_changes_none(case):
    core, lengths = build(case, "concat"), torch.tensor(LENGTHS)
    x = draw_x(case, len(LENGTHS), max(LENGTHS))
    found = core.gates(x, lengths)
    assert bool(found) == (not case.startswith("rnn"))
    for row, length in enumerate(LENGTHS):
        alone = core.gates(x[row : row + 1, :length], torch.tensor([length]))
        for name, gate in found.items():
            torch.testing.assert_close(gate[row : row + 1, :length], alone[name], rtol=1e-10, atol=1e-12)
