"""Every model word on every alignment: its programs say what the model says, whatever the batch."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from seqtrain.config import build_word
from seqtrain.export.graphs import Graph, graphs
from seqtrain.export.parity import TOLERANCE, largest_difference
from seqtrain.export.programs import save_onnx, save_torch, trace
from seqtrain.models import DecoderSpec, ModelSpec, RecurrentSpec, build_model, refusal
from seqtrain.spec import Align, Spelt, Symbols, TaskSpec, Values
from seqtrain.words import words

SERIES = TaskSpec(Values((3,)), Values((3,)), Align.AHEAD, horizon=4, continues=True)
IMAGES = TaskSpec(Values((2, 4, 5)), Values((2, 4, 5)), Align.AHEAD, horizon=3, continues=True)
TEXT = TaskSpec(Symbols(11), Symbols(11), Align.EACH, horizon=9, causal=True, carry=True, continues=True)
PLAIN, ROLLED = DecoderSpec(), DecoderSpec(rolled=True)
KINDS = {
    "whole": (TaskSpec(Symbols(11), Symbols(3), Align.WHOLE), PLAIN),
    "each": (TaskSpec(Spelt(11, 7), Symbols(3, chained=True), Align.EACH), PLAIN),
    "each, causal": (TEXT, PLAIN),
    "ahead": (SERIES, PLAIN),
    "ahead, rolled": (SERIES, ROLLED),
    "ahead, images": (IMAGES, PLAIN),
    "ahead, images, rolled": (IMAGES, ROLLED),
    "free": (TaskSpec(Symbols(11), Symbols(9), Align.FREE, horizon=6), PLAIN),
    "free, input feeding": (TaskSpec(Symbols(11), Symbols(9), Align.FREE, horizon=6), DecoderSpec(input_feeding=True)),
}


def graphs_of(spec: ModelSpec, kind: str) -> tuple[Graph, ...]:
    """What a small model exports; skips a pair that makes no sense."""
    task, decoder = KINDS[kind]
    if refusal(spec, decoder, task) is not None:
        pytest.skip("a senseless pair, refused by name")
    torch.manual_seed(0)
    return graphs(build_model(spec, task, decoder).eval().requires_grad_(False), task)


def word(name: str) -> ModelSpec:
    return replace(build_word(ModelSpec, words("model")[name], "model"), hidden_size=8)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", list(words("model")))
def test_a_program_says_what_its_model_says(name: str, kind: str, tmp_path: Path) -> None:
    for graph in graphs_of(word(name), kind):
        assert largest_difference(graph, save_torch(trace(graph), tmp_path / "program.pt2")) <= TOLERANCE


def test_onnx(tmp_path):
    (graph,) = graphs_of(word("bilstm"), "whole")
    assert largest_difference(graph, save_onnx(trace(graph), graph, tmp_path / "program.onnx")) <= TOLERANCE
