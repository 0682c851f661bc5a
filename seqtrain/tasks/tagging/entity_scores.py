"""How well each type of entity is found."""

from collections.abc import Callable, Sequence
from typing import final

from torch import Tensor

from seqtrain.batch import Batch, length_mask
from seqtrain.tasks.class_scores import ClassScores
from seqtrain.tasks.tagging.entities import spans


@final
class EntityScores(ClassScores):
    """Counts entities by type; one is found where begin, end and type are all right.

    Args:
        types: In the order of their ids.
        answers: The tags that a model's outputs mean, from the outputs and the sentences' lengths.
    """

    def __init__(self, types: Sequence[str], answers: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__(types)
        self._answers = answers

    def add(self, outputs: Tensor, batch: Batch) -> None:
        real = length_mask(batch.lengths, batch.targets.shape[1]).to(outputs.device)
        answer, truth = spans(self._answers(outputs, batch.lengths), real), spans(batch.targets, real)
        same = answer.begins & truth.begins & (answer.ends == truth.ends) & (answer.types == truth.types)
        self._count(answer.types[answer.begins], truth.types[truth.begins], answer.types[same])
