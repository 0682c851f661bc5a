"""What benchmark_models.py compares us with: each cell as tutorials write it.

A loop over the steps in Python, input and memory concatenated, one linear layer for each gate, plain autograd. Written
for this benchmark after the habit of such texts; batch first, zero start, no padding.
"""

import torch
from torch import Tensor, nn


class Tutorial(nn.Module):
    """A stack of cells, read one step after another."""

    def __init__(self, cell: type[nn.Module], features: int, hidden: int, layers: int = 1, **options: object) -> None:
        super().__init__()
        sizes = [features, *[hidden] * (layers - 1)]
        self.cells = nn.ModuleList(cell(size, hidden, **options) for size in sizes)
        self.hidden = hidden

    def forward(self, x: Tensor) -> Tensor:
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
