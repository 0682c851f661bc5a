"""Models: stems, cores and readouts, and the assembler that puts them together."""

from seqtrain.models.assembler import Part, SequenceModel, build_model, parts
from seqtrain.models.core import Core, State
from seqtrain.models.model_spec import ModelSpec
from seqtrain.models.recurrent import Recurrent, RecurrentSpec

__all__ = ["Core", "ModelSpec", "Part", "Recurrent", "RecurrentSpec", "SequenceModel", "State", "build_model", "parts"]
