import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seqtrain.errors import ConfigError, LengthError
from seqtrain.models import Recurrent, RecurrentSpec, State
from seqtrain.spec import Align, Symbols, TaskSpec, Values
from tests.oracles import CELLS, read

LENGTHS = [4, 7, 1, 5]
FEATURES, HIDDEN, LAYERS = 3, 4, 2
CELL_OPTIONS = {
    "rnn": {"cell": "rnn"},
    "rnn_relu": {"cell": "rnn", "nonlinearity": "relu"},
    "lstm": {"cell": "lstm"},
    "gru": {"cell": "gru"},
}
DIRECTION_OPTIONS = {
    "forward": {},
    "concat": {"bidirectional": True},
    "sum": {"bidirectional": True, "merge": "sum"},
}
every_cell = pytest.mark.parametrize("cell", CELL_OPTIONS)
every_direction = pytest.mark.parametrize("direction", DIRECTION_OPTIONS)
Results = dict[str, np.ndarray]


def build(cell: str, direction: str = "forward", *, dtype: torch.dtype = torch.float64, **options: object) -> Recurrent:
    torch.manual_seed(1)
    sizes = {"hidden_size": HIDDEN, "num_layers": LAYERS, **options}
    core = RecurrentSpec(**CELL_OPTIONS[cell], **DIRECTION_OPTIONS[direction], **sizes).build_core((FEATURES,))
    return core.to(dtype)


def draw(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, dtype=dtype)


def draw_state(core: Recurrent, batch: int) -> State:
    width = HIDDEN * (2 if core.spec.bidirectional else 1)
    return tuple(draw(core.spec.num_layers, batch, width) for _ in range(2 if core.spec.cell == "lstm" else 1))


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


def oracle(core: Recurrent, cell: str, x: Tensor, lengths: list[int], start: State | None) -> Results:
    """What `gradients` should return for a core, one sequence at a time in NumPy."""
    layers = [
        [{name.removesuffix("_l0"): w.detach().numpy() for name, w in half.named_parameters()} for half in layer]
        for layer in core.layers
    ]
    merge = core.spec.merge or "concat"
    begin = [part.detach().numpy() for part in start or (torch.zeros_like(part) for part in draw_state(core, len(x)))]
    reads = [
        read(CELLS[cell], x[b, :length].detach().numpy(), tuple(part[:, b] for part in begin), layers, merge)
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


@every_cell
@every_direction
@pytest.mark.parametrize("lengths", [LENGTHS, [7, 7], [1]], ids=["ragged", "full", "single"])
@pytest.mark.parametrize("resumed", [False, True])
def test_golden(cell: str, direction: str, lengths: list[int], resumed: bool) -> None:
    core = build(cell, direction)
    x = spoilt(draw(len(lengths), max(lengths), FEATURES), lengths, 1e30).requires_grad_()
    start = tuple(part.requires_grad_() for part in draw_state(core, len(lengths))) if resumed else None
    outputs, final = core(x, torch.tensor(lengths), start)
    ours = gradients(outputs, final, x, start, dict(core.named_parameters()))
    assert_same(ours, oracle(core, cell, x, lengths, start))


def torch_twin(core: Recurrent) -> nn.RNNBase:
    """torch's own stack with a core's weights."""
    spec = core.spec
    kind = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[spec.cell]
    options = {"nonlinearity": spec.nonlinearity or "tanh"} if spec.cell == "rnn" else {}
    size = {"num_layers": spec.num_layers, "bidirectional": spec.bidirectional, "batch_first": True}
    twin = kind(core.in_features, spec.hidden_size, **size, **options)
    twin.load_state_dict({torch_name(name): weight for name, weight in core.state_dict().items()})
    return twin.to(next(core.parameters()).dtype)


def torch_name(name: str) -> str:
    """layers.1.0.weight_ih_l0 is torch's weight_ih_l1, layers.1.1.weight_ih_l0 its weight_ih_l1_reverse."""
    _, depth, back, weight = name.split(".")
    return weight.replace("_l0", f"_l{depth}") + ("_reverse" if back == "1" else "")


@every_cell
@pytest.mark.parametrize("direction", ["forward", "concat"])
def test_torch_agrees_with_the_oracle_and_packed_with_padded(cell: str, direction: str) -> None:
    core = build(cell, direction)
    twin = torch_twin(core)
    x = draw(len(LENGTHS), max(LENGTHS), FEATURES).requires_grad_()
    packed, final = twin(pack_padded_sequence(x, torch.tensor(LENGTHS), batch_first=True, enforce_sorted=False))
    outputs, _ = pad_packed_sequence(packed, batch_first=True)
    halves = 2 if core.spec.bidirectional else 1
    parts = final if isinstance(final, tuple) else (final,)
    joined = tuple(  # (L * directions, B, D), as torch has it, to (L, B, directions * D)
        part.unflatten(0, (LAYERS, halves)).transpose(1, 2).flatten(2) for part in parts
    )
    weights = {name: getattr(twin, torch_name(name)) for name in core.state_dict()}
    assert_same(gradients(outputs, joined, x, None, weights), oracle(core, cell, x, LENGTHS, None))


@every_cell
@every_direction
def test_gradients_against_differences(cell: str, direction: str) -> None:
    core = build(cell, direction, hidden_size=2)
    x = draw(2, 3, FEATURES).requires_grad_()

    def flat(x: Tensor) -> tuple[Tensor, ...]:
        outputs, state = core(x, torch.tensor([2, 3]))
        return (outputs, *state)

    assert torch.autograd.gradcheck(flat, (x,))


@every_cell
@every_direction
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("training", [False, True])
def test_padding_is_never_read(cell: str, direction: str, dtype: torch.dtype, training: bool) -> None:
    core = build(cell, direction, dtype=dtype).train(training)
    x = draw(len(LENGTHS), max(LENGTHS), FEATURES, dtype=dtype)
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
    longer = run(nn.functional.pad(x, (0, 0, 0, 300), value=7))
    torch.testing.assert_close((longer[0][:, : max(LENGTHS)], *longer[1:]), zeros)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_the_cell_state_stands_still_on_padding_in_every_precision(dtype: torch.dtype) -> None:
    core = build("lstm", num_layers=1, dtype=dtype)
    x = draw(1, 2, FEATURES, dtype=dtype)
    # A state far from where the gates would take it: the smallest leak in 400 steps shows.
    start = tuple(torch.full((1, 2, HIDDEN), value, dtype=dtype) for value in (0.5, 100.0))
    _, short = core(x.expand(2, -1, -1), torch.tensor([2, 2]), start)
    _, long = core(nn.functional.pad(x, (0, 0, 0, 400)).expand(2, -1, -1), torch.tensor([2, 402]), start)
    torch.testing.assert_close([part[:, 0] for part in long], [part[:, 0] for part in short])


def test_ragged_lstms_stay_on_the_fused_kernel() -> None:
    core = build("lstm", "concat", dtype=torch.float32)
    outputs, _ = core(draw(len(LENGTHS), max(LENGTHS), FEATURES, dtype=torch.float32), torch.tensor(LENGTHS))
    seen, pending = set(), [outputs.grad_fn]
    while pending:
        node = pending.pop()
        if node is not None and node not in seen:
            seen.add(node)
            pending += [parent for parent, _ in node.next_functions]
    names = [node.name() for node in seen]
    fused = 2 * LAYERS if torch.backends.mkldnn.is_available() else 0
    assert sum(name.startswith("MkldnnRnnLayer") for name in names) == fused


@every_cell
def test_reading_in_two_parts_is_reading_in_one(cell: str) -> None:
    core = build(cell)
    x = draw(3, 9, FEATURES)
    outputs, state = core(x, torch.tensor([9, 6, 5]))
    first, memory = core(x[:, :4], torch.tensor([4, 4, 4]))
    second, end = core(x[:, 4:], torch.tensor([5, 2, 1]), memory)
    torch.testing.assert_close(torch.cat([first, second], 1), outputs)
    torch.testing.assert_close(end, state)


@every_cell
@every_direction
def test_last_is_where_each_direction_has_read_everything(cell: str, direction: str) -> None:
    core = build(cell, direction)
    x = draw(len(LENGTHS), max(LENGTHS), FEATURES)
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
    x = draw(len(LENGTHS), max(LENGTHS), FEATURES)

    def varies(core: Recurrent) -> bool:
        return not torch.equal(core(x, lengths)[0], core(x, lengths)[0])

    deep = build("gru", dropout=0.5)
    assert varies(deep)
    assert not varies(deep.eval())
    assert not varies(build("gru", dropout=0.5, num_layers=1))
    _, (h,) = deep.train()(x, lengths)
    torch.testing.assert_close(h[0], deep.eval()(x, lengths)[1][0][0])  # the first layer's own memory is whole


@every_cell
@every_direction
def test_every_parameter_gets_a_gradient(cell: str, direction: str) -> None:
    core = build(cell, direction)
    core(draw(len(LENGTHS), max(LENGTHS), FEATURES), torch.tensor(LENGTHS))[0].square().sum().backward()
    for name, weight in core.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.any(), name


@every_cell
@every_direction
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_view_is_read_as_its_copy(cell: str, direction: str, dtype: torch.dtype) -> None:
    core = build(cell, direction, dtype=dtype)
    x = draw(max(LENGTHS), FEATURES, len(LENGTHS), dtype=dtype).permute(2, 0, 1)
    state = tuple(part.to(dtype).transpose(1, 2).contiguous().transpose(1, 2) for part in draw_state(core, len(x)))
    for lengths in (torch.tensor(LENGTHS), torch.full((len(x),), max(LENGTHS))):
        copied = core(x.contiguous(), lengths, tuple(part.contiguous() for part in state))
        torch.testing.assert_close(core(x, lengths, state), copied)


@every_cell
@every_direction
def test_bfloat16_and_autocast_run_on_the_cpu_and_carry_their_state(cell: str, direction: str) -> None:
    core = build(cell, direction, dtype=torch.float32)
    x = draw(len(LENGTHS), max(LENGTHS), FEATURES, dtype=torch.float32)
    lengths = torch.tensor(LENGTHS)
    outputs, state = core(x, lengths)
    _, further = core(x, lengths, state)
    rough = {"rtol": 0.1, "atol": 0.05, "check_dtype": False}

    with torch.autocast("cpu", torch.bfloat16):
        _, cast = core(x, lengths)
        cast_outputs, resumed = core(x, lengths, cast)
    torch.testing.assert_close((cast, resumed), (state, further), **rough)
    cast_outputs.float().sum().backward()

    half_outputs, half = core.bfloat16()(x.bfloat16(), lengths)
    assert half_outputs.dtype == torch.bfloat16
    torch.testing.assert_close((half_outputs, half), (outputs, state), **rough)
    half_outputs.float().sum().backward()


@every_cell
def test_a_state_of_another_precision_is_resumed(cell: str) -> None:
    core = build(cell)
    x = draw(len(LENGTHS), max(LENGTHS), FEATURES)
    state = draw_state(core, len(x))
    expected = core(x, torch.tensor(LENGTHS), state)
    rounded = tuple(part.float() for part in state)
    torch.testing.assert_close(core(x, torch.tensor(LENGTHS), rounded), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@every_cell
@every_direction
@pytest.mark.parametrize("autocast", [False, True])
def test_a_gpu_reads_as_the_cpu_does(cell: str, direction: str, autocast: bool) -> None:
    core = build(cell, direction, dtype=torch.float32)
    x = draw(len(LENGTHS), max(LENGTHS), FEATURES, dtype=torch.float32)
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
        build("lstm")(draw(2, 7, FEATURES), torch.tensor([3, length]))


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
        assert RecurrentSpec(hidden_size=1024, **options).build_core((3,)).describe() == words
