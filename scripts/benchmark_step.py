"""What our training step costs beside a bare hand-written loop over the same torch layers.

    python scripts/benchmark_step.py [--data-dir ../shared/data] [--rounds 7]

Each of the two tasks is trained for a block of steps by turns: by the bare loop, by the bare loop with
the process tuned as ours is, and by ours at its defaults (loader, loss, clipping, optimizer, logging,
progress). The blocks are interleaved in one process and the median block counts. The bare loop is what a
careful tutorial writes: DataLoader with a collate function, pack_padded_sequence for ragged text,
Adam, clipping, and the loss read at every step.

The allocator can be tuned but not untuned within a process, so the stock column runs first, in blocks
interleaved with ours untuned; then the process is tuned and both are measured again.
"""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from seqtrain.batch import PAD

HIDDEN = 64
BATCH = 64
BLOCK = 60


class BareClassifier(nn.Module):
    """Embedding, packed bidirectional LSTM, last states, linear: the tutorial's sentiment model."""

    def __init__(self, words: int, classes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, HIDDEN, padding_idx=PAD)
        self.lstm = nn.LSTM(HIDDEN, HIDDEN, batch_first=True, bidirectional=True)
        self.readout = nn.Linear(2 * HIDDEN, classes)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(self.embedding(x), lengths, batch_first=True, enforce_sorted=False)
        _, (h, _) = self.lstm(packed)
        return self.readout(torch.cat([h[0], h[1]], 1))


class BareForecaster(nn.Module):
    """GRU, last output, linear to the horizon: the tutorial's forecaster."""

    def __init__(self, features: int, horizon: int) -> None:
        super().__init__()
        self.gru = nn.GRU(features, HIDDEN, batch_first=True)
        self.readout = nn.Linear(HIDDEN, horizon * features)
        self.shape = (horizon, features)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        y, _ = self.gru(x)
        return self.readout(y[:, -1]).view(-1, *self.shape)
