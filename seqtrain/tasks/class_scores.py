"""Classes as answers: how likely each is, and how well each is told, counted in sums over any batches."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seqtrain.batch import Batch
from seqtrain.shown import Choices


@dataclass(frozen=True)
class ClassScore:
    """One class.

    Attributes:
        name: As the data has it.
        precision: Of those that were answered so, the share that are; 0 where none was.
        recall: Of those that are, the share that were answered so; 0 where none is.
        f1: The harmonic mean of the two.
        support: How many there are.
    """

    name: str
    precision: float
    recall: float
    f1: float
    support: int


class ClassScores(ABC):
    """Counts of right answers, of all answers and of all truths, class by class.

    Args:
        names: The classes in the order of their ids.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.right, self.answered, self.true = torch.zeros(3, len(names), dtype=torch.long)

    @abstractmethod
    def add(self, outputs: Tensor, batch: Batch) -> None:
        """Counts one batch."""

    def rows(self) -> list[ClassScore]:
        """The scores of each class."""
        counts = zip(self.names, self.right.tolist(), self.answered.tolist(), self.true.tolist(), strict=True)
        return [
            ClassScore(
                name,
                precision=right / max(answered, 1),
                recall=right / max(true, 1),
                f1=2 * right / max(answered + true, 1),
                support=true,
            )
            for name, right, answered, true in counts
        ]

    def _count(self, answers: Int[Tensor, " A"], truths: Int[Tensor, " T"], right: Int[Tensor, " R"]) -> None:
        """Counts ids of classes: of answers, of truths, and of those that agree."""
        size = len(self.names)
        self.answered += answers.cpu().bincount(minlength=size)
        self.true += truths.cpu().bincount(minlength=size)
        self.right += right.cpu().bincount(minlength=size)


@final
class LabelScores(ClassScores):
    """Of one class for each sequence: the likeliest is the answer."""

    def add(self, outputs: Tensor, batch: Batch) -> None:
        answers = outputs.argmax(-1)
        self._count(answers, batch.targets, answers[answers == batch.targets])


DIGITS = 6
"""To which probabilities are told."""


def label_records(outputs: Float[Tensor, "B V"], classes: Sequence[str]) -> Iterator[dict[str, Any]]:
    """For each sequence the likeliest class, and how likely each is."""
    for chances in outputs.softmax(-1).tolist():
        told = {name: round(chance, DIGITS) for name, chance in zip(classes, chances, strict=True)}
        label = classes[chances.index(max(chances))]
        yield {"label": label, "probability": told[label], "probabilities": told}


def chosen(
    outputs: Float[Tensor, " V"], targets: Int[Tensor, " *"], classes: Sequence[str], *, known: bool
) -> tuple[Choices, bool | None]:
    """How likely each class is of one sequence, and whether the likeliest is right; None where that isn't known.

    Args:
        outputs: For this sequence.
        targets: Its class.
        classes: Their names.
        known: Whether the target is the truth.
    """
    chances = dict(zip(classes, outputs.softmax(-1).tolist(), strict=True))
    if not known:
        return Choices(chances), None
    truth = int(targets)
    return Choices(chances, classes[truth]), int(outputs.argmax()) == truth
