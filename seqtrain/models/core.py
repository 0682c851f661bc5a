"""What the middle of every model is: features in, features out, memory carried."""

from abc import ABC, abstractmethod
from typing import ClassVar

from jaxtyping import Float, Int
from torch import Tensor, nn

from seqtrain.model import State


class Core(nn.Module, ABC):
    """Reads a batch of feature sequences step by step.

    Attributes:
        out_features: The shape of one output step, (D,) or (D, Y, X).
    """

    out_features: tuple[int, ...]
    remembers: ClassVar[bool] = True
    """Whether its state is a memory of fixed size that tells all that later steps need of earlier ones."""

    @abstractmethod
    def forward(
        self, x: Float[Tensor, "B T *F"], lengths: Int[Tensor, " B"], state: State | None = None
    ) -> tuple[Float[Tensor, "B T *D"], State]:
        """Reads each sequence up to its own length.

        Args:
            x: Features. Steps at or past a sequence's length are never read.
            lengths: Real steps per sequence, in 1..T, on the CPU.
            state: Memory to resume from, as an earlier call returned it; None is all zeros.

        Returns:
            outputs: Zero at and past each sequence's length.
            state: Memory after each sequence's last real step.

        Raises:
            LengthError: If a length is below 1 or above T.
        """

    @abstractmethod
    def last(self, outputs: Float[Tensor, "B T *D"], lengths: Int[Tensor, " B"], state: State) -> Float[Tensor, "B *D"]:
        """The output where each direction has read the whole sequence.

        That is a sequence's last real step; for a backward direction it is the first.

        Args:
            outputs: What `forward` returned.
            lengths: What `forward` was given.
            state: What `forward` returned beside the outputs.
        """

    @property
    @abstractmethod
    def by_step_refusal(self) -> str | None:
        """Why sequences can't be read one step at a time, as `it <reason>`; None if they can."""

    @abstractmethod
    def gates(self, x: Float[Tensor, "B T *F"], lengths: Int[Tensor, " B"]) -> dict[str, Float[Tensor, "B T *D"]]:
        """What each gate let through at each step, by `layers.0.0/forget`; as of `Model.gates`.

        Args:
            x: As of `forward`.
            lengths: As of `forward`.
        """

    def inside(self, x: Float[Tensor, "B T *F"], lengths: Int[Tensor, " B"]) -> dict[str, Float[Tensor, "B T *D"]]:
        """Gates and memories at each step, as of `Model.inside`; where a core has more to tell than gates, it says so.

        Args:
            x: As of `forward`.
            lengths: As of `forward`.
        """
        return self.gates(x, lengths)

    @abstractmethod
    def describe(self) -> str:
        """The core as built, in a few words: "LSTM 128 -> 256, 2 layers, both directions (concat)"."""

    @abstractmethod
    def multiply_adds(self) -> int:
        """Products of a weight and a feature for each step."""
