"""Reading strings off a model's outputs by connectionist temporal classification (Graves et al. 2006), and errors."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torchmetrics import Metric

from seqtrain.tasks.speech.utterances import BLANK

PRUNE = 1e-4
"""Symbols less likely than this at a step are not tried in a beam search."""

Symbols = list[int]
"""A string without blanks."""


def best_path(log_probs: Float[Tensor, "B T V"], lengths: Int[Tensor, " B"]) -> list[Symbols]:
    """The strings of the likeliest symbols at each step: repeats become one, then blanks go (section 3.2)."""
    ids = log_probs.argmax(-1).cpu()
    first = torch.ones_like(ids, dtype=torch.bool)
    first[:, 1:] = ids[:, 1:] != ids[:, :-1]
    kept = first & (ids != BLANK) & (torch.arange(ids.shape[1]) < lengths[:, None])
    return [row[keep].tolist() for row, keep in zip(ids, kept, strict=True)]


def beam_search(log_probs: Float[Tensor, "B T V"], lengths: Int[Tensor, " B"], beam_size: int) -> list[Symbols]:
    """The likeliest strings, each summed over its paths as far as they stay among the `beam_size` likeliest.

    Prefix search as of Hannun et al. 2014, algorithm 1, without a language model. Symbols below `PRUNE` at a
    step are not tried there.
    """
    probs = log_probs.double().exp().cpu().numpy()
    return [_searched(row[:length], beam_size) for row, length in zip(probs, lengths.tolist(), strict=True)]


def _searched(probs: Float[np.ndarray, "T V"], beam_size: int) -> Symbols:
    """The string of one sequence of probabilities."""
    # For each prefix: the probability of its paths that end with a blank, and of those that end with its last symbol.
    beam: dict[tuple[int, ...], tuple[float, float]] = {(): (1.0, 0.0)}
    for step in probs:
        symbols = [symbol for symbol in np.flatnonzero(step >= PRUNE).tolist() if symbol != BLANK]
        grown: dict[tuple[int, ...], list[float]] = defaultdict(lambda: [0.0, 0.0])
        for prefix, (blank, spoken) in beam.items():
            grown[prefix][0] += (blank + spoken) * step[BLANK]
            if prefix:
                grown[prefix][1] += spoken * step[prefix[-1]]
            for symbol in symbols:
                # After its own last symbol only a blank starts it anew.
                before = blank if prefix and symbol == prefix[-1] else blank + spoken
                grown[(*prefix, symbol)][1] += before * step[symbol]
        best = sorted(grown.items(), key=lambda item: -sum(item[1]))[:beam_size]
        total = sum(sum(pair) for _, pair in best)
        # Divided by their sum, probabilities of long sequences stay numbers.
        beam = {prefix: (pair[0] / total, pair[1] / total) for prefix, pair in best}
    return list(next(iter(beam)))


def edits(truths: Sequence[Symbols], answers: Sequence[Symbols]) -> int:
    """The fewest substitutions, deletions and insertions that turn truths into answers, by jiwer."""
    # Imported where it is used: few tasks count errors.
    import jiwer

    words = [[" ".join(map(str, string)) for string in strings] for strings in (truths, answers)]
    counted = jiwer.process_words(words[0], words[1])
    return counted.substitutions + counted.deletions + counted.insertions


class StringErrors(Metric):
    """Sums over strings, of which its subclasses are quotients; exact over uneven batches and processes."""

    is_differentiable = False
    full_state_update = False
    errors: Tensor
    symbols: Tensor
    wrong: Tensor
    strings: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("errors", "symbols", "wrong", "strings"):
            self.add_state(name, torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    def update(self, truths: Sequence[Symbols], answers: Sequence[Symbols]) -> None:
        """Adds some strings and the answers to them."""
        self.errors += edits(truths, answers)
        self.symbols += sum(map(len, truths))
        self.wrong += sum(truth != answer for truth, answer in zip(truths, answers, strict=True))
        self.strings += len(truths)


class SymbolErrorRate(StringErrors):
    """Edits per true symbol; above 1 where more is inserted than is there."""

    higher_is_better = False

    def compute(self) -> Tensor:
        """The rate over all strings."""
        return self.errors / self.symbols


class SymbolAccuracy(StringErrors):
    """1 less the error rate: the share of right symbols less that of inserted ones."""

    higher_is_better = True

    def compute(self) -> Tensor:
        """The accuracy over all strings."""
        return 1 - self.errors / self.symbols


class StringAccuracy(StringErrors):
    """The share of strings that are right from end to end."""

    higher_is_better = True

    def compute(self) -> Tensor:
        """The accuracy over all strings."""
        return 1 - self.wrong / self.strings
