"""Where a model's options and a task's shapes meet: stem, core, attention, readout and decoder become one model."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol, runtime_checkable

from torch import nn

from seqtrain.errors import ConfigError
from seqtrain.model import Model
from seqtrain.models.attention import AttentionPooling
from seqtrain.models.chain import ChainReadout
from seqtrain.models.core import Core
from seqtrain.models.decoder import Bridge, Decoder
from seqtrain.models.decoder_spec import DecoderSpec
from seqtrain.models.encoder_decoder import EncoderDecoder
from seqtrain.models.model_spec import ModelSpec
from seqtrain.models.readout import build_readout
from seqtrain.models.sequence_model import SequenceModel
from seqtrain.models.stack import Recurrent
from seqtrain.models.stem import Embedding, Stem, build_stem
from seqtrain.spec import UNREAD, Align, Element, Spelt, Symbols, TaskSpec


def refusal(spec: ModelSpec, decoder: DecoderSpec, task: TaskSpec) -> str | None:
    """Why a model makes no sense on a task, in the words of `ModelSpec.refusal`; None if it does.

    Raises:
        ConfigError: If an option of the decoder can't act on such a task, whatever the model.
    """
    decoder.check(task)
    return spec.refusal(task) or (spec.decoder_refusal(decoder) if decoder.decodes(task) else None)


def build_model(spec: ModelSpec, task: TaskSpec, decoder: DecoderSpec | None = None) -> SequenceModel | EncoderDecoder:
    """The model that reads and answers as a task asks.

    Args:
        spec: The user's options.
        task: What the task says of itself, with every size read from the data.
        decoder: The options of what writes; None is all defaults.

    Raises:
        ConfigError: If the model makes no sense on such a task, or an option can't be honoured there.
    """
    decoder = decoder or DecoderSpec()
    reason = refusal(spec, decoder, task)
    if reason is not None:
        raise ConfigError(f"the model doesn't fit the task: it {reason}")
    assert UNREAD not in (*_sizes(task.input), *_sizes(task.output)), f"sizes still to be read: {task}"
    stem = build_stem(task.input, spec.features_of_symbols, reads_maps=spec.reads_maps)
    core = spec.build_core(stem.out_features, task)
    if decoder.decodes(task):
        return EncoderDecoder(stem, core, build_decoder(spec, task, decoder, core), task, decoder, spec.dropout)
    attention = spec.build_attention(core.out_features, task)
    found = (core if attention is None else attention).out_features
    readout = ChainReadout(found, task) if _chained(task) else build_readout(found, task, _table(stem, spec))
    to_pool = task.align is not Align.EACH and not isinstance(attention, AttentionPooling)
    pooling = spec.pooling or "last" if to_pool else None
    return SequenceModel(stem, core, attention, readout, pooling, spec.dropout, task, decoder)


def build_decoder(spec: ModelSpec, task: TaskSpec, decoder: DecoderSpec, encoder: Core) -> Decoder:
    """The same architecture once more, one step at a time: it reads forward only, and asks the encoder's steps."""
    spec = spec.one_way()
    # What it writes it reads, a step at a time.
    written = TaskSpec(task.output, task.output, Align.EACH, causal=True, continues=True)
    stem = build_stem(task.output, spec.features_of_symbols, reads_maps=spec.reads_maps)
    (features, *places) = stem.out_features
    if decoder.input_feeding:
        features += spec.hidden_size
    core = spec.build_core((features, *places), written)
    attention = spec.build_decoder_attention(encoder.out_features, core.out_features)
    readout = build_readout(core.out_features, written, _table(stem, spec))
    bridge = None
    if isinstance(encoder, Recurrent) and encoder.directions == 2:
        bridge = Bridge(encoder.cell.memories, spec.num_layers, spec.hidden_size)
    return Decoder(stem, core, attention, readout, bridge, spec.dropout, input_feeding=decoder.input_feeding)


def _chained(task: TaskSpec) -> bool:
    return isinstance(task.output, Symbols) and task.output.chained


def _table(stem: Stem, spec: ModelSpec) -> nn.Embedding | None:
    """The embedding that a readout should share."""
    return stem.table if spec.tie_embeddings and isinstance(stem, Embedding) else None


def _sizes(element: Element | Spelt) -> tuple[int, ...]:
    if isinstance(element, Spelt):
        return element.size, element.characters
    return (element.size,) if isinstance(element, Symbols) else element.shape


class Part(NamedTuple):
    """One line of the table of what was built.

    Attributes:
        name: What it is in the model.
        description: What was built, in a few words.
        parameters: Learned values that no part above has already.
        multiply_adds: Products of a weight and a feature for each step that it reads or writes.
    """

    name: str
    description: str
    parameters: int
    multiply_adds: int


@runtime_checkable
class Described(Protocol):
    """A module that can tell of itself, as every part of a model can."""

    def describe(self) -> str: ...

    def multiply_adds(self) -> int: ...

    def parameters(self) -> Iterator[nn.Parameter]: ...


def parts(model: Model) -> list[Part]:
    """What a model is made of, in reading order, with the number of its learned values and its work."""
    built: list[Part] = []
    counted: set[nn.Parameter] = set()
    for name, part in _described(model):
        own = set(part.parameters()) - counted
        counted |= own
        built.append(Part(name, part.describe(), sum(weight.numel() for weight in own), part.multiply_adds()))
    return built


def _described(module: nn.Module, above: str = "") -> Iterator[tuple[str, Described]]:
    """The modules that can tell of themselves, not those inside of them."""
    for name, part in module.named_children():
        if isinstance(part, Described):
            yield above + name, part
        else:
            yield from _described(part, f"{above}{name}.")
