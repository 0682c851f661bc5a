"""Reading with torch's own kernels: oneDNN's fused LSTM on the CPU, cuDNN's layers on CUDA."""

import torch
from torch import Tensor, nn

from seqtrain.model import State
from seqtrain.models.cells.pointwise import SHUT
from seqtrain.models.padded import RealSteps


def read_native(layer: nn.Module, x: Tensor, start: State, real: RealSteps) -> tuple[Tensor, State]:
    """Reads (B, T, F) forward with one torch layer.

    Returns:
        outputs: (B, T, D), arbitrary at and past each sequence's length.
        state: After each sequence's last real step, each part (B, D).
    """
    # Under autocast a state comes back in another type than the features, which torch's layers don't take;
    # cuDNN's don't take views either.
    begin = tuple(part.to(x.dtype).unsqueeze(0).contiguous() for part in start)
    if isinstance(layer, nn.LSTM):
        return _read_lstm(layer, begin, x, real)
    outputs, _ = layer(x, *begin)
    return outputs, (real.last(outputs),)


def _read_lstm(lstm: nn.LSTM, start: State, x: Tensor, real: RealSteps) -> tuple[Tensor, State]:
    """Reads forward with an LSTM whose cell state stands still on padding.

    The fused kernel returns c only after step T, so on a ragged batch the input gets one more column,
    1 on padding and 0 elsewhere, whose weights shut the input gate and open the forget gate:
    c_t = 1 * c_{t-1} + 0 * g_t. Both gates are flat there, so padding adds nothing to a gradient either.
    """
    if not real.ragged:
        outputs, (_, c) = lstm(x, start)
        return outputs, (outputs[:, -1], c[0])
    flagged = torch.cat([x, real.padding.unsqueeze(-1).to(x.dtype)], -1)
    outputs, _, c = torch.lstm(flagged, start, _stopping_weights(lstm), True, 1, 0.0, lstm.training, False, True)
    return outputs, (real.last(outputs), c[0])


def _stopping_weights(lstm: nn.LSTM) -> list[Tensor]:
    """An LSTM's weights with one input column more, which stops its cell state wherever that input is 1."""
    weight_ih, weight_hh, bias_ih, bias_hh = lstm.all_weights[0]
    column = weight_ih.new_zeros(4, lstm.hidden_size, 1)
    column[0], column[1] = SHUT, -SHUT  # (i|f|g|o)
    weights = [torch.cat([weight_ih, column.flatten(0, 1)], 1), weight_hh, bias_ih, bias_hh]
    # Laid out in one row, as cuDNN wants them; it would copy them there itself, and warn at every call.
    row = torch.cat([weight.flatten() for weight in weights])
    pieces = row.split([weight.numel() for weight in weights])
    return [piece.view_as(weight) for piece, weight in zip(pieces, weights, strict=True)]
