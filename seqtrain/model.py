"""What a model is to the training loop."""

from abc import ABC, abstractmethod
from collections.abc import Iterator

from jaxtyping import Float, Int
from torch import Tensor, nn

from seqtrain.batch import Batch

State = tuple[Tensor, ...]
"""A model's memory between two reads: (h,) or (h, c), each (L, B, D), directions joined along D."""


class Model(nn.Module, ABC):
    """Answers batches of sequences, and can go on by itself where outputs are of the inputs' kind."""

    @abstractmethod
    def forward(self, batch: Batch, state: State | None = None) -> tuple[Float[Tensor, "B ..."], State]:
        """Answers each sequence of a batch as the task's alignment asks.

        Args:
            batch: Inputs at or past a sequence's length are not read. Targets are read in training only, and only
                by a decoder, which is told the output before the one that it is asked for (teacher forcing); where
                outputs have a length of their own, they are in evaluation as well.
            state: Memory to resume from, as an earlier call returned it; None is all zeros.

        Returns:
            outputs: (B, *E) whole, (B, T, *E) each, (B, U, *E) ahead or free, where *E is V logits or the shape of
                the values. What stands at or past a length means nothing.
            state: The memory after each sequence's last real step.

        Raises:
            LengthError: If a length is below 1 or above T.
        """

    @abstractmethod
    def generate(self, batch: Batch) -> Int[Tensor, "B U"]:
        """The symbols that the model writes by itself: what it answers, or how it goes on after the inputs.

        Args:
            batch: Its targets are not read.

        Returns:
            Ids, at most as many steps as the task's horizon; past an end of sequence, PAD.
        """

    @abstractmethod
    def write(self, batch: Batch) -> Iterator[Int[Tensor, " B"]]:
        """The same symbols, one of each sequence at a time, as soon as they are settled.

        Args:
            batch: As of `generate`.
        """

    @abstractmethod
    def attention_weights(self, batch: Batch, state: State | None = None) -> tuple[Float[Tensor, "B N Q T"], ...]:
        """How much each head of each query looks at each input step: 1 in sum over the real ones, 0 on padding.

        Args:
            batch: As of `forward`.
            state: As of `forward`.

        Returns:
            One array for each attention of the model, in reading order; none if it has no attention. Q is 1 where
            the sequence asks as a whole, T where each step asks and U where each output does; padded steps don't
            ask, their rows are 0.

        Raises:
            LengthError: If a length is below 1 or above T.
        """

    @property
    @abstractmethod
    def by_step_refusal(self) -> str | None:
        """Why `read_by_step` can't be asked of it, as `it <reason>`; None if it can."""

    @abstractmethod
    def read_by_step(self, batch: Batch) -> tuple[Float[Tensor, "B ..."], list[State]]:
        """Answers as `forward` does, reading one step at a time: slow, but the memory shows after every step.

        Args:
            batch: As of `forward`.

        Returns:
            outputs: As of `forward`.
            states: The memory after each of the T steps; where a sequence has ended, as it was then. Later ones
                and the outputs hang on these very tensors, so that gradients of them can be asked for.
        """

    @abstractmethod
    def gates(self, batch: Batch) -> dict[str, Float[Tensor, "B T *D"]]:
        """What each gate of the layers that read let through at each step.

        Args:
            batch: As of `forward`.

        Returns:
            By the layer's name and the gate's, as `core.layers.0.0/forget`; what stands at or past a sequence's length
            means nothing. Steps of a backward layer stand where it read them. Empty where there are no gates.
        """

    def inside(self, batch: Batch) -> dict[str, Float[Tensor, "B T *D"]]:
        """What `gates` tells, and the memories after each step, `hidden` and, where there is one, `cell`.

        Args:
            batch: As of `forward`.

        Returns:
            As of `gates`: by the layer's name and what it is, the gates of a layer before its memories.
        """
        return self.gates(batch)

    @abstractmethod
    def ends(self) -> tuple[nn.Module, ...]:
        """The parts that turn elements into features and features into elements; what optimizers for matrices spare."""

    @abstractmethod
    def at_step(self, step: int) -> None:
        """Tells how many optimizer steps have been taken: what depends on that follows."""
