"""Metrics of written texts, as torchmetrics. Loaded where metrics are made: torchmetrics takes a second to load."""

from collections.abc import Iterable, Sequence
from typing import final

import torch
from jaxtyping import Float, Int
from sacrebleu.metrics import bleu as sacrebleu
from torch import Tensor
from torchmetrics import Metric

ORDERS = 4


@final
class BLEU(Metric):
    """BLEU of a whole corpus, 0 to 100, as sacreBLEU has it (Post 2018; Papineni et al. 2002).

    What it adds up are sacreBLEU's own sums, so that batches and processes may cut the corpus anywhere.

    Args:
        tokenize: sacreBLEU's tokeniser: "13a" for text as it is written, "none" for words joined by blanks.
        lowercase: Whether capitals are made small first.
    """

    higher_is_better = True
    is_differentiable = False
    full_state_update = False
    correct: Tensor
    total: Tensor
    lengths: Tensor

    def __init__(self, tokenize: str = "13a", lowercase: bool = False) -> None:
        super().__init__()
        # force: words that a tokeniser has split are what we mean to score, no reason for a warning.
        self._bleu = sacrebleu.BLEU(tokenize=tokenize, lowercase=lowercase, force=True)
        for name, size in (("correct", ORDERS), ("total", ORDERS), ("lengths", 2)):
            self.add_state(name, torch.zeros(size, dtype=torch.long), dist_reduce_fx="sum")

    def update(self, answers: Iterable[str], references: Sequence[str]) -> None:
        """Adds some texts, each with its one reference."""
        score = self._bleu.corpus_score(list(answers), [references])
        self.correct += torch.tensor(score.counts, device=self.device)
        self.total += torch.tensor(score.totals, device=self.device)
        self.lengths += torch.tensor([score.sys_len, score.ref_len], device=self.device)

    def compute(self) -> Float[Tensor, ""]:
        """The score of all texts so far."""
        answered, wanted = self.lengths.tolist()
        score = sacrebleu.BLEU.compute_bleu(
            self.correct.tolist(), self.total.tolist(), answered, wanted, smooth_method="exp", max_ngram_order=ORDERS
        )
        return torch.tensor(score.score)


@final
class Perplexity(Metric):
    """How many symbols the model wavers between: e to the nats per symbol."""

    higher_is_better = False
    is_differentiable = False
    full_state_update = False
    nats: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("nats", torch.zeros(()), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    def update(self, nats: Float[Tensor, ""], count: int) -> None:
        """Adds a loss that was summed over so many symbols."""
        self.nats += nats
        self.count += count

    def compute(self) -> Float[Tensor, ""]:
        """Over all symbols so far."""
        return (self.nats / self.count).exp()


@final
class Share(Metric):
    """How many of all are so: right symbols, texts without a fault."""

    higher_is_better = True
    is_differentiable = False
    full_state_update = False
    hits: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("hits", "count"):
            self.add_state(name, torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    def update(self, hits: Int[Tensor, ""] | int, count: int) -> None:
        """Adds so many hits among so many."""
        self.hits += hits
        self.count += count

    def compute(self) -> Float[Tensor, ""]:
        """Between 0 and 1."""
        return self.hits / self.count
