"""A task for every alignment, on which any model is small: what the tests and the page of exports run over."""

from dataclasses import replace

import torch

from seqtrain.config import build_word
from seqtrain.models import DecoderSpec, EncoderDecoder, ModelSpec, SequenceModel, build_model, refusal
from seqtrain.spec import Align, Spelt, Symbols, TaskSpec, Values
from seqtrain.words import words

IMAGE = Values((2, 4, 4))
FORECAST = TaskSpec(IMAGE, IMAGE, Align.AHEAD, horizon=3, continues=True)
KINDS = {
    "whole": (TaskSpec(Symbols(11), Symbols(3), Align.WHOLE), DecoderSpec()),
    "each": (TaskSpec(Spelt(11, 7), Symbols(3, chained=True), Align.EACH), DecoderSpec()),
    "each, causal": (
        TaskSpec(Symbols(11), Symbols(11), Align.EACH, horizon=9, causal=True, carry=True, continues=True),
        DecoderSpec(),
    ),
    "ahead": (FORECAST, DecoderSpec()),
    "ahead, rolled": (FORECAST, DecoderSpec(rolled=True)),
    "free": (TaskSpec(Symbols(11), Symbols(9), Align.FREE, horizon=6), DecoderSpec()),
}


def small(word: str, **options: object) -> ModelSpec:
    """The spec of a model's word, with few features."""
    return replace(build_word(ModelSpec, words("model")[word], "model"), hidden_size=8, **options)


def built(spec: ModelSpec, task: TaskSpec, decoder: DecoderSpec | None = None) -> SequenceModel | EncoderDecoder | None:
    """The model as it is exported; None if it makes no sense on the task."""
    decoder = decoder or DecoderSpec()
    if refusal(spec, decoder, task) is not None:
        return None
    torch.manual_seed(0)
    return build_model(spec, task, decoder).eval().requires_grad_(False)
