"""How many entities were found. A module of its own: torchmetrics takes a second to load."""

import torch
from jaxtyping import Int
from torch import Tensor
from torchmetrics import Metric

from seqtrain.batch import length_mask
from seqtrain.tasks.tagging.entities import spans


class TaggingScores(Metric):
    """F1, precision and recall over entities (micro), and the share of right tags, in sums over any batches.

    An entity is found where begin, end and type are all right.
    """

    higher_is_better = True
    found: Tensor
    answered: Tensor
    true: Tensor
    right: Tensor
    tokens: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("found", "answered", "true", "right", "tokens"):
            self.add_state(name, torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    def update(self, answers: Int[Tensor, "B T"], targets: Int[Tensor, "B T"], lengths: Int[Tensor, " B"]) -> None:
        """Counts a batch; what stands past a length is not read. Lengths are on the CPU."""
        real = length_mask(lengths, targets.shape[1]).to(targets.device)
        answer, truth = spans(answers, real), spans(targets, real)
        same = answer.begins & truth.begins & (answer.ends == truth.ends) & (answer.types == truth.types)
        self.found += same.sum()
        self.answered += answer.begins.sum()
        self.true += truth.begins.sum()
        self.right += ((answers == targets) & real).sum()
        self.tokens += real.sum()

    def compute(self) -> dict[str, Tensor]:
        """The scores by name; where there is no entity to find, or none was answered, 0."""
        return {
            "f1": 2 * self.found / (self.answered + self.true).clamp(min=1),
            "precision": self.found / self.answered.clamp(min=1),
            "recall": self.found / self.true.clamp(min=1),
            "accuracy": self.right / self.tokens.clamp(min=1),
        }
