"""What a user asks of a model: plain options without a size of the data in them."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

from seqtrain.errors import ConfigError
from seqtrain.models.attention import Attention, AttentionPooling
from seqtrain.models.core import Core
from seqtrain.models.decoder_spec import DecoderSpec, writes
from seqtrain.spec import Align, TaskSpec, Values

Merge = Literal["concat", "sum"]
Pooling = Literal["last", "mean", "max"]


@dataclass(frozen=True, kw_only=True)
class ModelSpec(ABC):
    """The options that every model shares; each architecture adds its own and builds its core.

    None stands for an option that was left alone, so that one which a task can't honour is refused
    only where the user set it.

    Attributes:
        hidden_size: Features per step and direction.
        num_layers: Cores on top of one another.
        dropout: Chance of zeroing a feature on the stem's output, between layers and before the
            readout, so that it acts with one layer too.
        embedding_size: Features of an embedded symbol; None takes hidden_size.
        tie_embeddings: Whether symbols are read and written by one table (Press & Wolf 2017, arXiv 1608.05859).
        reads_maps: Whether it reads images as they are, (C, Y, X), instead of laid out in one vector.
        pooling: How a whole sequence becomes one vector: where it has been read to the end, or the
            mean or maximum over its real steps; None takes the end.
    """

    reads_maps: ClassVar[bool] = False

    hidden_size: int = 128
    num_layers: int = 1
    dropout: float = 0.0
    embedding_size: int | None = None
    tie_embeddings: bool = False
    pooling: Pooling | None = None

    def __post_init__(self) -> None:
        for name in ("hidden_size", "num_layers", "embedding_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"model.{name}={value}: must be at least 1")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"model.dropout={self.dropout}: must be at least 0 and below 1")

    def refusal(self, task: TaskSpec) -> str | None:
        """Why this model makes no sense on such a task; None if it does.

        A phrase whose subject is the model: "reads later steps, which ...". Needs none of the sizes
        that only the data can tell.
        """
        if self.tie_embeddings and not writes(task):
            return "can't read and write by one table (model.tie_embeddings=true): this task writes no symbols it reads"
        reads_symbols = not isinstance(task.input, Values) or task.align is Align.FREE  # a decoder reads what it wrote
        if self.embedding_size is not None and not reads_symbols:
            return f"can't embed (model.embedding_size={self.embedding_size}) a task's real numbers, only symbols"
        if self.pooling is not None and task.align is Align.EACH:
            return (
                f"can't pool a sequence into one vector (model.pooling={self.pooling}) and answer at every step of it"
            )
        return self.core_refusal(task)

    def decoder_refusal(self, decoder: DecoderSpec) -> str | None:
        """Why this architecture can't write step by step as asked, in the words of `refusal`."""
        if self.pooling is not None:
            return f"can't pool a sequence into one vector (model.pooling={self.pooling}) and write from its memory"
        if decoder.input_feeding:
            return "has no attention whose findings could be fed on (decoder.input_feeding=true), as bahdanau has"
        return None

    @abstractmethod
    def core_refusal(self, task: TaskSpec) -> str | None:
        """Why this architecture makes no sense on such a task, in the words of `refusal`."""

    @abstractmethod
    def build_core(self, features: tuple[int, ...], task: TaskSpec) -> Core:
        """The core that reads steps of such features, for such a task."""

    def build_attention(self, features: tuple[int, ...], task: TaskSpec) -> AttentionPooling | Attention | None:
        """What looks at the core's outputs of such features: nothing, unless an architecture has it."""
        return None

    def build_decoder_attention(self, steps: tuple[int, ...], queries: tuple[int, ...]) -> Attention | None:
        """What looks at an encoder's steps of such features for queries of such features: nothing, likewise."""
        return None

    def one_way(self) -> "ModelSpec":
        """The same options for a core that reads forward only, as a decoder's has to."""
        return self

    @property
    def features_of_symbols(self) -> int:
        """Features of an embedded symbol."""
        return self.embedding_size or self.hidden_size
