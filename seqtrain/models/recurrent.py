"""Recurrent models on vectors: the Elman network and the families of the LSTM and the GRU."""

from dataclasses import dataclass
from typing import Literal, assert_never, final

from seqtrain.errors import ConfigError
from seqtrain.models.cells import GRU, LSTM, Cell, ChoGRU, Elman, LayerNormLSTM, Nonlinearity, Peephole
from seqtrain.models.stack import Recurrent, StackSpec
from seqtrain.spec import TaskSpec

CellName = Literal["rnn", "lstm", "gru", "gru_cho", "peephole_lstm", "layernorm_lstm"]
Norm = Literal["gates", "output"]


@final
@dataclass(frozen=True, kw_only=True)
class RecurrentSpec(StackSpec):
    """A stack of recurrent layers on vectors.

    Attributes:
        cell: rnn (Elman 1990), lstm (Hochreiter & Schmidhuber 1997, with the forget gate of Gers 2000), gru
            (Cho 2014, arXiv 1406.1078v1: the reset gate acts after the matmul), gru_cho (v3 of the same: before
            it), peephole_lstm (Gers 2002) or layernorm_lstm (Ba 2016).
        nonlinearity: Of the rnn cell only; None takes tanh.
        peephole: Of the peephole_lstm only: whether a gate sees its own unit's cell state or every unit's; None
            takes diagonal.
        norm: Of the layernorm_lstm only: inside the gates, as in the paper, or a layer norm on the outputs of a
            plain LSTM, as in tutorials; None takes gates.
    """

    cell: CellName
    nonlinearity: Nonlinearity | None = None
    peephole: Peephole | None = None
    norm: Norm | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for option, owner in (("nonlinearity", "rnn"), ("peephole", "peephole_lstm"), ("norm", "layernorm_lstm")):
            value = getattr(self, option)
            if value is not None and self.cell != owner:
                raise ConfigError(f"model.{option}={value}: model.cell={self.cell} has none, only {owner} does")
        if self.forget_bias is not None and "f" not in self._cell().gates:
            raise ConfigError(f"model.forget_bias={self.forget_bias}: model.cell={self.cell} has no forget gate")
        if self.kernel == "native" and not self.has_native_kernel:
            raise ConfigError(
                f"model.kernel=native: torch has no kernel for model.cell={self.cell}; "
                "use model.kernel=auto, engine or reference"
            )

    @property
    def has_native_kernel(self) -> bool:
        """Whether torch has such layers."""
        return self.cell in ("rnn", "lstm", "gru") or self.norm == "output"

    @property
    def title(self) -> str:
        """The cell in a few words: "RNN (tanh)"."""
        match self.cell:
            case "rnn":
                return f"RNN ({self.nonlinearity or 'tanh'})"
            case "lstm" | "gru":
                return self.cell.upper()
            case "gru_cho":
                return "GRU (reset before)"
            case "peephole_lstm":
                return f"peephole LSTM ({self.peephole or 'diagonal'})"
            case "layernorm_lstm":
                return "LSTM" if self.norm == "output" else "layer-norm LSTM"
            case _:
                assert_never(self.cell)

    def build_core(self, features: tuple[int, ...], task: TaskSpec) -> Recurrent:
        """The core that reads steps of F features."""
        return Recurrent(self, self._cell(), features, normalise=self.norm == "output")

    def _cell(self) -> Cell:
        match self.cell:
            case "rnn":
                return Elman(self.nonlinearity or "tanh")
            case "lstm":
                return LSTM()
            case "gru":
                return GRU()
            case "gru_cho":
                return ChoGRU()
            case "peephole_lstm":
                return LSTM(self.peephole or "diagonal")
            case "layernorm_lstm":
                return LSTM() if self.norm == "output" else LayerNormLSTM()
            case _:
                assert_never(self.cell)
