import math
import re

import pytest
import torch
from torch import Tensor, nn

from seqtrain.batch import Batch
from seqtrain.errors import ConfigError
from seqtrain.models import ConvLSTMSpec, RecurrentSpec, build_model, parts
from seqtrain.spec import Align, Element, Symbols, TaskSpec, Values
from tests.models.cases import HIDDEN, LENGTHS, TASK, build, draw_x, every_cell, every_direction, spec_of

FORGETFUL = ["lstm", "peephole_lstm", "peephole_lstm_full", "layernorm_lstm", "convlstm", "convlstm_peephole"]


def weights_of_both_directions(case: str, **options: object) -> tuple[tuple[str, ...], list[dict[str, Tensor]]]:
    core = build(case, "concat", **options)
    layers = [direction for layer in core.layers for direction in layer]
    return core.cell.gates, [{name: w.detach() for name, w in layer.named_parameters()} for layer in layers]


def is_orthogonal(gate: Tensor) -> bool:
    rows = gate.flatten(1)
    return torch.allclose(rows @ rows.T, torch.eye(len(rows), dtype=rows.dtype), atol=1e-5)


def is_xavier(gate: Tensor) -> bool:
    """Within Glorot's bound, and reaching towards it: a uniform draw of so many hardly stays below nine tenths."""
    places = gate[0, 0].numel()
    bound = math.sqrt(6 / (places * sum(gate.shape[:2])))
    return 0.8 * bound < gate.abs().max() <= bound * (1 + 1e-6)


@every_cell
def test_init_draws_gate_by_gate(case: str) -> None:
    gates, layers = weights_of_both_directions(case, init="orthogonal", hidden_size=16)
    for layer in layers:
        assert all(is_orthogonal(gate) for gate in layer["weight_hh_l0"].chunk(len(gates)))
        assert all(is_xavier(gate) for gate in layer["weight_ih_l0"].chunk(len(gates)))
        assert not any(w.any() for name, w in layer.items() if name in ("bias_l0", "bias_ih_l0", "bias_hh_l0"))
    for layer in weights_of_both_directions(case, init="xavier", hidden_size=16)[1]:
        assert all(is_xavier(gate) for gate in layer["weight_hh_l0"].chunk(len(gates)))
        assert not any(is_orthogonal(gate) for gate in layer["weight_hh_l0"].chunk(len(gates)))


@pytest.mark.parametrize("case", FORGETFUL)
@pytest.mark.parametrize("init", ["default", "orthogonal"])
def test_the_biases_of_the_forget_gate_add_up_to_the_wish(case: str, init: str) -> None:
    gates, layers = weights_of_both_directions(case, forget_bias=1.5, init=init)
    for layer in layers:
        biases = [layer[name] for name in ("bias_l0", "bias_ih_l0", "bias_hh_l0") if name in layer]
        forget, rest = [], []
        for bias in biases:
            by_gate = dict(zip(gates, bias.chunk(len(gates)), strict=True))
            forget.append(by_gate.pop("f"))
            rest += by_gate.values()
        assert sum(forget).tolist() == [1.5] * HIDDEN
        assert any(part.any() for part in rest) == (init == "default")


@every_cell
def test_the_default_draw_is_torchs(case: str) -> None:
    _, layers = weights_of_both_directions(case)
    for layer in layers:
        for name, weight in layer.items():
            if name.startswith("gain"):
                assert (weight == 1).all()
            elif name == "bias_c_l0":
                assert (weight == 0).all()
            else:
                assert weight.abs().max() <= HIDDEN**-0.5
                assert weight.std() > 0.1 * HIDDEN**-0.5


@every_cell
@every_direction
def test_recurrent_dropout_acts_in_training_only_and_keeps_the_first_step(case: str, direction: str) -> None:
    core, plain = build(case, direction, recurrent_dropout=0.5), build(case, direction)
    x, lengths = draw_x(case, len(LENGTHS), max(LENGTHS)), torch.tensor(LENGTHS)
    first, second = core(x, lengths)[0], core(x, lengths)[0]
    assert not torch.equal(first, second)
    once = draw_x(case, 2, 1)
    # Nothing is remembered before the first step, so there is nothing to drop.
    torch.testing.assert_close(core(once, torch.tensor([1, 1])), plain(once, torch.tensor([1, 1])))
    torch.testing.assert_close(core.eval()(x, lengths), plain(x, lengths))


def test_recurrent_dropout_is_one_mask_per_sequence() -> None:
    """A network of relu that only hands on: what is dropped once is gone for good, what is kept doubles."""
    core = RecurrentSpec(cell="rnn", nonlinearity="relu", hidden_size=64, recurrent_dropout=0.5).build_core((1,), TASK)
    for weight in core.parameters():
        nn.init.zeros_(weight)
    nn.init.eye_(core.layers[0][0].weight_hh_l0)
    outputs, _ = core(torch.zeros(3, 5, 1), torch.tensor([5, 5, 5]), (torch.ones(1, 3, 64),))
    kept = outputs[:, 0] > 0
    assert 0.3 < kept.float().mean() < 0.7
    assert not torch.equal(kept[0], kept[1])
    for t in range(5):
        assert torch.equal(outputs[:, t], kept * 2.0 ** (t + 1))


@every_cell
def test_residuals_go_around_the_layers_above_the_first(case: str) -> None:
    core, plain = build(case, residual=True, num_layers=2), build(case, num_layers=2)
    x, lengths = draw_x(case, len(LENGTHS), max(LENGTHS)), torch.tensor(LENGTHS)
    low = build(case, num_layers=1)
    low.load_state_dict({name: w for name, w in plain.state_dict().items() if name.startswith("layers.0")})
    torch.testing.assert_close(core(x, lengths)[0], plain(x, lengths)[0] + low(x, lengths)[0])


@every_direction
def test_the_last_output_of_a_residual_stack(direction: str) -> None:
    core = build("gru", direction, residual=True, num_layers=3)
    x, lengths = draw_x("gru", len(LENGTHS), max(LENGTHS)), torch.tensor(LENGTHS)
    outputs, state = core(x, lengths)
    last = core.last(outputs, lengths, state)
    for b, length in enumerate(LENGTHS):
        forward, backward = outputs[b, length - 1, :HIDDEN], outputs[b, 0, HIDDEN:]
        if direction != "sum":
            torch.testing.assert_close(last[b], torch.cat([forward, backward]) if direction == "concat" else forward)
    assert last.shape[1:] == core.out_features


@every_direction
def test_norm_output_is_an_lstm_with_a_layer_norm_on_its_outputs(direction: str) -> None:
    core, plain = build("layernorm_lstm", direction, norm="output"), build("lstm", direction)
    nn.init.normal_(core.norm.weight)
    nn.init.normal_(core.norm.bias)
    plain.load_state_dict({name: w for name, w in core.state_dict().items() if not name.startswith("norm.")})
    x, lengths = draw_x("lstm", len(LENGTHS), max(LENGTHS)), torch.tensor(LENGTHS)
    (ours, state), (outputs, expected_state) = core(x, lengths), plain(x, lengths)
    real = torch.arange(max(LENGTHS)) < lengths.unsqueeze(1)
    torch.testing.assert_close(ours, core.norm(outputs) * real.unsqueeze(-1))
    torch.testing.assert_close(state, expected_state)
    torch.testing.assert_close(core.last(ours, lengths, state), core.norm(plain.last(outputs, lengths, state)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cell": "gru", "forget_bias": 1.0}, "model.forget_bias=1.0: model.cell=gru has no forget gate"),
        ({"cell": "rnn", "forget_bias": 0.0}, "model.forget_bias=0.0: model.cell=rnn has no forget gate"),
        (
            {"cell": "lstm", "peephole": "full"},
            "model.peephole=full: model.cell=lstm has none, only peephole_lstm does",
        ),
        ({"cell": "gru", "norm": "gates"}, "model.norm=gates: model.cell=gru has none, only layernorm_lstm does"),
        (
            {"cell": "gru", "residual": True},
            "model.residual=true: needs model.num_layers=2 or more, to go around a layer",
        ),
        ({"cell": "gru", "recurrent_dropout": 1.0}, "model.recurrent_dropout=1.0: must be at least 0 and below 1"),
        ({"cell": "gru", "recurrent_dropout": -0.5}, "model.recurrent_dropout=-0.5: must be at least 0 and below 1"),
        (
            {"cell": "gru", "recurrent_dropout": 0.5, "kernel": "native"},
            "model.recurrent_dropout=0.5: torch's own loop (model.kernel=native) has none; "
            "use model.kernel=auto, engine or reference",
        ),
        *(
            (
                {"cell": cell, "kernel": "native"},
                f"model.kernel=native: torch has no kernel for model.cell={cell}; "
                "use model.kernel=auto, engine or reference",
            )
            for cell in ("gru_cho", "peephole_lstm", "layernorm_lstm")
        ),
    ],
)
def test_what_a_cell_cannot_honour_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        RecurrentSpec(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel_size": 4}, "model.kernel_size=4: must be odd and at least 1, to have a centre"),
        ({"kernel_size": -1}, "model.kernel_size=-1: must be odd and at least 1, to have a centre"),
        (
            {"kernel": "native"},
            "model.kernel=native: torch has no ConvLSTM; use model.kernel=auto, engine or reference",
        ),
    ],
)
def test_what_a_convlstm_cannot_honour_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        ConvLSTMSpec(**options)


@pytest.mark.parametrize(
    ("element", "reason"),
    [
        (Symbols(), "reads images (C, Y, X), and this task's steps are symbols"),
        (Values((7,)), "reads images (C, Y, X), and this task's steps are vectors of features"),
        (Values((1, 8, 8)), None),
    ],
)
def test_a_convlstm_reads_images_only(element: Element, reason: str | None) -> None:
    assert ConvLSTMSpec().refusal(TaskSpec(element, Symbols(2), Align.WHOLE)) == reason


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("align", [Align.WHOLE, Align.EACH, Align.AHEAD])
@pytest.mark.parametrize(
    ("output", "words"),
    [
        (Symbols(5), "Linear {} x 6 x 4 -> "),
        (Values((3,)), "Linear {} x 6 x 4 -> "),
        (Values((2, 3, 3)), "Linear {} x 6 x 4 -> "),
        (Values((2, 6, 4)), "Convolution {} -> "),
    ],
)
def test_a_convlstm_answers_by_images_place_by_place_and_by_all_else_from_the_whole_map(
    output: Element, words: str, align: Align, bidirectional: bool
) -> None:
    task = TaskSpec(Values((1, 6, 4)), output, align, horizon=3)
    model = build_model(ConvLSTMSpec(hidden_size=4, num_layers=2, bidirectional=bidirectional), task)
    batch = Batch(torch.randn(2, 5, 1, 6, 4), torch.tensor([5, 3]), torch.zeros(2), torch.arange(2))
    answers, state = model(batch)
    lead = {Align.WHOLE: (2,), Align.EACH: (2, 5), Align.AHEAD: (2, 3)}[align]
    assert answers.shape == (*lead, *((output.size,) if isinstance(output, Symbols) else output.shape))
    assert {part.shape for part in state} == {(2, 2, 8 if bidirectional else 4, 6, 4)}
    assert parts(model)[0].description == "Images 1 x 6 x 4"
    assert parts(model)[2].description.startswith(words.format(8 if bidirectional else 4))
    answers.square().mean().backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.any(), name


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_maps_are_pooled_over_real_steps(pooling: str) -> None:
    task = TaskSpec(Values((1, 3, 3)), Values((1, 3, 3)), Align.WHOLE)
    model = build_model(ConvLSTMSpec(hidden_size=4, pooling=pooling), task)
    batch = Batch(torch.randn(2, 5, 1, 3, 3), torch.tensor([5, 3]), torch.zeros(2), torch.arange(2))
    outputs, _ = model.core(batch.inputs, batch.lengths)
    own = outputs[1, :3]
    pooled = own.mean(0) if pooling == "mean" else own.amax(0)
    torch.testing.assert_close(model(batch)[0][1], model.readout(pooled))


@pytest.mark.parametrize(
    ("case", "options", "words"),
    [
        ("gru_cho", {}, "GRU (reset before) 3 -> 4, 2 layers"),
        ("peephole_lstm", {"residual": True}, "peephole LSTM (diagonal) 3 -> 4, 2 layers, residual"),
        ("peephole_lstm_full", {}, "peephole LSTM (full) 3 -> 4, 2 layers"),
        ("layernorm_lstm", {}, "layer-norm LSTM 3 -> 4, 2 layers"),
        ("layernorm_lstm", {"norm": "output"}, "LSTM 3 -> 4, 2 layers, layer norm on the outputs"),
        ("convlstm_peephole", {}, "ConvLSTM 3x3 with peepholes 2 x 3 x 4 -> 4 x 3 x 4, 2 layers"),
    ],
)
def test_a_core_describes_its_options(case: str, options: dict[str, object], words: str) -> None:
    assert build(case, **options).describe() == words


@every_cell
def test_auto_takes_the_kernel_that_serves_best(case: str) -> None:
    core, masked = build(case), build(case, recurrent_dropout=0.1)
    x, short = draw_x(case, 1, 8), draw_x(case, 1, 1)
    otherwise = "native" if spec_of(case).has_native_kernel else "engine"
    assert core._kernel(x, None) == ("native" if case == "lstm" else "engine")
    assert core._kernel(x.to("meta"), None) == core._kernel(short, None) == otherwise
    with torch.no_grad():
        assert core._kernel(x, None) == otherwise
    assert masked._kernel(short, masked._mask(short)) == "engine"
