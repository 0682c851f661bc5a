"""A model, a task and an optimizer for seqtrain, in a package of their own."""

from minimal_gated_unit.model import MinimalGatedUnitSpec
from minimal_gated_unit.optimizer import Lion
from minimal_gated_unit.task import Parity

__all__ = ["Lion", "MinimalGatedUnitSpec", "Parity"]
