"""Recurrent models that look back: attention over the steps of a stack of recurrent layers."""

from dataclasses import dataclass, fields, replace
from typing import Literal, assert_never, final

from seqtrain.errors import ConfigError
from seqtrain.models.attention import Attention, AttentionPooling, BahdanauAttention, MultiHeadOverSteps, Score
from seqtrain.models.cells import Nonlinearity, Peephole
from seqtrain.models.decoder_spec import DecoderSpec
from seqtrain.models.recurrent import CellName, Norm, RecurrentSpec
from seqtrain.models.stack import Recurrent, StackSpec
from seqtrain.spec import Align, TaskSpec

AttentionName = Literal["pooling", "bahdanau", "multihead"]
_DEFAULT_HEADS = 4


@final
@dataclass(frozen=True, kw_only=True)
class AttentionSpec(StackSpec):
    """A stack of recurrent layers on vectors, and attention over its outputs.

    Where a task wants one answer of a sequence, bahdanau and multihead attention are asked by the output that has
    read all of it; or, with pooling=mean or max, by each output, and what comes of them is pooled. Where a task
    wants an answer at every step, each step asks, and if the task is causal sees only itself and earlier steps.
    Attention doesn't look into earlier batches: a carried state is the recurrent layers' alone. Where a task wants a
    sequence written, the decoder's outputs ask, and the encoder's are asked.

    Attributes:
        attention: pooling by a learned query, bahdanau (asked by an output s; answers from s and its context) or
            multihead (Vaswani 2017, with a residual connection and a layer norm).
        score: Of pooling only: dot or additive; None takes dot.
        attention_size: Of the additive score and of bahdanau only: units that compare; None takes hidden_size.
        num_heads: Of multihead only; has to divide the features of an output. None takes 4.
        cell: The recurrent layers; RecurrentSpec tells of them.
        nonlinearity: Of the rnn cell only; None takes tanh.
        peephole: Of the peephole_lstm only; None takes diagonal.
        norm: Of the layernorm_lstm only; None takes gates.
    """

    attention: AttentionName
    score: Score | None = None
    attention_size: int | None = None
    num_heads: int | None = None
    cell: CellName = "lstm"
    nonlinearity: Nonlinearity | None = None
    peephole: Peephole | None = None
    norm: Norm | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.recurrent  # which checks the options of its layers
        for option, owner in (("score", "pooling"), ("num_heads", "multihead")):
            value = getattr(self, option)
            if value is not None and self.attention != owner:
                raise ConfigError(
                    f"model.{option}={value}: model.attention={self.attention} has none, only {owner} has"
                )
        self._check_attention_size()
        if self.attention == "multihead":
            check_num_heads(self._num_heads, self._width, "features of an output")
        if self.attention == "pooling" and self.pooling is not None:
            raise ConfigError(
                f"model.pooling={self.pooling}: model.attention=pooling pools by itself; use model.pooling=null"
            )

    def _check_attention_size(self) -> None:
        if self.attention_size is None:
            return
        if self.attention_size < 1:
            raise ConfigError(f"model.attention_size={self.attention_size}: must be at least 1")
        if self.attention == "multihead":
            raise ConfigError(
                f"model.attention_size={self.attention_size}: model.attention=multihead has none, it has "
                "model.num_heads"
            )
        if self.attention == "pooling" and self.score != "additive":
            raise ConfigError(f"model.attention_size={self.attention_size}: needs model.score=additive")

    @property
    def recurrent(self) -> RecurrentSpec:
        """The layers that attention looks at."""
        return RecurrentSpec(**{field.name: getattr(self, field.name) for field in fields(RecurrentSpec)})

    @property
    def has_native_kernel(self) -> bool:
        """Whether torch has such layers."""
        return self.recurrent.has_native_kernel

    @property
    def title(self) -> str:
        """The cell in a few words."""
        return self.recurrent.title

    @property
    def _width(self) -> int:
        """Features of one output."""
        return self.hidden_size * (2 if self.bidirectional and self.merge != "sum" else 1)

    @property
    def _num_heads(self) -> int:
        return _DEFAULT_HEADS if self.num_heads is None else self.num_heads

    def core_refusal(self, task: TaskSpec) -> str | None:
        """Refuses one learned query for many answers, and what no stack can do."""
        if self.attention == "pooling" and task.align is Align.EACH:
            return (
                "pools a sequence into one vector (model.attention=pooling) and can't answer at every step of it, "
                "as bahdanau and multihead attention can"
            )
        return super().core_refusal(task)

    def decoder_refusal(self, decoder: DecoderSpec) -> str | None:
        """Refuses one learned query for all steps written, and what no decoder can do."""
        self.one_way()  # where the heads have to divide fewer features
        if self.attention == "pooling":
            return (
                "pools a sequence into one vector (model.attention=pooling), and each step written asks anew, as "
                "bahdanau and multihead attention let it"
            )
        return super().decoder_refusal(replace(decoder, input_feeding=False))

    def build_core(self, features: tuple[int, ...], task: TaskSpec) -> Recurrent:
        """The recurrent layers."""
        return self.recurrent.build_core(features, task)

    def build_attention(self, features: tuple[int, ...], task: TaskSpec) -> AttentionPooling | Attention:
        """What looks at their outputs."""
        (width,) = features
        attention_size = self.attention_size or self.hidden_size
        match self.attention:
            case "pooling":
                return AttentionPooling(width, self.score or "dot", attention_size)
            case "bahdanau":
                return BahdanauAttention(width, attention_size, causal=task.causal)
            case "multihead":
                return MultiHeadOverSteps(width, self._num_heads, self.dropout, causal=task.causal)
            case _:
                assert_never(self.attention)

    def build_decoder_attention(self, steps: tuple[int, ...], queries: tuple[int, ...]) -> Attention:
        """What looks at the encoder's outputs for the decoder's."""
        (width,), (query_width,) = steps, queries
        if self.attention == "bahdanau":
            return BahdanauAttention(width, self.attention_size or self.hidden_size, query_width=query_width)
        return MultiHeadOverSteps(width, self._num_heads, self.dropout, query_width=query_width)


def check_num_heads(num_heads: int, width: int, what: str) -> None:
    """Raises ConfigError unless as many heads can share the width evenly."""
    if num_heads < 1:
        raise ConfigError(f"model.num_heads={num_heads}: must be at least 1")
    if width % num_heads:
        fitting = ", ".join(str(heads) for heads in range(1, min(width, 64) + 1) if width % heads == 0)
        raise ConfigError(f"model.num_heads={num_heads}: must divide the {width} {what}; use one of {fitting}")
