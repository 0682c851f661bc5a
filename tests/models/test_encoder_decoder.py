from dataclasses import replace

import pytest
import torch
from torch import nn

from seqtrain.batch import BOS, EOS, PAD, Batch, length_mask
from seqtrain.errors import ConfigError
from seqtrain.models import (
    AttentionSpec,
    ConvLSTMSpec,
    DecoderSpec,
    EncoderDecoder,
    ModelSpec,
    RecurrentSpec,
    SelfAttentionSpec,
    build_model,
    parts,
    refusal,
)
from seqtrain.spec import Align, Symbols, TaskSpec, Values

LENGTHS, WRITTEN = [5, 2, 3], [3, 4, 1]
TRANSLATION = TaskSpec(Symbols(11), Symbols(9), Align.FREE, horizon=6)
SERIES = TaskSpec(Values((2,)), Values((2,)), Align.AHEAD, horizon=4, continues=True)
VIDEO = TaskSpec(Values((1, 4, 3)), Values((1, 4, 3)), Align.AHEAD, horizon=3, continues=True)
ROLLED = DecoderSpec(rolled=True)

MODELS: dict[str, ModelSpec] = {
    "rnn": RecurrentSpec(cell="rnn", hidden_size=8),
    "bilstm": RecurrentSpec(cell="lstm", hidden_size=8, bidirectional=True, num_layers=2),
    "gru_cho": RecurrentSpec(cell="gru_cho", hidden_size=8),
    "bahdanau": AttentionSpec(attention="bahdanau", cell="gru", hidden_size=8, bidirectional=True),
    "multihead": AttentionSpec(attention="multihead", hidden_size=8, num_heads=2, bidirectional=True, merge="sum"),
    "multihead of both": AttentionSpec(attention="multihead", hidden_size=8, num_heads=2, bidirectional=True),
    "self_attention": SelfAttentionSpec(hidden_size=8, num_heads=2),
}


def translations(device: str = "cpu") -> Batch:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randint(4, 11, (3, 5), generator=generator)
    targets = torch.randint(4, 9, (3, 4), generator=generator)
    for row, length in zip(targets, WRITTEN, strict=True):
        row[length - 1], row[length:] = EOS, PAD
    batch = Batch(inputs, torch.tensor(LENGTHS), targets, torch.arange(3), torch.tensor(WRITTEN))
    return batch.to(torch.device(device))


def series(task: TaskSpec = SERIES) -> Batch:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(3, 5, *task.input.shape, generator=generator, dtype=torch.float64)
    targets = torch.randn(3, task.horizon, *task.output.shape, generator=generator, dtype=torch.float64)
    return Batch(inputs, torch.tensor(LENGTHS), targets, torch.arange(3))


def built(spec: ModelSpec, task: TaskSpec, decoder: DecoderSpec | None = None) -> EncoderDecoder:
    torch.manual_seed(0)
    model = build_model(spec, task, decoder).double()
    assert isinstance(model, EncoderDecoder)
    return model


@pytest.mark.parametrize("name", MODELS)
def test_each_architecture_writes_and_each_of_its_weights_learns(name):
    model = built(MODELS[name], TRANSLATION)
    batch = translations()
    outputs, _ = model(batch)
    assert outputs.shape == (3, 4, 9)
    outputs[length_mask(batch.target_lengths, 4)].square().sum().backward()
    assert [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()] == []


@pytest.mark.parametrize("feeding", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_the_truth_told_at_once_is_the_truth_told_step_by_step(name, feeding):
    if feeding and not isinstance(MODELS[name], AttentionSpec):
        pytest.skip("has no attention to feed on")
    batch = translations()
    at_once = built(MODELS[name], TRANSLATION, DecoderSpec(input_feeding=feeding))
    # So near to 1 that every coin falls the same way, and yet not 1.
    by_steps = built(MODELS[name], TRANSLATION, DecoderSpec(input_feeding=feeding, teacher_forcing=1 - 1e-12))
    real = length_mask(batch.target_lengths, 4)
    torch.testing.assert_close(at_once(batch)[0][real], by_steps(batch)[0][real], rtol=1e-10, atol=1e-10)


def test_plain_encoder_and_decoder_are_two_of_torchs_lstms():
    model = built(RecurrentSpec(cell="lstm", hidden_size=8, num_layers=2), TRANSLATION)
    reads, writes = (nn.LSTM(8, 8, 2, batch_first=True).double() for _ in range(2))
    for theirs, core in ((reads, model.core), (writes, model.decoder.core)):
        weights = [w for layer in core.layers for w in layer[0].parameters()]
        for own, weight in zip(theirs.parameters(), weights, strict=True):
            own.data = weight.data
    batch = translations()
    outputs, _ = model(batch)
    for b in range(3):
        _, state = reads(model.stem.table(batch.inputs[b, : LENGTHS[b]]))
        told = torch.cat([torch.tensor([BOS]), batch.targets[b, : WRITTEN[b] - 1]])
        y, _ = writes(model.decoder.stem.table(told), state)
        torch.testing.assert_close(outputs[b, : WRITTEN[b]], model.decoder.readout.linear(y))


@pytest.mark.parametrize("name", MODELS)
def test_what_stands_on_padding_changes_nothing(name):
    model = built(MODELS[name], TRANSLATION)
    batch = translations()
    inputs, targets = batch.inputs.clone(), batch.targets.clone()
    for row, length in zip(inputs, LENGTHS, strict=True):
        row[length:] = -(2**40)
    for row, length in zip(targets, WRITTEN, strict=True):
        row[length:] = 2**40
    spoilt = replace(batch, inputs=nn.functional.pad(inputs, (0, 3), value=99), targets=targets)
    real = length_mask(batch.target_lengths, 4)
    torch.testing.assert_close(model(spoilt)[0][real], model(batch)[0][real], rtol=1e-12, atol=1e-12)
    assert torch.equal(model.eval().generate(spoilt), model.generate(batch))


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("name", MODELS)
def test_what_is_written_is_what_would_be_answered(name, beams):
    model = built(MODELS[name], TRANSLATION, DecoderSpec(beam_size=beams)).eval()
    batch = translations()
    written = model.generate(replace(batch, targets=torch.full_like(batch.targets, -1)))
    assert written.shape[1] <= 6
    lengths = (written != PAD).sum(1)
    told = replace(batch, targets=written, target_lengths=lengths)
    logits = model(told)[0]
    logits[:, :, [PAD, BOS]] = -torch.inf
    real = length_mask(lengths, written.shape[1])
    if beams == 1:
        assert torch.equal(logits.argmax(-1)[real], written[real])
        return
    greedy = built(MODELS[name], TRANSLATION).eval().generate(batch)
    rank = []
    for ids in (written, greedy):
        lengths = (ids != PAD).sum(1)
        logits = model(replace(batch, targets=ids, target_lengths=lengths))[0]
        logits[:, :, [PAD, BOS]] = -torch.inf
        gains = logits.log_softmax(-1).gather(-1, ids.unsqueeze(-1)).squeeze(-1)
        total = gains.masked_fill(~length_mask(lengths, ids.shape[1]), 0).sum(1)
        rank.append(total / ((5 + lengths) / 6) ** 0.6)
    assert rank[0].sum() >= rank[1].sum()


def test_drawing_differs_by_seed():
    batch = translations()
    ids = [built(MODELS["rnn"], TRANSLATION, DecoderSpec(temperature=1.0, seed=s)).generate(batch) for s in (0, 0, 1)]
    assert torch.equal(ids[0], ids[1])
    assert not torch.equal(ids[0], ids[2])


@pytest.mark.parametrize("name", ["bahdanau", "multihead", "self_attention"])
def test_attention_weights_are_shares_of_the_real_steps(name):
    batch = translations()
    (weights,) = built(MODELS[name], TRANSLATION).attention_weights(batch)
    assert weights.shape[2:] == (4, 5)
    for b in range(3):
        assert (weights[b, :, :, LENGTHS[b] :] == 0).all()
        assert (weights[b, :, WRITTEN[b] :] == 0).all()
        torch.testing.assert_close(
            weights[b, :, : WRITTEN[b]].sum(-1), torch.ones(len(weights[b]), WRITTEN[b], dtype=torch.float64)
        )


def test_telling_the_truth_is_given_up_step_by_step():
    decoder = DecoderSpec(teacher_forcing=0.9, teacher_forcing_end=0.1, teacher_forcing_steps=10)
    assert [decoder.forcing(TRANSLATION, step) for step in (0, 5, 10, 99)] == pytest.approx([0.9, 0.5, 0.1, 0.1])
    assert DecoderSpec().forcing(TRANSLATION, 7) == 1
    assert DecoderSpec().forcing(SERIES, 7) == 0

    model = built(MODELS["rnn"], TRANSLATION, replace(decoder, teacher_forcing=1.0, teacher_forcing_end=0.0))
    batch = translations()
    real = length_mask(batch.target_lengths, 4)
    told = model(batch)[0][real]
    model.at_step(10)
    alone = model(batch)[0][real]
    assert not torch.allclose(told, alone)
    scored = model.eval()(batch)[0][real]  # which tells the truth, whatever training did
    torch.testing.assert_close(scored, told)


@pytest.mark.parametrize("spec", [*MODELS.values(), ConvLSTMSpec(hidden_size=3)], ids=[*MODELS, "convlstm"])
def test_forecasts_are_fed_back(spec):
    task = VIDEO if isinstance(spec, ConvLSTMSpec) else SERIES
    model = built(spec, task, ROLLED)
    batch = series(task)
    outputs, _ = model(batch)
    assert outputs.shape == (3, task.horizon, *task.output.shape)
    outputs.square().sum().backward()
    assert [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()] == []

    last = torch.stack([sequence[length - 1] for sequence, length in zip(batch.inputs, LENGTHS, strict=True)])
    encoded, state = model.encode(batch, None)
    said, state = last.unsqueeze(1), model.decoder.begin(state)
    for u in range(task.horizon):
        said, _, state = model.decoder(said, torch.ones(3, dtype=torch.long), state, encoded)
        torch.testing.assert_close(said[:, 0], outputs[:, u])


def test_forecasts_are_told_the_truth_in_training_alone():
    batch = series()
    free, told = (built(MODELS["bilstm"], SERIES, replace(ROLLED, teacher_forcing=f)) for f in (0.0, 1.0))
    by_steps = built(MODELS["bilstm"], SERIES, replace(ROLLED, teacher_forcing=1 - 1e-12))
    torch.testing.assert_close(told(batch)[0], by_steps(batch)[0])
    torch.testing.assert_close(told(batch)[0][:, 0], free(batch)[0][:, 0])
    assert not torch.allclose(told(batch)[0][:, 1:], free(batch)[0][:, 1:])
    torch.testing.assert_close(told.eval()(batch)[0], free.eval()(batch)[0])


def test_frames_in_bytes_are_rolled_as_what_they_stand_for():
    model = built(ConvLSTMSpec(hidden_size=3), VIDEO, replace(ROLLED, teacher_forcing=0.5)).float()
    frames = torch.randint(256, (3, 8, 1, 4, 3), dtype=torch.uint8)
    in_bytes = Batch(frames[:, :5], torch.tensor([5, 5, 5]), frames[:, 5:], torch.arange(3))
    in_floats = replace(in_bytes, inputs=in_bytes.inputs / 255, targets=in_bytes.targets / 255)
    results = []
    for batch in (in_bytes, in_floats):
        torch.manual_seed(1)
        results.append(model(batch)[0])
    torch.testing.assert_close(*results)


def test_one_table_reads_and_writes():
    spec = replace(MODELS["bahdanau"], tie_embeddings=True)
    model = built(spec, TRANSLATION)
    assert model.decoder.readout.linear.weight is model.decoder.stem.table.weight
    assert sum(part.parameters for part in parts(model)) == sum(weight.numel() for weight in model.parameters())
    smaller = built(replace(spec, embedding_size=5), TRANSLATION)
    assert smaller.decoder.readout.enter.weight.shape == (5, 8)
    smaller(translations())[0].sum().backward()
    assert spec.refusal(TaskSpec(Symbols(9), Symbols(9), Align.WHOLE)) == (
        "can't read and write by one table (model.tie_embeddings=true): this task writes no symbols it reads"
    )


TAGGING = TaskSpec(Symbols(9), Symbols(9), Align.EACH)


@pytest.mark.parametrize(
    ("decoder", "task", "message"),
    [
        ({"rolled": True}, TAGGING, "decoder.rolled=True: only forecasts can be rolled"),
        ({"rolled": True}, replace(SERIES, continues=False), "decoder.rolled=true: this task's outputs are of another"),
        ({"teacher_forcing": 0.5}, SERIES, "decoder.teacher_forcing=0.5: this task has no decoder"),
        ({"input_feeding": True}, TAGGING, "decoder.input_feeding=true: this task has no decoder"),
        ({"beam_size": 4}, replace(TAGGING, continues=True), "decoder.beam_size=4: this task wants no sequence"),
        ({"temperature": 0.5}, TAGGING, "decoder.temperature=0.5: this task writes no symbols to draw"),
        ({"top_k": 5, "rolled": True}, SERIES, "decoder.top_k=5: this task writes no symbols to draw"),
    ],
)
def test_what_can_not_act_on_a_task_is_refused(decoder, task, message):
    with pytest.raises(ConfigError, match=f"^{message}"):
        refusal(RecurrentSpec(cell="lstm"), DecoderSpec(**decoder), task)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"teacher_forcing": 1.5}, "decoder.teacher_forcing=1.5: must be between 0 and 1"),
        ({"teacher_forcing_end": 0.5}, "decoder.teacher_forcing_end and decoder.teacher_forcing_steps belong together"),
        ({"beam_size": 0}, "decoder.beam_size=0: must be at least 1"),
        ({"length_penalty": 1.0}, "decoder.length_penalty=1.0: needs decoder.beam_size=2 or more"),
        ({"temperature": 0.0}, "decoder.temperature=0.0: must be above 0"),
        ({"top_p": 1.5}, "decoder.top_p=1.5: must be between 0 and 1"),
        (
            {"beam_size": 2, "top_k": 3},
            "decoder.beam_size=2: searches the likeliest sequence, and",
        ),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ConfigError, match=f"^{message}"):
        DecoderSpec(**options)


@pytest.mark.parametrize(
    ("spec", "decoder", "reason"),
    [
        (
            AttentionSpec(attention="pooling"),
            DecoderSpec(),
            "pools a sequence into one vector",
        ),
        (ConvLSTMSpec(), DecoderSpec(), "reads images (C, Y, X), and this task's steps are symbols"),
        (RecurrentSpec(cell="gru", pooling="mean"), DecoderSpec(), "can't pool a sequence into one vector"),
        (RecurrentSpec(cell="gru"), DecoderSpec(input_feeding=True), "has no attention whose findings could be fed on"),
    ],
)
def test_architectures_that_can_not_write_are_refused(spec, decoder, reason):
    assert str(refusal(spec, decoder, TRANSLATION)).startswith(reason)
