import math
import re

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from seqtrain.batch import Batch
from seqtrain.errors import ConfigError
from seqtrain.models import SelfAttentionSpec, SequenceModel, build_model, parts
from seqtrain.models.self_attention import SelfAttention, positions
from seqtrain.spec import Align, Symbols, TaskSpec, Values
from tests.models.cases import spoilt

LENGTHS = [4, 7, 1, 5]
FEATURES, HIDDEN, LAYERS, HEADS = 3, 8, 2, 2
every_mask = pytest.mark.parametrize("causal", [False, True])


def build(*, causal: bool = False, **options: object) -> SelfAttention:
    spec = SelfAttentionSpec(**{"hidden_size": HIDDEN, "num_layers": LAYERS, "num_heads": HEADS, **options})
    task = TaskSpec(Values((FEATURES,)), Values((2,)), Align.EACH, causal=causal)
    return spec.build_core((FEATURES,), task).double()


def draw_x(*lengths: int, fill: float = 0.0) -> tuple[Tensor, Tensor]:
    x = torch.randn(len(lengths), max(lengths), FEATURES, dtype=torch.float64)
    return spoilt(x, list(lengths), fill), torch.tensor(lengths)


def torchs(core: SelfAttention) -> nn.TransformerEncoder:
    """torch's own blocks with a core's weights; their biases of the projections, which ours lack, are zero."""
    inner = core.blocks[0].feedforward[0].out_features
    layer = nn.TransformerEncoderLayer(HIDDEN, HEADS, inner, 0.0, batch_first=True, norm_first=True)
    encoder = nn.TransformerEncoder(layer, LAYERS, nn.LayerNorm(HIDDEN), enable_nested_tensor=False).double()
    names = {
        "blocks": "layers",
        "attention_norm": "norm1",
        "attention": "self_attn",
        "feedforward_norm": "norm2",
        "feedforward.0": "linear1",
        "feedforward.2": "linear2",
    }
    renamed = {}
    for name, weight in core.state_dict().items():
        for ours, theirs in names.items():
            name = re.sub(rf"(^|[.]){ours}[.]", rf"\1{theirs}.", name)
        renamed[name] = weight
    biases = {name: torch.zeros_like(w) for name, w in encoder.state_dict().items() if name not in renamed}
    assert all(re.search(r"in_proj_bias|out_proj[.]bias", name) for name in biases)
    kept = {name: w for name, w in renamed.items() if not name.startswith("enter.")}
    encoder.load_state_dict({**kept, **biases})
    return encoder


@every_mask
def test_blocks_are_torchs(causal: bool) -> None:
    core = build(causal=causal)
    for name, weight in core.named_parameters():
        if "norm" in name:
            nn.init.normal_(weight)
    x, lengths = draw_x(*LENGTHS)
    x.requires_grad_()
    encoder = torchs(core)
    hidden = torch.arange(max(LENGTHS)) >= lengths.unsqueeze(1)
    later = torch.ones(max(LENGTHS), max(LENGTHS), dtype=torch.bool).triu(1) if causal else None
    entered = core.enter(x) + positions(max(LENGTHS), HIDDEN, x)
    expected = encoder(entered, mask=later, src_key_padding_mask=hidden).masked_fill(hidden.unsqueeze(-1), 0)
    outputs, state = core(x, lengths)
    assert state == ()
    torch.testing.assert_close(outputs, expected, rtol=1e-10, atol=1e-12)

    d_outputs = torch.randn_like(outputs)
    theirs = dict(encoder.named_parameters())
    ours = {name: w for name, w in core.named_parameters() if name.endswith("in_proj_weight")}
    grads = torch.autograd.grad(outputs, [x, *ours.values()], d_outputs)
    their_names = [name.replace("blocks", "layers").replace(".attention.", ".self_attn.") for name in ours]
    their_grads = torch.autograd.grad(expected, [x, *(theirs[name] for name in their_names)], d_outputs)
    torch.testing.assert_close(grads, their_grads, rtol=1e-10, atol=1e-12)


def test_positions_are_the_papers() -> None:
    table = positions(50, 6, torch.zeros((), dtype=torch.float64)).numpy()
    for t in (0, 1, 49):
        for i in range(3):
            angle = t / 10_000 ** (2 * i / 6)
            np.testing.assert_allclose(table[t, 2 * i : 2 * i + 2], [math.sin(angle), math.cos(angle)], rtol=1e-12)
    rough = positions(2_000, 6, torch.zeros((), dtype=torch.bfloat16))
    exact = positions(2_000, 6, torch.zeros(()))
    torch.testing.assert_close(rough.float(), exact, rtol=0.01, atol=0.01)


@every_mask
def test_padding_is_never_read(causal: bool) -> None:
    core = build(causal=causal)

    def run(fill: float, more: int = 0) -> tuple[Tensor, ...]:
        torch.manual_seed(2)
        x, lengths = draw_x(*LENGTHS, fill=fill)
        x = torch.cat([x, x.new_full((len(x), more, FEATURES), fill)], 1).requires_grad_()
        outputs, state = core(x, lengths)
        last = core.last(outputs, lengths, state)
        for b, length in enumerate(LENGTHS):
            assert not outputs[b, length:].any()
            torch.testing.assert_close(last[b], outputs[b, length - 1])
        d_x, *d_weights = torch.autograd.grad(outputs.square().sum(), [x, *core.parameters()])
        weights = [layer[..., : max(LENGTHS), : max(LENGTHS)] for layer in core.weights(x, lengths)]
        return (outputs[:, : max(LENGTHS)], d_x[:, : max(LENGTHS)], *d_weights, *weights)

    zeros = run(0)
    for value in (1e30, torch.nan, torch.inf):
        torch.testing.assert_close(run(value), zeros, rtol=0, atol=0)
    torch.testing.assert_close(run(torch.nan, more=9), zeros)


@every_mask
def test_one_sequence_is_read_as_in_a_batch(causal: bool) -> None:
    core = build(causal=causal)
    x, lengths = draw_x(*LENGTHS)
    outputs, _ = core(x, lengths)
    for b, length in enumerate(LENGTHS):
        alone, _ = core(x[b : b + 1, :length], torch.tensor([length]))
        torch.testing.assert_close(alone[0], outputs[b, :length])


def test_a_causal_step_never_sees_a_later_one() -> None:
    x, lengths = draw_x(7, 5)
    changed = x.clone()
    changed[:, 3:] += 1
    causal, free = build(causal=True), build()
    (before, _), (after, _) = causal(x, lengths), causal(changed, lengths)
    assert torch.equal(before[:, :3], after[:, :3])
    assert not torch.equal(free(x, lengths)[0][:, :3], free(changed, lengths)[0][:, :3])


@every_mask
def test_weights_sum_to_one_over_what_may_be_seen(causal: bool) -> None:
    core = build(causal=causal, num_layers=3)
    x, lengths = draw_x(*LENGTHS)
    layers = core.weights(x, lengths)
    assert [layer.shape for layer in layers] == [(4, HEADS, 7, 7)] * 3
    for layer in layers:
        for b, length in enumerate(LENGTHS):
            own = layer[b, :, :length, :length]
            torch.testing.assert_close(own.sum(-1), torch.ones_like(own[..., 0]))
            assert ((own > 0).sum() == HEADS * length * (length + 1) / 2) if causal else (own > 0).all()
            assert not layer[b, :, length:].any()
            assert not layer[b, :, :, length:].any()
            assert not (causal and own.triu(1).any())


def batch_for(inputs: Tensor) -> Batch:
    return Batch(inputs, torch.tensor(LENGTHS), torch.zeros(len(inputs)), torch.arange(len(inputs)))


def model_of(task: TaskSpec, **options: object) -> SequenceModel:
    return build_model(SelfAttentionSpec(**{"hidden_size": HIDDEN, "num_heads": HEADS, **options}), task)


def test_a_model_hands_out_the_weights_of_each_block() -> None:
    model = model_of(TaskSpec(Symbols(11), Symbols(2), Align.WHOLE), num_layers=3)
    batch = batch_for(torch.randint(11, (4, 7)))
    expected = model.core.weights(model.stem(batch.inputs), batch.lengths)
    torch.testing.assert_close(model.attention_weights(batch), expected)


@pytest.mark.parametrize("align", [Align.WHOLE, Align.EACH, Align.AHEAD])
@pytest.mark.parametrize("element", [Symbols(11), Values((3,)), Values((2, 2, 3))], ids=str)
@every_mask
def test_every_parameter_gets_a_gradient(align: Align, element: object, causal: bool) -> None:
    model = model_of(TaskSpec(element, Values((2,)), align, horizon=3, causal=causal), pooling=None)
    inputs = torch.randint(11, (4, 7)) if isinstance(element, Symbols) else torch.randn(4, 7, *element.shape)
    answers, _ = model(batch_for(inputs))
    answers.square().sum().backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.abs().max() > 1e-9, name


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_outputs_are_pooled_over_real_steps(pooling: str) -> None:
    model = model_of(TaskSpec(Symbols(11), Symbols(2), Align.WHOLE), pooling=pooling)
    batch = batch_for(torch.randint(11, (4, 7)))
    outputs, _ = model.core(model.stem(batch.inputs), batch.lengths)
    own = outputs[0, : LENGTHS[0]]
    vector = own.mean(0) if pooling == "mean" else own.amax(0)
    torch.testing.assert_close(model(batch)[0][0], model.readout(vector))


@every_mask
def test_bfloat16_and_autocast_are_near(causal: bool) -> None:
    core = build(causal=causal).float()
    x, lengths = draw_x(*LENGTHS)
    x = x.float()
    exact, _ = core(x, lengths)
    with torch.autocast("cpu", torch.bfloat16):
        rough, _ = core(x, lengths)
        weights = core.weights(x, lengths)
    rough.float().sum().backward()
    assert (rough - exact).norm() < 0.05 * exact.norm()
    for layer, expected in zip(weights, core.weights(x, lengths), strict=True):
        torch.testing.assert_close(layer.float(), expected, rtol=0.1, atol=0.02)
    half, _ = core.bfloat16()(x.bfloat16(), lengths)
    assert half.dtype == torch.bfloat16
    assert (half - exact).norm() < 0.1 * exact.norm()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@every_mask
@pytest.mark.parametrize("autocast", [False, True])
def test_a_gpu_reads_as_the_cpu_does(causal: bool, autocast: bool) -> None:
    core = build(causal=causal).float()
    x, lengths = draw_x(*LENGTHS)
    expected, _ = core(x.float(), lengths)
    core.cuda()
    with torch.autocast("cuda", torch.bfloat16, enabled=autocast):
        outputs, _ = core(x.float().cuda(), lengths)
    close = {"rtol": 0.1, "atol": 0.05} if autocast else {"rtol": 1e-3, "atol": 1e-4}
    torch.testing.assert_close(outputs.cpu(), expected, check_dtype=False, **close)
    outputs.float().sum().backward()


def test_dropout_acts_on_both_halves_of_a_block_in_training_only() -> None:
    core, plain = build(dropout=0.5, num_layers=1), build(num_layers=1)
    plain.load_state_dict(core.state_dict())
    x, lengths = draw_x(*LENGTHS)
    torch.testing.assert_close(core.eval()(x, lengths), plain(x, lengths))
    core.train()
    for silent in (core.blocks[0].attention.out_proj, core.blocks[0].feedforward[2]):
        kept = {name: weight.clone() for name, weight in core.state_dict().items()}
        for weight in silent.parameters():
            nn.init.zeros_(weight)
        assert not torch.equal(core(x, lengths)[0], core(x, lengths)[0])
        core.load_state_dict(kept)


def test_symbols_enter_as_large_as_values() -> None:
    """An embedding's vectors have length 1; positions, and values, features of about 1."""
    spec = SelfAttentionSpec(hidden_size=64)
    symbols, values = (
        spec.build_core((64,), TaskSpec(element, Symbols(2), Align.WHOLE)) for element in (Symbols(9), Values((64,)))
    )
    values.load_state_dict(symbols.state_dict())
    x = nn.functional.normalize(torch.randn(2, 5, 64), dim=-1)
    lengths = torch.tensor([5, 5])
    torch.testing.assert_close(symbols(x, lengths), values(x * 8, lengths))


def test_it_describes_itself_and_its_options_shape_it() -> None:
    task = TaskSpec(Values((FEATURES,)), Values((2,)), Align.EACH, causal=True)
    model = model_of(task, hidden_size=1024, num_layers=1, num_heads=1, feedforward_size=5)
    assert parts(model)[1].description == "Self-attention 3 -> 1,024, 1 layer, 1 head, causal"
    assert model.core.blocks[0].feedforward[0].out_features == 5
    assert build().blocks[0].feedforward[0].out_features == 4 * HIDDEN
    assert build().describe() == "Self-attention 3 -> 8, 2 layers, 2 heads"
    assert model_of(TaskSpec(Symbols(11), Symbols(2), Align.WHOLE), embedding_size=6).core.in_size == 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"hidden_size": 7},
            "model.hidden_size=7: must be even, half for the sines and half for the cosines of positions",
        ),
        (
            {"hidden_size": 12, "num_heads": 5},
            "model.num_heads=5: must divide the 12 features of model.hidden_size; use one of 1, 2, 3, 4, 6, 12",
        ),
        ({"num_heads": 0}, "model.num_heads=0: must be at least 1"),
        ({"feedforward_size": 0}, "model.feedforward_size=0: must be at least 1"),
    ],
)
def test_a_bad_option_is_named_with_its_remedy(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        SelfAttentionSpec(**options)
