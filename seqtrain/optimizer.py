"""The optimizers a user may name, as plain options that build torch's own, fused where torch can."""

from abc import ABC
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torch import nn

from seqtrain import limits
from seqtrain.errors import ConfigError

if TYPE_CHECKING:
    from torch.optim import Optimizer


@dataclass(frozen=True, kw_only=True)
class OptimizerSpec(ABC):
    """The options that every optimizer shares; a subclass has the name and the further options of torch's own.

    Attributes:
        lr: Learning rate at its height; the scheduler multiplies it.
        weight_decay: Pull towards zero; each class says whether it is decoupled.
        fused: Whether torch has a kernel that updates all parameters in one pass.
    """

    fused: ClassVar[bool] = True

    lr: float
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        limits.at_least("optimizer", 0, **{name: value for name, value in vars(self).items() if type(value) is float})

    def build(self, parameters: Iterable[nn.Parameter]) -> "Optimizer":
        """The optimizer over these parameters."""
        import torch.optim  # where it is used: it is slow to load

        kind = getattr(torch.optim, type(self).__name__)
        optimizer: Optimizer = kind(parameters, **vars(self), **({"fused": True} if self.fused else {}))
        return optimizer


@dataclass(frozen=True, kw_only=True)
class Adam(OptimizerSpec):
    """Adam; weight decay is added to the gradient. Kingma & Ba 2015, algorithm 1."""

    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        limits.decay("optimizer", **{f"betas[{i}]": beta for i, beta in enumerate(self.betas)})


@dataclass(frozen=True, kw_only=True)
class AdamW(Adam):
    """Adam with decoupled weight decay. Loshchilov & Hutter 2019, algorithm 2."""


@dataclass(frozen=True, kw_only=True)
class SGD(OptimizerSpec):
    """Stochastic gradient descent with momentum; weight decay is added to the gradient."""

    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nesterov and not self.momentum:
            raise ConfigError("optimizer.nesterov=true: needs optimizer.momentum above 0")


@dataclass(frozen=True, kw_only=True)
class RMSprop(OptimizerSpec):
    """Gradients over their running root mean square; weight decay is added to the gradient. Hinton 2012."""

    fused: ClassVar[bool] = False

    alpha: float = 0.99
    momentum: float = 0.0
    eps: float = 1e-8
