"""Where a model's options and a task's shapes meet: stem, core and readout become one model."""

from typing import NamedTuple, assert_never

from jaxtyping import Float
from torch import Tensor, nn

from seqtrain.batch import Batch
from seqtrain.errors import ConfigError
from seqtrain.models.core import Core, State
from seqtrain.models.model_spec import ModelSpec, Pooling
from seqtrain.models.padded import RealSteps
from seqtrain.models.readout import MapReadout, Readout, build_readout
from seqtrain.models.stem import Stem, build_stem
from seqtrain.spec import UNREAD, Align, Element, Symbols, TaskSpec


class SequenceModel(nn.Module):
    """Reads a batch through stem, core and readout.

    Attributes:
        stem: Elements to features, step by step.
        core: Features to features, along the sequence.
        readout: Features to elements.
        pooling: How a sequence becomes one vector before the readout; None where each step is read out.
    """

    def __init__(
        self, stem: Stem, core: Core, readout: Readout | MapReadout, pooling: Pooling | None, dropout: float
    ) -> None:
        super().__init__()
        self.stem = stem
        self.core = core
        self.readout = readout
        self.pooling = pooling
        self.dropout = nn.Dropout(dropout)

    def forward(self, batch: Batch, state: State | None = None) -> tuple[Float[Tensor, "B ..."], State]:
        """Answers each sequence of a batch as the task's alignment asks.

        Args:
            batch: Its targets are not read, nor are its inputs at or past a sequence's length.
            state: Memory to resume from, as an earlier call returned it; None is all zeros.

        Returns:
            outputs: (B, *E) whole, (B, T, *E) each, (B, U, *E) ahead, where *E is V logits or the
                shape of the values. Each: what stands at or past a length means nothing.
            state: The core's memory after each sequence's last real step.

        Raises:
            LengthError: If a length is below 1 or above T.
        """
        real = RealSteps(batch.lengths, batch.inputs.shape[1], batch.inputs.device)
        features = self.dropout(self.stem(real.zero_padding(batch.inputs)))
        outputs, state = self.core(features, batch.lengths, state)
        match self.pooling:
            case None:
                pass
            case "last":
                outputs = self.core.last(outputs, batch.lengths, state)
            case "mean":
                outputs = real.mean(outputs)
            case "max":
                outputs = real.max(outputs)
            case _:
                assert_never(self.pooling)
        return self.readout(self.dropout(outputs)), state


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
    core = spec.build_core(stem.out_features)
    pooling = None if task.align is Align.EACH else spec.pooling or "last"
    return SequenceModel(stem, core, build_readout(core.out_features, task), pooling, spec.dropout)


def _sizes(element: Element) -> tuple[int, ...]:
    return (element.size,) if isinstance(element, Symbols) else element.shape


class Part(NamedTuple):
    """One line of the table of what was built."""

    name: str
    description: str
    parameters: int


def parts(model: SequenceModel) -> list[Part]:
    """What a model is made of, in reading order, with the number of its learned values."""
    built: list[tuple[str, Stem | Core | Readout | MapReadout]] = [
        ("stem", model.stem),
        ("core", model.core),
        ("readout", model.readout),
    ]
    return [Part(name, part.describe(), sum(weight.numel() for weight in part.parameters())) for name, part in built]
