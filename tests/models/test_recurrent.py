import re
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seqtrain.errors import ConfigError, LengthError
from seqtrain.models import Recurrent, RecurrentSpec, State
from seqtrain.spec import Align, Symbols, TaskSpec, Values
from tests.models.cases import (
    CASES,
    HIDDEN,
    LAYERS,
    LENGTHS,
    TASK,
    assert_same,
    build,
    draw_state,
    draw_x,
    every_case,
    every_direction,
    every_fast_case,
    gradients,
    oracle,
    spoilt,
)


@every_case
@every_direction
@pytest.mark.parametrize("lengths", [LENGTHS, [7, 7], [1]], ids=["ragged", "full", "single"])
@pytest.mark.parametrize("resumed", [False, True])
def test_golden(case: str, direction: str, lengths: list[int], resumed: bool) -> None:
    core = build(case, direction)
    x = spoilt(draw_x(case, len(lengths), max(lengths)), lengths, 1e30).requires_grad_()
    start = tuple(part.requires_grad_() for part in draw_state(core, len(lengths))) if resumed else None
    outputs, final = core(x, torch.tensor(lengths), start)
    ours = gradients(outputs, final, x, start, dict(core.named_parameters()))
    assert_same(ours, oracle(core, case, x, lengths, start))


def torch_twin(core: Recurrent) -> nn.RNNBase:
    """torch's own stack with a core's weights."""
    spec = core.spec
    kind = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[spec.cell]
    options = {"nonlinearity": spec.nonlinearity or "tanh"} if spec.cell == "rnn" else {}
    size = {"num_layers": spec.num_layers, "bidirectional": spec.bidirectional, "batch_first": True}
    twin = kind(*core.in_features, spec.hidden_size, **size, **options)
    twin.load_state_dict({torch_name(name): weight for name, weight in core.state_dict().items()})
    return twin.to(next(core.parameters()).dtype)


def torch_name(name: str) -> str:
    """layers.1.0.weight_ih_l0 is torch's weight_ih_l1, layers.1.1.weight_ih_l0 its weight_ih_l1_reverse."""
    _, depth, back, weight = name.split(".")
    return weight.replace("_l0", f"_l{depth}") + ("_reverse" if back == "1" else "")


@pytest.mark.parametrize("case", [case for case in CASES if case.endswith("/native")])
@pytest.mark.parametrize("direction", ["forward", "concat"])
def test_torch_agrees_with_the_oracle_and_packed_with_padded(case: str, direction: str) -> None:
    core = build(case, direction)
    twin = torch_twin(core)
    x = draw_x(case, len(LENGTHS), max(LENGTHS)).requires_grad_()
    packed, final = twin(pack_padded_sequence(x, torch.tensor(LENGTHS), batch_first=True, enforce_sorted=False))
    outputs, _ = pad_packed_sequence(packed, batch_first=True)
    halves = 2 if core.spec.bidirectional else 1
    parts = final if isinstance(final, tuple) else (final,)
    joined = tuple(  # (L * directions, B, D), as torch has it, to (L, B, directions * D)
        part.unflatten(0, (LAYERS, halves)).transpose(1, 2).flatten(2) for part in parts
    )
    weights = {name: getattr(twin, torch_name(name)) for name in core.state_dict()}
    assert_same(gradients(outputs, joined, x, None, weights), oracle(core, case, x, LENGTHS, None))


@every_fast_case
@every_direction
def test_gradients_against_differences(case: str, direction: str) -> None:
    core = build(case, direction, hidden_size=2)
    x = draw_x(case, 2, 3).requires_grad_()

    def flat(x: Tensor) -> tuple[Tensor, ...]:
        outputs, state = core(x, torch.tensor([2, 3]))
        return (outputs, *state)

    assert torch.autograd.gradcheck(flat, (x,), fast_mode=True)


@every_fast_case
@every_direction
@pytest.mark.parametrize(("dtype", "training"), [(torch.float32, False), (torch.float64, True)])
def test_padding_is_never_read(case: str, direction: str, dtype: torch.dtype, training: bool) -> None:
    core = build(case, direction, dtype=dtype).train(training)
    x = draw_x(case, len(LENGTHS), max(LENGTHS), dtype)
    lengths = torch.tensor(LENGTHS)

    def run(x: Tensor) -> tuple[Tensor, State, Tensor, list[Tensor]]:
        x.requires_grad_()
        outputs, state = core(x, lengths)
        d_x, *d_weights = torch.autograd.grad(
            outputs.sum() + sum(part.sum() for part in state), [x, *core.parameters()]
        )
        for b, length in enumerate(LENGTHS):
            assert (outputs[b, length:] == 0).all()
            assert (d_x[b, length:] == 0).all()
        return outputs, state, d_x[:, : max(LENGTHS)], d_weights

    zeros = run(spoilt(x, LENGTHS, 0))
    for value in (1e30, -1e30, torch.nan, torch.inf):
        torch.testing.assert_close(run(spoilt(x, LENGTHS, value)), zeros, rtol=0, atol=0)
    longer = run(torch.cat([x, torch.full_like(x[:, :1], 7).expand(-1, 100, *x.shape[2:])], 1))
    torch.testing.assert_close((longer[0][:, : max(LENGTHS)], *longer[1:]), zeros)


@every_fast_case
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_the_cell_state_stands_still_on_padding_in_every_precision(case: str, dtype: torch.dtype) -> None:
    core = build(case, num_layers=1, dtype=dtype)
    if core.cell.memories == 1:
        pytest.skip("all of its memory is in the outputs")
    x = draw_x(case, 1, 2, dtype)
    # A state far from where the gates would take it: the smallest leak in 400 steps shows.
    start = tuple(torch.full((1, 2, HIDDEN, *core.in_features[1:]), value, dtype=dtype) for value in (0.5, 100.0))
    x = torch.cat([x, x])
    _, short = core(x, torch.tensor([2, 2]), start)
    padded = torch.cat([x, torch.zeros_like(x[:, :1]).expand(-1, 400, *x.shape[2:])], 1)
    _, long = core(padded, torch.tensor([2, 402]), start)
    torch.testing.assert_close([part[:, 0] for part in long], [part[:, 0] for part in short])


def test_ragged_lstms_stay_on_the_fused_kernel() -> None:
    core = build("lstm", "concat", dtype=torch.float32)
    outputs, _ = core(draw_x("lstm", len(LENGTHS), max(LENGTHS), torch.float32), torch.tensor(LENGTHS))
    seen, pending = set(), [outputs.grad_fn]
    while pending:
        node = pending.pop()
        if node is not None and node not in seen:
            seen.add(node)
            pending += [parent for parent, _ in node.next_functions]
    names = [node.name() for node in seen]
    fused = 2 * LAYERS if torch.backends.mkldnn.is_available() else 0
    assert sum(name.startswith("MkldnnRnnLayer") for name in names) == fused


@every_case
def test_reading_in_two_parts_is_reading_in_one(case: str) -> None:
    core = build(case)
    x = draw_x(case, 3, 9)
    outputs, state = core(x, torch.tensor([9, 6, 5]))
    first, memory = core(x[:, :4], torch.tensor([4, 4, 4]))
    second, end = core(x[:, 4:], torch.tensor([5, 2, 1]), memory)
    torch.testing.assert_close(torch.cat([first, second], 1), outputs)
    torch.testing.assert_close(end, state)


@every_case
@every_direction
def test_last_is_where_each_direction_has_read_everything(case: str, direction: str) -> None:
    core = build(case, direction)
    x = draw_x(case, len(LENGTHS), max(LENGTHS))
    outputs, state = core(x, torch.tensor(LENGTHS))
    last = core.last(outputs, torch.tensor(LENGTHS), state)
    assert last.shape[1:] == outputs.shape[2:] == core.out_features
    for b, length in enumerate(LENGTHS):
        ends = state[0][-1, b]
        if direction == "concat":
            torch.testing.assert_close(last[b], torch.cat([outputs[b, length - 1, :HIDDEN], outputs[b, 0, HIDDEN:]]))
        elif direction == "sum":
            torch.testing.assert_close(last[b], ends[:HIDDEN] + ends[HIDDEN:])
        else:
            torch.testing.assert_close(last[b], outputs[b, length - 1])


def test_dropout_acts_between_layers_in_training_only() -> None:
    lengths = torch.tensor(LENGTHS)
    x = draw_x("gru", len(LENGTHS), max(LENGTHS))

    def varies(core: Recurrent) -> bool:
        return not torch.equal(core(x, lengths)[0], core(x, lengths)[0])

    deep = build("gru", dropout=0.5)
    assert varies(deep)
    assert not varies(deep.eval())
    assert not varies(build("gru", dropout=0.5, num_layers=1))
    _, (h,) = deep.train()(x, lengths)
    torch.testing.assert_close(h[0], deep.eval()(x, lengths)[1][0][0])  # the first layer's own memory is whole


@every_fast_case
@every_direction
def test_every_parameter_gets_a_gradient(case: str, direction: str) -> None:
    core = build(case, direction)
    core(draw_x(case, len(LENGTHS), max(LENGTHS)), torch.tensor(LENGTHS))[0].square().sum().backward()
    for name, weight in core.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.any(), name


@every_fast_case
@every_direction
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_view_is_read_as_its_copy(case: str, direction: str, dtype: torch.dtype) -> None:
    core = build(case, direction, dtype=dtype)
    x = draw_x(case, max(LENGTHS), len(LENGTHS), dtype).transpose(0, 1)
    state = tuple(part.to(dtype).transpose(1, 2).contiguous().transpose(1, 2) for part in draw_state(core, len(x)))
    for lengths in (torch.tensor(LENGTHS), torch.full((len(x),), max(LENGTHS))):
        copied = core(x.contiguous(), lengths, tuple(part.contiguous() for part in state))
        torch.testing.assert_close(core(x, lengths, state), copied)


@every_fast_case
@every_direction
def test_bfloat16_and_autocast_run_on_the_cpu_and_carry_their_state(case: str, direction: str) -> None:
    core = build(case, direction, dtype=torch.float32, hidden_size=32)
    x = draw_x(case, len(LENGTHS), max(LENGTHS), torch.float32)
    lengths = torch.tensor(LENGTHS)
    outputs, state = core(x, lengths)
    _, further = core(x, lengths, state)

    def assert_near(rough: tuple[Tensor, ...], exact: tuple[Tensor, ...]) -> None:
        for ours, expected in zip(rough, exact, strict=True):
            assert (ours - expected).norm() < 0.15 * expected.norm()

    with torch.autocast("cpu", torch.bfloat16):
        _, cast = core(x, lengths)
        cast_outputs, resumed = core(x, lengths, cast)
    assert_near((*cast, *resumed), (*state, *further))
    cast_outputs.float().sum().backward()
    exact_gradients = torch.autograd.grad(core(x, lengths, state)[0].sum(), list(core.parameters()))
    for weight, expected in zip(core.parameters(), exact_gradients, strict=True):
        # By direction: a layer norm magnifies what rounding does to memories that have hardly begun.
        assert torch.cosine_similarity(weight.grad.flatten(), expected.flatten(), 0) > 0.9

    half_outputs, half = core.bfloat16()(x.bfloat16(), lengths)
    assert half_outputs.dtype == torch.bfloat16
    assert_near((half_outputs, *half), (outputs, *state))
    half_outputs.float().sum().backward()


@every_case
def test_a_state_of_another_precision_is_resumed(case: str) -> None:
    core = build(case)
    x = draw_x(case, len(LENGTHS), max(LENGTHS))
    state = draw_state(core, len(x))
    expected = core(x, torch.tensor(LENGTHS), state)
    rounded = tuple(part.float() for part in state)
    torch.testing.assert_close(core(x, torch.tensor(LENGTHS), rounded), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@every_fast_case
@every_direction
@pytest.mark.parametrize("autocast", [False, True])
def test_a_gpu_reads_as_the_cpu_does(case: str, direction: str, autocast: bool) -> None:
    core = build(case, direction, dtype=torch.float32)
    x = draw_x(case, len(LENGTHS), max(LENGTHS), torch.float32)
    lengths = torch.tensor(LENGTHS)
    _, state = core(x, lengths)
    expected = core(x, lengths, state)
    core.cuda()
    with torch.autocast("cuda", torch.bfloat16, enabled=autocast):
        _, state = core(x.cuda(), lengths)
        outputs, final = core(x.cuda(), lengths, state)
    close = {"rtol": 0.1, "atol": 0.05} if autocast else {"rtol": 1e-3, "atol": 1e-4}
    actual = (outputs.cpu(), tuple(part.cpu() for part in final))
    torch.testing.assert_close(actual, expected, check_dtype=False, **close)
    outputs.float().sum().backward()


@pytest.mark.parametrize("length", [0, 8])
def test_a_bad_length_is_refused(length: int) -> None:
    with pytest.raises(LengthError, match=f"a sequence of length {length} in a batch of 7 steps"):
        build("lstm")(draw_x("lstm", 2, 7), torch.tensor([3, length]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"cell": "lstm", "nonlinearity": "tanh"},
            "model.nonlinearity=tanh: model.cell=lstm has none, only rnn does",
        ),
        ({"cell": "gru", "nonlinearity": "relu"}, "model.nonlinearity=relu: model.cell=gru has none, only rnn does"),
        ({"cell": "gru", "merge": "sum"}, "model.merge=sum: needs model.bidirectional=true"),
        ({"cell": "gru", "merge": "concat"}, "model.merge=concat: needs model.bidirectional=true"),
    ],
)
def test_options_that_clash_are_refused(options: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        RecurrentSpec(**options)


def test_both_directions_are_refused_where_later_steps_are_hidden() -> None:
    both = RecurrentSpec(cell="lstm", bidirectional=True)
    plain = TaskSpec(Symbols(), Symbols(), Align.EACH)
    causal, carried = replace(plain, causal=True), replace(plain, carry=True)
    assert both.refusal(plain) is None
    assert both.refusal(causal) == "reads later steps, which an output of this task may not see"
    assert both.refusal(carried) == "reads from the end, and this task's sequences go on in the next batch"
    for task in (causal, carried, TaskSpec(Values(), Values(), Align.AHEAD, causal=True)):
        assert RecurrentSpec(cell="lstm").refusal(task) is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"cell": "lstm", "num_layers": 2, "bidirectional": True},
            "LSTM 3 -> 2,048, 2 layers, both directions (concat)",
        ),
        ({"cell": "gru", "bidirectional": True, "merge": "sum"}, "GRU 3 -> 1,024, 1 layer, both directions (sum)"),
        ({"cell": "rnn"}, "RNN (tanh) 3 -> 1,024, 1 layer"),
        ({"cell": "rnn", "nonlinearity": "relu"}, "RNN (relu) 3 -> 1,024, 1 layer"),
    ],
)
def test_a_core_describes_itself(options: dict[str, object], words: str) -> None:
    with torch.device("meta"):
        assert RecurrentSpec(hidden_size=1024, **options).build_core((3,), TASK).describe() == words
