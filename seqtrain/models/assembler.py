"""Where a model's options and a task's shapes meet: stem, core, attention and readout become one model."""

from typing import NamedTuple, assert_never, final

from jaxtyping import Float, Int
from torch import Tensor, nn

from seqtrain.batch import Batch
from seqtrain.errors import ConfigError
from seqtrain.model import Model, State
from seqtrain.models.attention import Attention, AttentionPooling
from seqtrain.models.chain import ChainReadout
from seqtrain.models.core import Core
from seqtrain.models.model_spec import ModelSpec, Pooling
from seqtrain.models.padded import RealSteps
from seqtrain.models.readout import MapReadout, Readout, build_readout
from seqtrain.models.self_attention import SelfAttention
from seqtrain.models.stem import Stem, build_stem
from seqtrain.spec import UNREAD, Align, Element, Spelt, Symbols, TaskSpec


@final
class SequenceModel(Model):
    """Reads a batch through stem, core, attention if it has one, and readout.

    Attributes:
        stem: Elements to features, step by step.
        core: Features to features, along the sequence.
        attention: What looks at the core's outputs before they are pooled or read out, or pools them itself.
        readout: Features to elements.
        pooling: How a sequence becomes one vector before the readout; None where each step is read out, or
            attention has made one.
    """

    def __init__(
        self,
        stem: Stem,
        core: Core,
        attention: AttentionPooling | Attention | None,
        readout: Readout | MapReadout | ChainReadout,
        pooling: Pooling | None,
        dropout: float,
    ) -> None:
        super().__init__()
        self.stem = stem
        self.core = core
        self.attention = attention
        self.readout = readout
        self.pooling = pooling
        self.dropout = nn.Dropout(dropout)

    def forward(self, batch: Batch, state: State | None = None) -> tuple[Float[Tensor, "B ..."], State]:
        real, features = self._features(batch)
        outputs, state = self.core(features, batch.lengths, state)
        last = self.core.last(outputs, batch.lengths, state) if self.pooling == "last" else None
        return self.readout(self.dropout(self._summarise(outputs, last, real))), state

    def attention_weights(self, batch: Batch, state: State | None = None) -> tuple[Float[Tensor, "B N Q T"], ...]:
        real, features = self._features(batch)
        if isinstance(self.core, SelfAttention):
            return self.core.weights(features, batch.lengths)
        if self.attention is None:
            return ()
        outputs, state = self.core(features, batch.lengths, state)
        if isinstance(self.attention, AttentionPooling):
            return (self.attention.weights(outputs, real),)
        if self.pooling == "last":
            return (self.attention.weights(outputs, real, self.core.last(outputs, batch.lengths, state)),)
        weights = self.attention.weights(outputs, real)
        return (real.zero_padding(weights.transpose(1, 2)).transpose(1, 2),)

    def generate(self, batch: Batch) -> Int[Tensor, "B U"]:
        raise AssertionError("no decoder yet")

    def at_step(self, step: int) -> None: ...

    def _features(self, batch: Batch) -> tuple[RealSteps, Float[Tensor, "B T *F"]]:
        """What the core reads, and which steps of it are real."""
        real = RealSteps(batch.lengths, batch.inputs.shape[1], batch.inputs.device)
        return real, self.dropout(self.stem(real.zero_padding(batch.inputs)))

    def _summarise(self, outputs: Tensor, last: Tensor | None, real: RealSteps) -> Tensor:
        """What is read out: of each step, or of the whole sequence in one vector.

        Args:
            outputs: Of the core.
            last: Its output where all has been read; needed for pooling=last only.
            real: Which steps are real.
        """
        if isinstance(self.attention, AttentionPooling):
            vector: Tensor = self.attention(outputs, real)
            return vector
        attended = outputs if last is None else last
        if self.attention is not None:
            attended = self.attention(outputs, real, last)
        match self.pooling:
            case None | "last":
                return attended
            case "mean":
                return real.mean(attended)
            case "max":
                return real.max(attended)
            case _:
                assert_never(self.pooling)


def build_model(spec: ModelSpec, task: TaskSpec) -> SequenceModel:
    """The model that reads and answers as a task asks.

    Args:
        spec: The user's options.
        task: What the task says of itself, with every size read from the data.

    Raises:
        ConfigError: If the model makes no sense on such a task, or an option can't be honoured there.
    """
    refusal = spec.refusal(task)
    if refusal is not None:
        raise ConfigError(f"the model doesn't fit the task: it {refusal}")
    assert UNREAD not in (*_sizes(task.input), *_sizes(task.output)), f"sizes still to be read: {task}"
    embedding_size = spec.embedding_size or spec.hidden_size
    stem = build_stem(task.input, embedding_size, reads_maps=spec.reads_maps)
    core = spec.build_core(stem.out_features, task)
    attention = spec.build_attention(core.out_features, task)
    readout = build_readout((core if attention is None else attention).out_features, task)
    to_pool = task.align is not Align.EACH and not isinstance(attention, AttentionPooling)
    pooling = spec.pooling or "last" if to_pool else None
    return SequenceModel(stem, core, attention, readout, pooling, spec.dropout)


def _sizes(element: Element | Spelt) -> tuple[int, ...]:
    if isinstance(element, Spelt):
        return element.size, element.characters
    return (element.size,) if isinstance(element, Symbols) else element.shape


class Part(NamedTuple):
    """One line of the table of what was built."""

    name: str
    description: str
    parameters: int


def parts(model: SequenceModel) -> list[Part]:
    """What a model is made of, in reading order, with the number of its learned values."""
    built: list[tuple[str, Stem | Core | AttentionPooling | Attention | Readout | MapReadout | ChainReadout | None]] = [
        ("stem", model.stem),
        ("core", model.core),
        ("attention", model.attention),
        ("readout", model.readout),
    ]
    return [
        Part(name, part.describe(), sum(weight.numel() for weight in part.parameters()))
        for name, part in built
        if part is not None
    ]
