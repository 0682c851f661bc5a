"""Models: stems, cores and readouts, and the assembler that puts them together."""

from seqtrain.model import State
from seqtrain.models.assembler import Part, build_model, parts, refusal
from seqtrain.models.attentive import AttentionSpec
from seqtrain.models.convlstm import ConvLSTMSpec
from seqtrain.models.core import Core
from seqtrain.models.decoder_spec import DecoderSpec
from seqtrain.models.encoder_decoder import EncoderDecoder
from seqtrain.models.model_spec import ModelSpec
from seqtrain.models.recurrent import RecurrentSpec
from seqtrain.models.self_attention import SelfAttentionSpec
from seqtrain.models.sequence_model import SequenceModel
from seqtrain.models.stack import Recurrent, StackSpec

__all__ = [
    "AttentionSpec",
    "ConvLSTMSpec",
    "Core",
    "DecoderSpec",
    "EncoderDecoder",
    "ModelSpec",
    "Part",
    "Recurrent",
    "RecurrentSpec",
    "SelfAttentionSpec",
    "SequenceModel",
    "StackSpec",
    "State",
    "build_model",
    "parts",
    "refusal",
]
