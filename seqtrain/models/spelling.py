"""What a word's letters say of it."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from seqtrain.batch import PAD
from seqtrain.models.tracing import exporting

LETTER_SIZE = 30
"""Features of a letter; Ma & Hovy 2016, table 1, as the window."""

WINDOW = 3
"""Letters that a feature of the spelling is read from."""

SPELLING_SIZE = 50
"""Features of a spelling; Yang & Zhang 2018 (NCRF++) take 50 where Ma & Hovy take 30."""


class Spelling(nn.Module):
    """Reads a word's letters by a convolution, and keeps the maximum of each feature (Ma & Hovy 2016, section 2.1)."""

    def __init__(self, characters: int) -> None:
        super().__init__()
        self.letters = nn.Embedding(characters, LETTER_SIZE)
        nn.init.normal_(self.letters.weight, std=LETTER_SIZE**-0.5)
        self.convolution = nn.Conv1d(LETTER_SIZE, SPELLING_SIZE, WINDOW, padding=WINDOW // 2, bias=False)

    def forward(self, letters: Int[Tensor, "N W"]) -> Float[Tensor, "N F"]:
        """The features of each word.

        Args:
            letters: Ids, filled up with PAD at the end; how much of it there is changes nothing. A word of no
                letters, which padding is, reads as one letter without features.
        """
        blank = letters == PAD
        blank[:, 0] = False
        found = self._convolved(letters).masked_fill(blank.unsqueeze(2), -torch.inf)
        strongest: Tensor = found.amax(1)
        return strongest

    def _convolved(self, letters: Int[Tensor, "N W"]) -> Float[Tensor, "N W F"]:
        """The convolution of the letters' vectors, PAD's being zero.

        What a letter adds to a feature from each place of the window is looked up instead of computed anew at each
        place: half the time of a convolution, forward and backward.
        """
        vectors = F.pad(self.letters.weight[PAD + 1 :], (0, 0, PAD + 1, 0))
        added = torch.einsum("vc,fck->kvf", vectors, self.convolution.weight)  # (K, V, F)
        padded, size = F.pad(letters, (WINDOW // 2, WINDOW // 2), value=PAD), letters.shape[1]
        # Side by side, not unfolded: an exported program would refuse words of fewer letters than a window.
        windows = torch.stack([padded[:, k : k + size] + k * len(vectors) for k in range(WINDOW)], -1)  # (N, W, K)
        if exporting():  # ONNX would add one bag after the other
            return F.embedding(windows, added.flatten(0, 1)).sum(2)
        sums = F.embedding_bag(windows.flatten(0, 1), added.flatten(0, 1), mode="sum")
        return sums.view(*letters.shape, -1)

    def describe(self) -> str:
        """As built: "letters 90 x 30 -> 50"."""
        return f"letters {self.letters.num_embeddings:,} x {LETTER_SIZE} -> {SPELLING_SIZE}"
