"""The ConvLSTM: an LSTM whose units form maps and reach only their neighbours."""

from dataclasses import dataclass
from typing import ClassVar, Literal, final

from seqtrain.errors import ConfigError
from seqtrain.models.cells import LSTM, Convolution
from seqtrain.models.stack import Recurrent, StackSpec
from seqtrain.spec import Align, TaskSpec, Values


@final
@dataclass(frozen=True, kw_only=True)
class ConvLSTMSpec(StackSpec):
    """A stack of ConvLSTM layers on images (Shi 2015, arXiv 1506.04214, eq 3).

    hidden_size counts channels: a layer's outputs and memories are maps (D, Y, X) as large as the images.

    Attributes:
        kernel_size: Rows and columns that a unit sees of the input and of the memory; odd.
        peephole: Whether the gates see the cell state, by a weight for each unit at each place; None leaves
            it out, as most implementations do.
    """

    reads_maps: ClassVar[bool] = True

    kernel_size: int = 3
    peephole: Literal["diagonal"] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kernel_size < 1 or self.kernel_size % 2 == 0:
            raise ConfigError(f"model.kernel_size={self.kernel_size}: must be odd and at least 1, to have a centre")
        if self.kernel == "native":
            raise ConfigError("model.kernel=native: torch has no ConvLSTM; use model.kernel=auto, engine or reference")

    def core_refusal(self, task: TaskSpec) -> str | None:
        """Refuses all but images, and what no stack can do."""
        if not isinstance(task.input, Values):
            return "reads images (C, Y, X), and this task's steps are symbols"
        if len(task.input.shape) != 3:
            return "reads images (C, Y, X), and this task's steps are vectors of features"
        if task.align is Align.FREE:
            return "writes images (C, Y, X), and this task wants symbols written"
        return super().core_refusal(task)

    @property
    def has_native_kernel(self) -> bool:
        """Whether torch has such layers."""
        return False

    @property
    def title(self) -> str:
        """The cell in a few words: "ConvLSTM 3x3"."""
        peephole = "" if self.peephole is None else " with peepholes"
        return f"ConvLSTM {self.kernel_size}x{self.kernel_size}{peephole}"

    def build_core(self, features: tuple[int, ...], task: TaskSpec) -> Recurrent:
        """The core that reads steps of (C, Y, X) images."""
        _, *places = features
        return Recurrent(self, LSTM(self.peephole, Convolution(self.kernel_size), tuple(places)), features)
