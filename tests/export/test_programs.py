"""What programs say is what their models say, whatever the batch."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from seqtrain.export.graphs import Graph, graphs
from seqtrain.export.parity import TOLERANCE, ExportError, largest_difference
from seqtrain.export.programs import save_onnx, save_torch, trace
from seqtrain.models import DecoderSpec
from seqtrain.spec import Align, Symbols, TaskSpec, Values
from seqtrain.words import words
from tests.export.cases import KINDS, built, small

pytestmark = pytest.mark.usefixtures("sizes_unknown")

FREE = KINDS["free"][0]
OPTIONS = {
    "residual layers merged by sum": small("bilstm", merge="sum", num_layers=2, residual=True),
    "maximum": small("gru", pooling="max"),
    "mean of attended steps": small("bahdanau", pooling="mean"),
    "layer norm on the outputs": small("layernorm_lstm", norm="output"),
    "full peepholes": small("peephole_lstm", peephole="full"),
}


def graphs_of(word: str, kind: str) -> tuple[Graph, ...]:
    """What a small model exports; skips a pair that makes no sense."""
    task, decoder = KINDS[kind]
    model = built(small(word), task, decoder)
    if model is None:
        pytest.skip("a senseless pair, refused by name")
    return graphs(model, task)


def in_torch(graph: Graph, folder: Path) -> Callable[[tuple[Tensor, ...]], tuple[Tensor, ...]]:
    return save_torch(trace(graph), folder / "program.pt2")


def in_onnx(graph: Graph, folder: Path) -> Callable[[tuple[Tensor, ...]], tuple[Tensor, ...]]:
    return save_onnx(trace(graph), graph, folder / "program.onnx")


def test_a_program_reads_no_padding_and_a_single_step(tmp_path):
    (graph,) = graphs_of("rnn", "whole")
    program = in_torch(graph, tmp_path)
    assert largest_difference(graph, program) <= TOLERANCE
    short, lengths = torch.randint(0, 11, (3, 5)), torch.tensor([5, 1, 3])
    (expected,) = program((short, lengths))
    for noise in (0, 10):
        (found,) = program((torch.cat([short, torch.full((3, 4), noise)], 1), lengths))
        assert torch.allclose(found, expected, atol=1e-7)
    (alone,) = program((short[1:2, :1], lengths[1:2]))
    assert torch.allclose(alone, expected[1:2], atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("word", list(words("model")))
def test_every_model_becomes_a_program(word, kind, tmp_path):
    for graph in graphs_of(word, kind):
        assert largest_difference(graph, in_torch(graph, tmp_path)) <= TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("word", list(words("model")))
def test_every_model_becomes_onnx(word, tmp_path):
    (graph,) = graphs_of(word, "ahead")
    assert largest_difference(graph, in_onnx(graph, tmp_path)) <= TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["each", "each, causal", "ahead, rolled", "free"])
def test_every_alignment_becomes_onnx(kind, tmp_path):
    for graph in graphs_of("self_attention" if "causal" in kind else "bahdanau", kind):
        assert largest_difference(graph, in_onnx(graph, tmp_path)) <= TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIONS)
def test_options_are_exported_too(name, tmp_path):
    task = TaskSpec(Values((3,)), Symbols(3), Align.WHOLE)
    model = built(OPTIONS[name], task)
    assert model is not None
    (graph,) = graphs(model, task)
    assert largest_difference(graph, in_torch(graph, tmp_path)) <= TOLERANCE


@pytest.mark.slow
def test_a_decoder_that_feeds_on_what_attention_found(tmp_path):
    model = built(small("seq2seq_attention"), FREE, DecoderSpec(input_feeding=True))
    assert model is not None
    encoder, decoder = graphs(model, FREE)
    assert [port.name for port in encoder.outputs] == ["steps", "state_0", "state_1"]
    assert largest_difference(encoder, in_torch(encoder, tmp_path)) <= TOLERANCE
    assert largest_difference(decoder, in_onnx(decoder, tmp_path)) <= TOLERANCE


def test_encoder_and_steps_of_the_decoder_say_what_the_model_writes():
    for word in ("seq2seq", "seq2seq_attention", "self_attention"):
        model = built(small(word), FREE)
        assert model is not None
        encoder, decoder = graphs(model, FREE)
        inputs, lengths = encoder.draw({"batch": 3, "steps": 6}, seed=1)
        known = dict(zip((port.name for port in encoder.outputs), encoder(inputs, lengths), strict=True))
        told = torch.tensor([[2, 5, 7, 3]] * 3)  # BOS first
        expected = model(_batch(inputs, lengths, told))[0]
        for u in range(4):
            remembers = decoder.inputs[0].shape[1] == 1
            said = told[:, u : u + 1] if remembers else told[:, : u + 1]
            logits, *state = decoder(*({"said": said, "lengths": lengths, **known}[p.name] for p in decoder.inputs))
            known |= {f"state_{i}": part for i, part in enumerate(state)}
            assert torch.allclose(logits, expected[:, u], atol=1e-6)


def _batch(inputs: Tensor, lengths: Tensor, told: Tensor) -> object:
    from seqtrain.batch import Batch

    targets = torch.cat([told[:, 1:], told[:, :1]], 1)
    return Batch(inputs, lengths, targets, torch.arange(3), torch.full((3,), 4))


def test_a_text_goes_on_from_the_memory_that_a_program_returns():
    (graph,) = graphs_of("lstm", "each, causal")
    inputs, _, *memory = graph.draw({"batch": 2, "steps": 6}, seed=1)
    zeros = [torch.zeros_like(part) for part in memory]
    whole, *_ = graph(inputs, torch.tensor([6, 6]), *zeros)
    first, *memory = graph(inputs[:, :4], torch.tensor([4, 4]), *zeros)
    then, *_ = graph(inputs[:, 4:], torch.tensor([2, 2]), *memory)
    assert torch.allclose(torch.cat([first, then], 1), whole, atol=1e-6)


def test_what_strays_is_measured():
    (graph,) = graphs_of("rnn", "whole")
    assert largest_difference(graph, lambda inputs: graph(*inputs)) == 0
    assert largest_difference(graph, lambda inputs: (graph(*inputs)[0] + 0.5,)) == pytest.approx(0.5)
    assert largest_difference(graph, lambda inputs: (graph(*inputs)[0] * torch.nan,)) == torch.inf
    with pytest.raises(ExportError, match="outputs is"):
        largest_difference(graph, lambda inputs: (graph(*inputs)[0][:, :1],))


def test_padded_outputs_are_not_compared():
    (graph,) = graphs_of("rnn", "each")

    def spoilt(inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        (outputs,) = graph(*inputs)
        padded = torch.arange(outputs.shape[1]) >= inputs[-1].unsqueeze(1)
        return (torch.where(padded[..., None, None], torch.nan, outputs),)

    assert largest_difference(graph, spoilt) == 0
