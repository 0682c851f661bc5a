"""What a task says of itself: what stands at an input step, what at an output step, how they align.

A model is built from this alone (`seqtrain.models.build_model`), so any model meets any task without
knowing it.
"""

from dataclasses import dataclass
from enum import StrEnum

UNREAD = 0
"""A size that only the data can tell, before the data has been read."""


@dataclass(frozen=True)
class Symbols:
    """One id in [0, size): a character, a word, a class, a tag.

    Attributes:
        size: How many there are.
        chained: Whether neighbouring outputs depend on one another. A model then answers with (V, V) scores at a
            step instead of V: of each symbol j after each symbol i of the step before, at [i, j]. The first step
            has none before it, and its rows are alike. EACH only.
    """

    size: int = UNREAD
    chained: bool = False


@dataclass(frozen=True)
class Values:
    """Real numbers of one fixed shape: (F,) features, or (C, Y, X) pixels."""

    shape: tuple[int, ...] = (UNREAD,)


@dataclass(frozen=True)
class Spelt:
    """A word with its letters: 1 + W ids, the word's and then its letters', filled up with PAD at the end.

    W may differ from batch to batch.

    Attributes:
        size: How many words there are.
        characters: How many letters there are, PAD among them.
    """

    size: int = UNREAD
    characters: int = UNREAD


Element = Symbols | Values
"""What can stand at an output step."""


class Align(StrEnum):
    """How output steps stand to input steps."""

    WHOLE = "whole"
    """One output for the whole sequence: sentiment, spoken digits."""
    EACH = "each"
    """One output per input step: text, entity tags, CTC."""
    AHEAD = "ahead"
    """A fixed number of future steps: time series, video."""
    FREE = "free"
    """A sequence of its own length: translation."""


@dataclass(frozen=True)
class TaskSpec:
    """The whole of what a model may know of a task.

    Attributes:
        input: What stands at one input step.
        output: What stands at one output step.
        align: How output steps stand to input steps.
        horizon: Future steps to predict, AHEAD; elsewhere, the most steps that a model writes by itself.
        causal: Whether an output may not see later inputs.
        carry: Whether successive batches continue one another (truncated BPTT).
        continues: Whether outputs go on where inputs end, so that an output can be read as the next input: the
            same symbols, or values of the same meaning.
    """

    input: Element | Spelt
    output: Element
    align: Align
    horizon: int = 1
    causal: bool = False
    carry: bool = False
    continues: bool = False
