"""What benchmark_models.py measures: every architecture of ours, and what each is compared with."""

import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from benchmark_tutorials import (
    AttentionPooling,
    Bahdanau,
    Blocks,
    BothWays,
    ConvLSTMCell,
    GRUCell,
    LayerNormCell,
    LSTMCell,
    MultiHead,
    Packed,
    PeepholeCell,
    RNNCell,
    Translator,
    Tutorial,
)
from torch import Tensor, nn

from seqtrain.batch import Batch
from seqtrain.models import AttentionSpec, ConvLSTMSpec, ModelSpec, RecurrentSpec, SelfAttentionSpec, build_model
from seqtrain.spec import Align, Symbols, TaskSpec, Values

Step = Callable[[], None]
ANSWERS = 10
"""Values that the models with a readout answer with."""
SYMBOLS = 1000
"""Symbols that the translators know in either language."""
POOL = 16
"""Ragged batches that one measurement goes through."""


@dataclass(frozen=True)
class Size:
    """(batch, steps, *features) of the input, and the hidden size."""

    shape: tuple[int, ...]
    hidden: int

    def __str__(self) -> str:
        batch, steps, *features = self.shape
        return f"B {batch} T {steps} in {'x'.join(map(str, features))} hidden {self.hidden}"


VECTORS = [Size((32, 100, 64), 64), Size((64, 100, 128), 256), Size((32, 100, 512), 512)]
IMAGES = [Size((4, 10, 1, 64, 64), 64), Size((4, 10, 16, 16, 16), 64)]  # the second one in patches of 4x4
SENTENCES = [Size((64, 30, 128), 64), Size((64, 30, 256), 256)]
RAGGED = [Size((64, 60, 128), 64), Size((64, 60, 256), 256)]

Build = Callable[[Size], nn.Module]


@dataclass(frozen=True)
class Architecture:
    """One row: ours, and what it is compared with, each built for a size.

    Attributes:
        ours: Reads (B, T, ...) and returns outputs.
        tutorial: The same network as tutorials write it.
        native: What torch.nn has of the same family, if anything.
        sizes: What it is measured on.
        gates: Products of hidden_size rows per step and layer, for the rate; 0 where it isn't told.
        layers: Recurrent layers on top of one another, and directions.
        inputs: Draws what is read.
    """

    ours: Build
    tutorial: Build
    native: Build | None
    sizes: list[Size]
    gates: int = 0
    layers: tuple[int, int] = (1, 1)
    inputs: Callable[[Size], Tensor] = lambda size: torch.randn(size.shape)

    def flops(self, size: Size) -> float:
        """Of the products of one step of training: forward once, backward twice."""
        batch, steps, features, *places = size.shape
        per_unit = torch.Size(places).numel() * (9 if places else 1)
        depth, directions = self.layers
        below = [features, *[size.hidden * directions] * (depth - 1)]
        total = sum(directions * self.gates * size.hidden * (inner + size.hidden) for inner in below)
        return 6.0 * batch * steps * per_unit * total

    def steps(self, size: Size, precision: str, device: str) -> dict[str, Step]:
        """A step of training for each competitor, to be called again and again."""
        builders = {"tutorial": self.tutorial, "ours": self.ours, "torch": self.native}
        models = {who: build(size) for who, build in builders.items() if build is not None}
        inputs = [self.inputs(size).to(device)]
        return {who: training_step(model, inputs, precision, device) for who, model in models.items()}


@dataclass(frozen=True)
class RaggedLSTM:
    """An LSTM on sequences of 1 to 60 steps, 20 in the mean: ours bucketed and padded, the others packed."""

    sizes: list[Size]

    def flops(self, size: Size) -> float:
        """Of the real steps alone."""
        _, _, features = size.shape
        return 6.0 * sum(map(sum, self._lengths(size))) * 4 * size.hidden * (features + size.hidden)

    def steps(self, size: Size, precision: str, device: str) -> dict[str, Step]:
        """POOL batches each: in random order for the others, those of like length together for ours."""
        lengths = self._lengths(size)
        together = np.sort(lengths.ravel()).reshape(lengths.shape)
        cell = recurrent("lstm")(size)
        batches = {"tutorial": (Tutorial(LSTMCell, size.shape[2], size.hidden), lengths)}
        batches |= {"ours": (cell, together), "torch": (Packed(size.shape[2], size.hidden), lengths)}
        return {
            who: training_step(model, [(self._draw(size, each).to(device), each) for each in order], precision, device)
            for who, (model, order) in batches.items()
        }

    def _lengths(self, size: Size) -> np.ndarray:
        return np.clip(np.random.default_rng(0).gamma(2.5, 8.0, (POOL, size.shape[0])).astype(np.int64), 1, 60)

    def _draw(self, size: Size, lengths: np.ndarray) -> Tensor:
        return torch.randn(size.shape[0], int(lengths.max()), size.shape[2])


def training_step(model: nn.Module, inputs: Iterable[object], precision: str, device: str) -> Step:
    """A step of training on each of the inputs."""
    model.to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)

    def step() -> None:
        for each in inputs:
            with torch.autocast(device, torch.bfloat16) if precision == "bf16" else nullcontext():
                found = model(*each) if isinstance(each, tuple) else model(each)
                outputs = found[0] if isinstance(found, tuple) else found
                loss = outputs.square().mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()

    return step


class OurCore(nn.Module):
    """Our core behind the interface of the others: features in, outputs out."""

    def __init__(self, spec: ModelSpec, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.core = spec.build_core(shape[2:], TaskSpec(Values(shape[2:]), Values(shape[2:]), Align.EACH))

    def forward(self, x: Tensor, lengths: np.ndarray | None = None) -> Tensor:
        """The outputs of each step."""
        real = torch.full((len(x),), x.shape[1]) if lengths is None else torch.from_numpy(lengths)
        outputs, _ = self.core(x, real)
        return outputs


class OurModel(nn.Module):
    """A whole model of ours, with its readout."""

    def __init__(self, spec: ModelSpec, task: TaskSpec) -> None:
        super().__init__()
        self.model = build_model(spec, task)

    def forward(self, x: Tensor) -> Tensor:
        """The answers; a translator is told what it should write, here what it reads."""
        lengths = torch.full((len(x),), x.shape[1])
        outputs, _ = self.model(Batch(x, lengths, x, torch.arange(len(x)), lengths))
        return outputs


def recurrent(cell: str, **options: object) -> Build:
    """Ours, of this cell."""
    return lambda size: OurCore(RecurrentSpec(cell=cell, hidden_size=size.hidden, **options), size.shape)  # type: ignore[arg-type]  # by word


def whole(spec: Callable[[int], ModelSpec], align: Align) -> Build:
    """A whole model of ours."""
    return lambda size: OurModel(spec(size.hidden), TaskSpec(Values(size.shape[2:]), Values((ANSWERS,)), align))


def torch_layer(kind: type[nn.RNNBase], **options: object) -> Build:
    """Torch's own layer."""
    return lambda size: kind(size.shape[2], size.hidden, batch_first=True, **options)


def tutorial(cell: type[nn.Module], **options: object) -> Build:
    """A stack as tutorials write it."""
    return lambda size: Tutorial(cell, size.shape[2], size.hidden, **options)


def translator(size: Size) -> nn.Module:
    """Our encoder and decoder with attention."""
    spec = AttentionSpec(
        attention="bahdanau", cell="gru", hidden_size=size.hidden, embedding_size=size.shape[2], bidirectional=True
    )
    return OurModel(spec, TaskSpec(Symbols(SYMBOLS), Symbols(SYMBOLS), Align.FREE, horizon=size.shape[1]))


def sentences(size: Size) -> Tensor:
    """Symbols to read."""
    return torch.randint(4, SYMBOLS, size.shape[:2])


LSTM, GRU = torch_layer(nn.LSTM), torch_layer(nn.GRU)
ARCHITECTURES: dict[str, Architecture | RaggedLSTM] = {
    "rnn": Architecture(recurrent("rnn"), tutorial(RNNCell), torch_layer(nn.RNN), VECTORS, 1),
    "gru": Architecture(recurrent("gru"), tutorial(GRUCell), GRU, VECTORS, 3),
    "gru_cho": Architecture(recurrent("gru_cho"), tutorial(GRUCell), GRU, VECTORS, 3),
    "lstm": Architecture(recurrent("lstm"), tutorial(LSTMCell), LSTM, VECTORS, 4),
    "bilstm": Architecture(
        recurrent("lstm", bidirectional=True),
        lambda size: BothWays(LSTMCell, size.shape[2], size.hidden),
        torch_layer(nn.LSTM, bidirectional=True),
        VECTORS,
        4,
        (1, 2),
    ),
    "deep_lstm": Architecture(
        recurrent("lstm", num_layers=2),
        tutorial(LSTMCell, layers=2),
        torch_layer(nn.LSTM, num_layers=2),
        VECTORS,
        4,
        (2, 1),
    ),
    "ragged_lstm": RaggedLSTM(RAGGED),
    "peephole_lstm": Architecture(recurrent("peephole_lstm"), tutorial(PeepholeCell), LSTM, VECTORS, 4),
    "layernorm_lstm": Architecture(recurrent("layernorm_lstm"), tutorial(LayerNormCell), LSTM, VECTORS, 4),
    "convlstm": Architecture(
        lambda size: OurCore(ConvLSTMSpec(hidden_size=size.hidden, num_layers=2), size.shape),
        tutorial(ConvLSTMCell, layers=2),
        None,
        IMAGES,
        4,
        (2, 1),
    ),
    "attention_lstm": Architecture(
        whole(lambda hidden: AttentionSpec(attention="pooling", hidden_size=hidden), Align.WHOLE),
        lambda size: AttentionPooling(Tutorial(LSTMCell, size.shape[2], size.hidden), size.hidden, ANSWERS),
        lambda size: AttentionPooling(LSTM(size), size.hidden, ANSWERS),
        VECTORS,
    ),
    "bahdanau": Architecture(
        whole(lambda hidden: AttentionSpec(attention="bahdanau", hidden_size=hidden), Align.EACH),
        lambda size: Bahdanau(Tutorial(LSTMCell, size.shape[2], size.hidden), size.hidden, ANSWERS),
        None,
        VECTORS[:2],
    ),
    "multihead_attention": Architecture(
        whole(lambda hidden: AttentionSpec(attention="multihead", hidden_size=hidden), Align.EACH),
        lambda size: MultiHead(Tutorial(LSTMCell, size.shape[2], size.hidden), size.hidden, ANSWERS, native=False),
        lambda size: MultiHead(LSTM(size), size.hidden, ANSWERS, native=True),
        VECTORS,
    ),
    "self_attention": Architecture(
        whole(lambda hidden: SelfAttentionSpec(hidden_size=hidden), Align.EACH),
        lambda size: Blocks(size.shape[2], size.hidden, ANSWERS, native=False),
        lambda size: Blocks(size.shape[2], size.hidden, ANSWERS, native=True),
        VECTORS,
    ),
    "seq2seq_attention": Architecture(
        translator,
        lambda size: Translator(SYMBOLS, size.shape[2], size.hidden),
        None,
        SENTENCES,
        inputs=sentences,
    ),
}


def timed(step: Step) -> float:
    """The milliseconds of one call."""
    start = time.perf_counter()
    step()
    return 1e3 * (time.perf_counter() - start)
