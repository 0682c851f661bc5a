import re

import pytest
import torch
from torch import Tensor

from seqtrain.batch import Batch
from seqtrain.errors import ConfigError, LengthError
from seqtrain.models import AttentionSpec, ModelSpec, RecurrentSpec, SequenceModel, build_model, parts
from seqtrain.models.padded import RealSteps
from seqtrain.spec import Align, Element, Symbols, TaskSpec, Values

LENGTHS = [5, 2, 3]
WORDS = Symbols(11)
SPECS = {
    "dot": AttentionSpec(attention="pooling", hidden_size=4),
    "additive": AttentionSpec(attention="pooling", hidden_size=4, score="additive", attention_size=3),
    "bahdanau": AttentionSpec(attention="bahdanau", hidden_size=4),
    "multihead": AttentionSpec(attention="multihead", hidden_size=4, num_heads=2),
}
POOLS = ("dot", "additive")
every_word = pytest.mark.parametrize("word", SPECS)


def task_of(align: Align = Align.WHOLE, element: Element = WORDS, **options: object) -> TaskSpec:
    return TaskSpec(element, Values((2,)), align, **{"horizon": 3, **options})


TASKS = {
    "whole": task_of(),
    "whole values": task_of(element=Values((3,))),
    "ahead": task_of(Align.AHEAD, Values((3,))),
    "each": task_of(Align.EACH),
    "each causal": task_of(Align.EACH, Values((3,)), causal=True),
}
PAIRS = [(word, name) for word in SPECS for name in TASKS if SPECS[word].refusal(TASKS[name]) is None]
every_pair = pytest.mark.parametrize(("word", "task"), PAIRS)


def build(spec: ModelSpec, task: TaskSpec) -> SequenceModel:
    torch.manual_seed(1)
    return build_model(spec, task).double()


def batch_for(task: TaskSpec, lengths: list[int] = LENGTHS, steps: int = 5) -> Batch:
    size = (len(lengths), steps)
    element = task.input
    if isinstance(element, Symbols):
        inputs = torch.randint(element.size, size)
    else:
        inputs = torch.randn(*size, *element.shape, dtype=torch.float64)
    return Batch(inputs, torch.tensor(lengths), torch.zeros(len(lengths)), torch.arange(len(lengths)))


def with_inputs(batch: Batch, inputs: Tensor) -> Batch:
    return Batch(inputs, batch.lengths, batch.targets, batch.indices)


def padded(batch: Batch) -> Batch:
    """The same batch with the worst that can stand on padding, and more of it."""
    garbage: float = torch.nan if batch.inputs.is_floating_point() else -(2**40)
    longer = torch.cat([batch.inputs, batch.inputs.flip(1)], 1)
    for sequence, length in zip(longer, batch.lengths.tolist(), strict=True):
        sequence[length:] = garbage
    return with_inputs(batch, longer)


def real(outputs: Tensor, batch: Batch, task: TaskSpec) -> Tensor:
    if task.align is not Align.EACH:
        return outputs
    return torch.cat([row[:length] for row, length in zip(outputs, batch.lengths.tolist(), strict=True)])


def test_pooling_refuses_an_answer_at_every_step_and_nothing_else_is_refused() -> None:
    refused = [(word, name) for word in SPECS for name in TASKS if (word, name) not in PAIRS]
    assert refused == [(word, name) for word in POOLS for name in ("each", "each causal")]
    assert SPECS["dot"].refusal(TASKS["each"]) == (
        "pools a sequence into one vector (model.attention=pooling) and can't answer at every step of it, "
        "as bahdanau and multihead attention can"
    )


@every_pair
def test_padding_changes_no_answer_no_weight_and_no_gradient(word: str, task: str) -> None:
    model, batch = build(SPECS[word], TASKS[task]), batch_for(TASKS[task])

    def run(batch: Batch) -> tuple[Tensor, Tensor, list[Tensor]]:
        answers = real(model(batch)[0], batch, TASKS[task])
        (weights,) = model.attention_weights(batch)
        return answers, weights, list(torch.autograd.grad(answers.square().sum(), list(model.parameters())))

    (answers, weights, grads), (again, wider, same) = run(batch), run(padded(batch))
    torch.testing.assert_close(again, answers)
    torch.testing.assert_close(same, grads)
    torch.testing.assert_close(wider[:, :, : weights.shape[2], :5], weights)
    assert not wider[..., 5:].any()


@every_pair
def test_weights_sum_to_one_over_what_may_be_seen(word: str, task: str) -> None:
    model, batch = build(SPECS[word], TASKS[task]), batch_for(TASKS[task])
    (weights,) = model.attention_weights(batch)
    each = TASKS[task].align is Align.EACH
    assert weights.shape == (3, 2 if word == "multihead" else 1, 5 if each else 1, 5)
    for b, length in enumerate(LENGTHS):
        asking = weights[b, :, :length] if each else weights[b]
        torch.testing.assert_close(asking.sum(-1), torch.ones_like(asking[..., 0]))
        assert (asking[..., :length] > 0).all() or TASKS[task].causal
        assert not asking[..., length:].any()
        assert not weights[b, :, length:].any()
        if TASKS[task].causal:
            assert not asking[..., :length].triu(1).any()
            assert (asking[..., :length].tril() > 0).sum() == len(asking) * length * (length + 1) // 2


@every_pair
def test_every_parameter_gets_a_gradient(word: str, task: str) -> None:
    model, batch = build(SPECS[word], TASKS[task]), batch_for(TASKS[task])
    real(model(batch)[0], batch, TASKS[task]).square().sum().backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.abs().max() > 1e-12, name


@pytest.mark.parametrize("word", ["bahdanau", "multihead"])
def test_a_causal_answer_never_sees_a_later_input(word: str) -> None:
    task = TASKS["each causal"]
    model, batch = build(SPECS[word], task), batch_for(task)
    changed = batch.inputs.clone()
    changed[:, 3:] = 7
    before, after = (model(with_inputs(batch, inputs))[0] for inputs in (batch.inputs, changed))
    assert torch.equal(before[:, :3], after[:, :3])
    assert not torch.equal(before[0, 3:], after[0, 3:])
    free = build(SPECS[word], task_of(Align.EACH, Values((3,))))
    before, after = (free(with_inputs(batch, inputs))[0] for inputs in (batch.inputs, changed))
    assert not torch.equal(before[0, :3], after[0, :3])


@every_pair
@pytest.mark.parametrize("lengths", [[5], [1]])
def test_one_sequence_of_one_or_more_steps(word: str, task: str, lengths: list[int]) -> None:
    model, batch = build(SPECS[word], TASKS[task]), batch_for(TASKS[task], lengths, lengths[0])
    answers, _ = model(batch)
    assert answers.isfinite().all()
    assert len(answers) == 1
    if lengths == [1]:
        assert (model.attention_weights(batch)[0] == 1).all()


@every_pair
def test_bfloat16_autocast_is_near(word: str, task: str) -> None:
    model, batch = build(SPECS[word], TASKS[task]).float(), batch_for(TASKS[task])
    batch = with_inputs(batch, batch.inputs.float()) if batch.inputs.is_floating_point() else batch
    exact = real(model(batch)[0], batch, TASKS[task])
    with torch.autocast("cpu", torch.bfloat16):
        rough, state = model(batch)
        model(batch, state)
        (weights,) = model.attention_weights(batch)
    rough = real(rough, batch, TASKS[task]).float()
    assert (rough - exact).norm() < 0.05 * exact.norm()
    torch.testing.assert_close(weights.float(), model.attention_weights(batch)[0], rtol=0.05, atol=0.01)
    rough.sum().backward()
    half = model.bfloat16()
    answers, _ = half(with_inputs(batch, batch.inputs.bfloat16()) if batch.inputs.is_floating_point() else batch)
    assert answers.dtype == torch.bfloat16


@every_word
def test_the_core_is_the_recurrent_words_and_what_attends_is_a_part_of_its_own(word: str) -> None:
    task = TASKS["whole"]
    model = build(SPECS[word], task)
    plain = build(RecurrentSpec(cell="lstm", hidden_size=4), task)
    assert parts(model)[1] == parts(plain)[1]
    description, parameters, width = {
        "dot": ("Pooling by attention (dot)", 4, 4),
        "additive": ("Pooling by attention (additive, 3)", 4 * 3 + 3 + 3, 4),
        "bahdanau": ("Bahdanau attention (4)", 2 * 4 * 4 + 4, 8),
        "multihead": ("Multi-head attention (2 heads)", 4 * 4 * 4 + 2 * 4, 4),
    }[word]
    assert parts(model)[2][:3] == ("attention", description, parameters)
    assert parts(model)[3].description == f"Linear {width} -> 2"
    assert sum(part.parameters for part in parts(model)) == sum(weight.numel() for weight in model.parameters())
    assert plain.attention_weights(batch_for(task)) == ()


def test_a_part_says_that_it_is_causal() -> None:
    for word, words in {"bahdanau": "Bahdanau attention (4), causal", "multihead": "(2 heads), causal"}.items():
        assert parts(build(SPECS[word], TASKS["each causal"]))[2].description.endswith(words)


@pytest.mark.parametrize("cell", ["rnn", "gru", "gru_cho", "peephole_lstm", "layernorm_lstm"])
@every_word
def test_attention_looks_at_any_cell(word: str, cell: str) -> None:
    options = {"attention": SPECS[word].attention, "score": SPECS[word].score}
    model = build(AttentionSpec(cell=cell, hidden_size=4, **options), TASKS["whole"])
    assert parts(model)[1] == parts(build(RecurrentSpec(cell=cell, hidden_size=4), TASKS["whole"]))[1]
    assert model(batch_for(TASKS["whole"]))[0].isfinite().all()


@pytest.mark.parametrize(
    "options",
    [
        {"bidirectional": True},
        {"bidirectional": True, "merge": "sum"},
        {"num_layers": 2, "residual": True},
        {"cell": "layernorm_lstm", "norm": "output"},
        {"kernel": "reference"},
        {"init": "orthogonal", "forget_bias": 1.0},
        {"embedding_size": 6},
    ],
)
@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
@pytest.mark.parametrize("word", ["bahdanau", "multihead"])
def test_attention_against_a_loop_over_sequences(word: str, pooling: str, options: dict[str, object]) -> None:
    """The queries are the outputs that a recurrent model would pool, whatever the options of its layers."""
    spec = AttentionSpec(attention=word, hidden_size=4, pooling=pooling, **options)
    model, batch = build(spec, TASKS["whole"]), batch_for(TASKS["whole"])
    answers, _ = model(batch)
    for b, length in enumerate(LENGTHS):
        lengths = torch.tensor([length])
        outputs, state = model.core(model.stem(batch.inputs[b : b + 1, :length]), lengths)
        queries = outputs if pooling != "last" else model.core.last(outputs, lengths, state).unsqueeze(1)
        attention = model.attention
        if word == "bahdanau":
            scores = attention.v(torch.tanh(attention.W(queries).transpose(0, 1) + attention.U(outputs)))  # (Q, T, 1)
            weights = scores.softmax(1).squeeze(-1)
            vectors = torch.cat([queries[0], weights @ outputs[0]], -1)
            weights = weights.unsqueeze(0)
        else:
            q, k, v = _heads(attention, queries[0], outputs[0])
            scores = torch.einsum("qnd,tnd->nqt", q, k) / q.shape[-1] ** 0.5
            weights = scores.softmax(-1)
            found = torch.einsum("nqt,tnd->qnd", weights, v)
            vectors = attention.norm(queries[0] + attention.attention.out_proj(found.flatten(1)))
        torch.testing.assert_close(model.attention_weights(batch)[0][b, :, : len(queries[0]), :length], weights)
        vector = {"last": vectors[-1], "mean": vectors.mean(0), "max": vectors.amax(0)}[pooling]
        torch.testing.assert_close(answers[b], model.readout(vector))


def _heads(attention: torch.nn.Module, queries: Tensor, steps: Tensor) -> tuple[Tensor, ...]:
    matrices = attention.attention.in_proj_weight.chunk(3)
    pairs = zip(matrices, (queries, steps, steps), strict=True)
    return tuple((x @ matrix.T).unflatten(-1, (4, -1)) for matrix, x in pairs)


def test_dropout_is_on_what_multihead_attention_found() -> None:
    spec = AttentionSpec(attention="multihead", hidden_size=4, dropout=0.5)
    model, outputs = build(spec, TASKS["each"]), torch.randn(1, 5, 4, dtype=torch.float64)
    real = RealSteps(torch.tensor([5]), 5, outputs.device)
    assert not torch.equal(model.attention(outputs, real), model.attention(outputs, real))
    model.eval()
    assert torch.equal(model.attention(outputs, real), model.attention(outputs, real))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@every_pair
@pytest.mark.parametrize("autocast", [False, True])
def test_a_gpu_answers_as_the_cpu_does(word: str, task: str, autocast: bool) -> None:
    model, batch = build(SPECS[word], TASKS[task]).float(), batch_for(TASKS[task])
    batch = with_inputs(batch, batch.inputs.float()) if batch.inputs.is_floating_point() else batch
    expected = real(model(batch)[0], batch, TASKS[task]), model.attention_weights(batch)[0]
    model, there = model.cuda(), batch.to(torch.device("cuda"))
    with torch.autocast("cuda", torch.bfloat16, enabled=autocast):
        answers, weights = real(model(there)[0], batch, TASKS[task]), model.attention_weights(there)[0]
    close = {"rtol": 0.1, "atol": 0.05} if autocast else {"rtol": 1e-3, "atol": 1e-4}
    torch.testing.assert_close((answers.cpu(), weights.cpu()), expected, check_dtype=False, **close)
    answers.float().sum().backward()


def test_a_state_goes_on_in_the_recurrent_layers() -> None:
    model, batch = build(SPECS["multihead"], TASKS["each causal"]), batch_for(TASKS["each causal"], [5, 5, 5])
    _, state = model(batch)
    fresh, resumed = model(batch), model(batch, state)
    assert not torch.equal(fresh[0], resumed[0])
    assert [part.shape for part in state] == [(1, 3, 4), (1, 3, 4)]
    assert not torch.equal(model.attention_weights(batch)[0], model.attention_weights(batch, state)[0])


@every_word
def test_a_bad_length_is_refused(word: str) -> None:
    model = build(SPECS[word], TASKS["whole"])
    for call in (model, model.attention_weights):
        with pytest.raises(LengthError, match="a sequence of length 6 in a batch of 5 steps"):
            call(batch_for(TASKS["whole"], [6, 5, 2]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"attention": "bahdanau", "score": "dot"},
            "model.score=dot: model.attention=bahdanau has none, only pooling has",
        ),
        (
            {"attention": "pooling", "num_heads": 4},
            "model.num_heads=4: model.attention=pooling has none, only multihead has",
        ),
        (
            {"attention": "multihead", "attention_size": 8},
            "model.attention_size=8: model.attention=multihead has none, it has model.num_heads",
        ),
        ({"attention": "pooling", "attention_size": 8}, "model.attention_size=8: needs model.score=additive"),
        ({"attention": "bahdanau", "attention_size": 0}, "model.attention_size=0: must be at least 1"),
        ({"attention": "multihead", "num_heads": 0}, "model.num_heads=0: must be at least 1"),
        (
            {"attention": "multihead", "num_heads": 3, "hidden_size": 8},
            "model.num_heads=3: must divide the 8 features of an output; use one of 1, 2, 4, 8",
        ),
        (
            {"attention": "multihead", "num_heads": 4, "hidden_size": 3, "bidirectional": True},
            "model.num_heads=4: must divide the 6 features of an output; use one of 1, 2, 3, 6",
        ),
        (
            {"attention": "multihead", "hidden_size": 6, "bidirectional": True, "merge": "sum"},
            "model.num_heads=4: must divide the 6 features of an output; use one of 1, 2, 3, 6",
        ),
        (
            {"attention": "pooling", "pooling": "mean"},
            "model.pooling=mean: model.attention=pooling pools by itself; use model.pooling=null",
        ),
        (
            {"attention": "bahdanau", "nonlinearity": "relu"},
            "model.nonlinearity=relu: model.cell=lstm has none, only rnn does",
        ),
        ({"attention": "bahdanau", "merge": "sum"}, "model.merge=sum: needs model.bidirectional=true"),
    ],
)
def test_what_attention_cannot_honour_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        AttentionSpec(**options)


def test_both_directions_are_refused_where_later_steps_are_hidden() -> None:
    spec = AttentionSpec(attention="bahdanau", bidirectional=True)
    assert spec.refusal(TASKS["each causal"]) == "reads later steps, which an output of this task may not see"
    assert spec.refusal(TASKS["each"]) is None
