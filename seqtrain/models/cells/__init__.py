"""Recurrent cells: each one's equations, its weights, and its gradients through time derived by hand."""

from seqtrain.models.cells.cell import Cell, Weights, weights_of
from seqtrain.models.cells.connection import Connection, Convolution, Dense
from seqtrain.models.cells.elman import Elman, Nonlinearity
from seqtrain.models.cells.gru import GRU, ChoGRU
from seqtrain.models.cells.layernorm_lstm import LayerNormLSTM
from seqtrain.models.cells.lstm import LSTM, Peephole

__all__ = [
    "GRU",
    "LSTM",
    "Cell",
    "ChoGRU",
    "Connection",
    "Convolution",
    "Dense",
    "Elman",
    "LayerNormLSTM",
    "Nonlinearity",
    "Peephole",
    "Weights",
    "weights_of",
]
