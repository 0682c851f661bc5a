"""What benchmark_models.py compares us with: each cell as tutorials write it.

A loop over the steps in Python, input and memory concatenated, one linear layer for each gate, plain autograd. Written
for this benchmark after the habit of such texts; batch first, zero start, no padding.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class Tutorial(nn.Module):
    """A stack of cells, read one step after another, padding and all."""

    def __init__(self, cell: type[nn.Module], features: int, hidden: int, layers: int = 1, **options: object) -> None:
        super().__init__()
        sizes = [features, *[hidden] * (layers - 1)]
        self.cells = nn.ModuleList(cell(size, hidden, **options) for size in sizes)
        self.hidden = hidden

    def forward(self, x: Tensor, lengths: np.ndarray | None = None) -> Tensor:
        for cell in self.cells:
            h = x.new_zeros(len(x), self.hidden, *x.shape[3:])
            c, outputs = torch.zeros_like(h), []
            for t in range(x.shape[1]):
                h, c = cell(x[:, t], h, c)
                outputs.append(h)
            x = torch.stack(outputs, 1)
        return x


class BothWays(nn.Module):
    """One tutorial stack forward, one over the flipped sequence."""

    def __init__(self, cell: type[nn.Module], features: int, hidden: int) -> None:
        super().__init__()
        self.forward_half, self.backward_half = (Tutorial(cell, features, hidden) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.forward_half(x), self.backward_half(x.flip(1)).flip(1)], 2)


class RNNCell(nn.Module):
    """Elman's network, tanh."""

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.i2h = nn.Linear(features + hidden, hidden)

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        return torch.tanh(self.i2h(torch.cat([x, h], 1))), c


class LSTMCell(nn.Module):
    """The LSTM, a linear layer for each gate."""

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.i, self.f, self.g, self.o = (nn.Linear(features + hidden, hidden) for _ in range(4))

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        both = torch.cat([x, h], 1)
        i, f, o = torch.sigmoid(self.i(both)), torch.sigmoid(self.f(both)), torch.sigmoid(self.o(both))
        c = f * c + i * torch.tanh(self.g(both))
        return o * torch.tanh(c), c


class GRUCell(nn.Module):
    """The reset gate before the matmul, as in most texts."""

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.r, self.z, self.n = (nn.Linear(features + hidden, hidden) for _ in range(3))

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        both = torch.cat([x, h], 1)
        r, z = torch.sigmoid(self.r(both)), torch.sigmoid(self.z(both))
        n = torch.tanh(self.n(torch.cat([x, r * h], 1)))
        return (1 - z) * n + z * h, c


class PeepholeCell(nn.Module):
    """The LSTM with diagonal peepholes."""

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.i, self.f, self.g, self.o = (nn.Linear(features + hidden, hidden) for _ in range(4))
        self.w_ci, self.w_cf, self.w_co = (nn.Parameter(torch.randn(hidden) * 0.1) for _ in range(3))

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        both = torch.cat([x, h], 1)
        i = torch.sigmoid(self.i(both) + self.w_ci * c)
        f = torch.sigmoid(self.f(both) + self.w_cf * c)
        c = f * c + i * torch.tanh(self.g(both))
        o = torch.sigmoid(self.o(both) + self.w_co * c)
        return o * torch.tanh(c), c


class LayerNormCell(nn.Module):
    """The LSTM with layer norms inside, one linear layer for all gates."""

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.x2h = nn.Linear(features, 4 * hidden, bias=False)
        self.h2h = nn.Linear(hidden, 4 * hidden)
        self.ln_x, self.ln_h, self.ln_c = nn.LayerNorm(4 * hidden), nn.LayerNorm(4 * hidden), nn.LayerNorm(hidden)

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        i, f, g, o = (self.ln_x(self.x2h(x)) + self.ln_h(self.h2h(h))).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(self.ln_c(c)), c


class ConvLSTMCell(nn.Module):
    """The ConvLSTM, one convolution for all gates."""

    def __init__(self, features: int, hidden: int, kernel_size: int = 3) -> None:
        super().__init__()
        self.gates = nn.Conv2d(features + hidden, 4 * hidden, kernel_size, padding=kernel_size // 2)

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        i, f, g, o = self.gates(torch.cat([x, h], 1)).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c


class Packed(nn.Module):
    """Torch's LSTM on packed sequences, the advice of its documentation for lengths that differ."""

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(features, hidden, batch_first=True)

    def forward(self, x: Tensor, lengths: np.ndarray) -> Tensor:
        packed = pack_padded_sequence(x, torch.from_numpy(lengths), batch_first=True, enforce_sorted=False)
        outputs, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        return outputs


def steps_of(core: nn.Module, x: Tensor) -> Tensor:
    """A core's outputs, of which torch's layers return a state as well."""
    found = core(x)
    return found[0] if isinstance(found, tuple) else found


class AttentionPooling(nn.Module):
    """The mean of a core's steps, weighted by a learned query."""

    def __init__(self, core: nn.Module, hidden: int, answers: int) -> None:
        super().__init__()
        self.core, self.v, self.out = core, nn.Linear(hidden, 1), nn.Linear(hidden, answers)

    def forward(self, x: Tensor) -> Tensor:
        y = steps_of(self.core, x)
        weights = torch.softmax(self.v(y), 1)
        return self.out((weights * y).sum(1))


class Bahdanau(nn.Module):
    """Additive attention from each step over all of them: the query repeated and concatenated, step by step."""

    def __init__(self, core: nn.Module, hidden: int, answers: int) -> None:
        super().__init__()
        self.core = core
        self.attention, self.v = nn.Linear(2 * hidden, hidden), nn.Linear(hidden, 1, bias=False)
        self.out = nn.Linear(2 * hidden, answers)

    def forward(self, x: Tensor) -> Tensor:
        y = steps_of(self.core, x)
        return self.out(torch.stack([torch.cat([y[:, t], self.look(y[:, t], y)], 1) for t in range(y.shape[1])], 1))

    def look(self, query: Tensor, y: Tensor) -> Tensor:
        """What a query finds."""
        repeated = query.unsqueeze(1).repeat(1, y.shape[1], 1)
        energy = torch.tanh(self.attention(torch.cat([repeated, y], 2)))
        return torch.bmm(torch.softmax(self.v(energy).squeeze(2), 1).unsqueeze(1), y).squeeze(1)


class SoftmaxAttention(nn.Module):
    """Multi-head attention with a linear layer for each of query, key and value, and the weights written out."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.o = (nn.Linear(width, width) for _ in range(4))

    def forward(self, q: Tensor, k: Tensor, v: Tensor, need_weights: bool = False) -> tuple[Tensor, None]:
        q, k, v = (
            linear(x).view(len(x), -1, self.heads, x.shape[2] // self.heads).transpose(1, 2)
            for linear, x in ((self.q, q), (self.k, k), (self.v, v))
        )
        weights = torch.softmax(q @ k.transpose(2, 3) / q.shape[3] ** 0.5, -1)
        return self.o((weights @ v).transpose(1, 2).flatten(2)), None


class MultiHead(nn.Module):
    """Multi-head attention over a core's steps, added and normalised."""

    def __init__(self, core: nn.Module, hidden: int, answers: int, *, native: bool) -> None:
        super().__init__()
        self.core = core
        self.attention = nn.MultiheadAttention(hidden, 4, batch_first=True) if native else SoftmaxAttention(hidden, 4)
        self.norm, self.out = nn.LayerNorm(hidden), nn.Linear(hidden, answers)

    def forward(self, x: Tensor) -> Tensor:
        y = steps_of(self.core, x)
        return self.out(self.norm(y + self.attention(y, y, y, need_weights=False)[0]))


class Block(nn.Module):
    """Attention and two affine maps, each added to what it read."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention, self.one, self.two = SoftmaxAttention(width, 4), nn.LayerNorm(width), nn.LayerNorm(width)
        self.maps = nn.Sequential(nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        n = self.one(x)
        x = x + self.attention(n, n, n)[0]
        return x + self.maps(self.two(x))


class Blocks(nn.Module):
    """Two blocks of self-attention: our own in the plain way, or torch's encoder."""

    def __init__(self, features: int, width: int, answers: int, *, native: bool) -> None:
        super().__init__()
        self.enter, self.out = nn.Linear(features, width), nn.Linear(width, answers)
        if native:
            layer = nn.TransformerEncoderLayer(width, 4, 4 * width, dropout=0.0, batch_first=True, norm_first=True)
            self.blocks: nn.Module = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        else:
            self.blocks = nn.Sequential(Block(width), Block(width))

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.blocks(self.enter(x)))


class Translator(nn.Module):
    """The encoder-decoder with attention as tutorials write it: torch's GRU reads, a loop attends and writes."""

    def __init__(self, symbols: int, features: int, hidden: int) -> None:
        super().__init__()
        self.source, self.target = nn.Embedding(symbols, features), nn.Embedding(symbols, features)
        self.encoder = nn.GRU(features, hidden, batch_first=True, bidirectional=True)
        self.bridge = nn.Linear(2 * hidden, hidden)
        self.attention, self.v = nn.Linear(3 * hidden, hidden), nn.Linear(hidden, 1, bias=False)
        self.decoder = nn.GRU(features + 2 * hidden, hidden, batch_first=True)
        self.out = nn.Linear(features + 3 * hidden, symbols)

    def forward(self, ids: Tensor) -> Tensor:
        y, h = self.encoder(self.source(ids))
        state = torch.tanh(self.bridge(torch.cat([h[0], h[1]], 1)))
        outputs = []
        for t in range(ids.shape[1]):
            said = self.target(ids[:, t])
            repeated = state.unsqueeze(1).repeat(1, y.shape[1], 1)
            energy = torch.tanh(self.attention(torch.cat([repeated, y], 2)))
            context = torch.bmm(torch.softmax(self.v(energy).squeeze(2), 1).unsqueeze(1), y)
            step, last = self.decoder(torch.cat([said.unsqueeze(1), context], 2), state.unsqueeze(0))
            state = last.squeeze(0)
            outputs.append(self.out(torch.cat([step.squeeze(1), context.squeeze(1), said], 1)))
        return torch.stack(outputs, 1)
