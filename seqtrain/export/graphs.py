"""What of a model is exported: functions of tensors alone, with names and shapes of all that goes in and out.

A model that answers what it reads is one graph. One that writes a sequence of its own length loops until it has
written its end, which is left to who uses it: it is two graphs, the encoder and one step of the decoder.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from seqtrain.batch import Batch
from seqtrain.errors import ConfigError
from seqtrain.model import Model, State
from seqtrain.models import EncoderDecoder, SequenceModel
from seqtrain.models.decoder import Encoded
from seqtrain.models.decoder_spec import writes
from seqtrain.models.padded import RealSteps
from seqtrain.spec import Align, Element, Spelt, Symbols, TaskSpec

SIZES = ("batch", "steps", "letters", "written")
"""Sizes that only the input tells; each may be 1."""


@dataclass(frozen=True)
class Port:
    """One tensor that goes into a graph or comes out of it.

    Attributes:
        name: What the exported program calls it.
        dtype: int64 or float32.
        shape: Its sizes; those that only the input tells by their name in `SIZES`.
        meaning: What it holds, in a few words.
        below: For ids, how many there are: each is in [0, below).
    """

    name: str
    dtype: torch.dtype
    shape: tuple[int | str, ...]
    meaning: str
    below: int | None = None

    def draw(self, sizes: Mapping[str, int], generator: torch.Generator) -> Tensor:
        """Random content of such sizes: normal values, any ids, lengths in 1..T."""
        shape = [size if isinstance(size, int) else sizes[size] for size in self.shape]
        if self.name == "lengths":
            return torch.randint(1, sizes["steps"] + 1, shape, generator=generator)
        if self.below is not None:
            return torch.randint(0, self.below, shape, generator=generator)
        return torch.randn(shape, generator=generator)


class Graph(nn.Module, ABC):
    """A function of tensors alone, which are given and returned in the order of its ports.

    Attributes:
        name: What its file is called.
        inputs: What goes in.
        outputs: What comes out.
    """

    name: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    @abstractmethod
    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]: ...

    def draw(self, sizes: Mapping[str, int], seed: int) -> tuple[Tensor, ...]:
        """Random inputs of such sizes."""
        generator = torch.Generator().manual_seed(seed)
        return tuple(port.draw(sizes, generator) for port in self.inputs)


@final
class Answer(Graph):
    """What a model answers to the sequences that it reads.

    Where sequences go on from batch to batch, or a model can go on by itself, its memory goes in and comes out too.
    """

    name = "model"

    def __init__(self, model: Model, task: TaskSpec) -> None:
        super().__init__()
        self.model = model
        self.spelt = isinstance(task.input, Spelt)
        read = (*_sequence(task.input), LENGTHS)
        memory = _memory(model, task, read) if _goes_on(model, task) else []
        self.inputs = (*read, *_state("state", memory, "memory before the first step; zeros where nothing was read"))
        self.outputs = (
            Port("outputs", torch.float32, (*_answers(task), *_element(task.output)), _said(task)),
            *_state("next_state", memory, "memory after each sequence's last step"),
        )

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        inputs, lengths, state = _split(tensors, self.spelt)
        outputs, after = self.model(Batch(inputs, lengths, inputs, lengths), state or None)
        return (outputs, *after) if state else (outputs,)


@final
class Encoder(Graph):
    """What a decoder needs of the sequences that were read."""

    name = "encoder"

    def __init__(self, model: EncoderDecoder, task: TaskSpec) -> None:
        super().__init__()
        self.model = model
        self.spelt = isinstance(task.input, Spelt)
        self.asked = model.decoder.attention is not None
        self.inputs = (*_sequence(task.input), LENGTHS)
        self.outputs = (
            *([_steps(model)] if self.asked else []),
            *_state("state", _begun(model, self.inputs), "memory before anything is written"),
        )

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        encoded, state = self.model.encode(_batch(tensors, self.spelt))
        return (*([encoded.steps] if self.asked else []), *self.model.decoder.begin(state))


@final
class DecoderStep(Graph):
    """The logits of what comes next, after what was written.

    A decoder that remembers is told the last symbol written, and its memory; one that doesn't, all symbols so far.
    """

    name = "decoder"

    def __init__(self, model: EncoderDecoder, task: TaskSpec) -> None:
        super().__init__()
        assert isinstance(task.output, Symbols)
        self.decoder = model.decoder
        self.asked = model.decoder.attention is not None
        encoder = Encoder(model, task)
        memory = _begun(model, encoder.inputs)
        remembers = model.decoder.core.remembers
        said = "the symbol written last; BOS at first" if remembers else "BOS and all symbols written so far"
        self.inputs = (
            Port("said", torch.int64, ("batch", 1 if remembers else "written"), said, task.output.size),
            *([_steps(model), LENGTHS] if self.asked else []),
            *_state("state", memory, "memory, of the encoder or the step before"),
        )
        self.outputs = (
            Port("logits", torch.float32, ("batch", task.output.size), "of the next symbol"),
            *_state("next_state", memory, "memory for the next step"),
        )

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        said, *rest = tensors
        if self.asked:
            steps, lengths, *rest = rest
        else:  # nobody asks what was read
            steps, lengths = said.unsqueeze(-1), torch.ones(said.shape[0], dtype=torch.long)
        encoded = Encoded(steps, RealSteps(lengths, steps.shape[1], steps.device))
        told = torch.full((said.shape[0],), said.shape[1], dtype=torch.long)
        written = self.decoder(said, told, tuple(rest), encoded)
        return (written.outputs[:, -1], *(written.state if rest else ()))


def graphs(model: Model, task: TaskSpec) -> tuple[Graph, ...]:
    """What is exported of a model, on the CPU and in evaluation mode.

    Raises:
        ConfigError: If it writes sequences in a way of its own.
    """
    if task.align is not Align.FREE:
        return (Answer(model, task),)
    if not isinstance(model, EncoderDecoder):
        raise ConfigError(f"{type(model).__name__} writes in a way of its own; only an EncoderDecoder can be exported")
    return Encoder(model, task), DecoderStep(model, task)


# -------------------------------------------------------------------- ports

LENGTHS = Port("lengths", torch.int64, ("batch",), "real steps of each sequence, in 1..steps; the others are not read")


def _sequence(element: Element | Spelt) -> list[Port]:
    """What is read: ids, words with their letters, or values."""
    if isinstance(element, Spelt):
        letters = "ids of each word's letters, filled up with PAD"
        return [
            Port("words", torch.int64, ("batch", "steps"), "ids of words", element.size),
            Port("letters", torch.int64, ("batch", "steps", "letters"), letters, element.characters),
        ]
    if isinstance(element, Symbols):
        return [Port("inputs", torch.int64, ("batch", "steps"), "ids of symbols", element.size)]
    return [Port("inputs", torch.float32, ("batch", "steps", *element.shape), "values; bytes of images over 255")]


def _answers(task: TaskSpec) -> tuple[int | str, ...]:
    """The axes of the outputs before those of an element."""
    match task.align:
        case Align.EACH:
            return "batch", "steps"
        case Align.AHEAD:
            return "batch", task.horizon
        case _:
            return ("batch",)


def _element(element: Element) -> tuple[int, ...]:
    if isinstance(element, Symbols):
        return (element.size, element.size) if element.chained else (element.size,)
    return element.shape


def _said(task: TaskSpec) -> str:
    if not isinstance(task.output, Symbols):
        return "values"
    return "scores of symbol j after symbol i at [i, j]" if task.output.chained else "logits"


def _steps(model: EncoderDecoder) -> Port:
    return Port(
        "steps", torch.float32, ("batch", "steps", *model.core.out_features), "what the encoder made of each step"
    )


def _state(name: str, parts: list[tuple[int, ...]], meaning: str) -> list[Port]:
    """A port for each part of a state, whose sequences run along its second axis."""
    return [
        Port(f"{name}_{i}", torch.float32, (layers, "batch", *rest), meaning)
        for i, (layers, _, *rest) in enumerate(parts)
    ]


# -------------------------------------------------------------------- tensors


def _split(tensors: tuple[Tensor, ...], spelt: bool) -> tuple[Tensor, Tensor, State]:
    """The input as a batch holds it, the lengths, and what follows them."""
    if spelt:
        words, letters, lengths, *rest = tensors
        return torch.cat([words.unsqueeze(-1), letters], -1), lengths, tuple(rest)
    inputs, lengths, *rest = tensors
    return inputs, lengths, tuple(rest)


def _batch(tensors: tuple[Tensor, ...], spelt: bool) -> Batch:
    inputs, lengths, _ = _split(tensors, spelt)
    return Batch(inputs, lengths, inputs, lengths)


def _goes_on(model: Model, task: TaskSpec) -> bool:
    return isinstance(model, SequenceModel) and model.core.remembers and (task.carry or writes(task))


def _tried(ports: tuple[Port, ...], spelt: bool) -> Batch:
    """A small batch that such ports could hold."""
    generator = torch.Generator().manual_seed(0)
    return _batch(tuple(port.draw(dict.fromkeys(SIZES, 1), generator) for port in ports), spelt)


@torch.no_grad()
def _memory(model: Model, task: TaskSpec, read: tuple[Port, ...]) -> list[tuple[int, ...]]:
    """The shapes of what a model remembers."""
    _, state = model(_tried(read, isinstance(task.input, Spelt)))
    return [tuple(part.shape) for part in state]


@torch.no_grad()
def _begun(model: EncoderDecoder, read: tuple[Port, ...]) -> list[tuple[int, ...]]:
    """The shapes of what a decoder begins with."""
    _, state = model.encode(_tried(read, len(read) == 3))
    return [tuple(part.shape) for part in model.decoder.begin(state)]
