"""The optimizers a user may name, as plain options that build torch's own, fused where torch can."""

from abc import ABC
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from torch import nn

from seqtrain import limits
from seqtrain.errors import ConfigError
from seqtrain.model import Model

if TYPE_CHECKING:
    from torch.optim import Optimizer

Group = dict[str, Any]
"""Parameters with the options that are theirs alone, as torch's optimizers take them."""


@dataclass(frozen=True, kw_only=True)
class OptimizerSpec(ABC):
    """The options that every optimizer shares; a subclass has the name and the further options of torch's own.

    Attributes:
        lr: Learning rate at its height; the scheduler multiplies it.
        weight_decay: Pull towards zero; each class says whether it is decoupled.
        decay_biases_and_norms: Whether weight_decay pulls at vectors too: biases, and the gains of norms.
        fused: Whether torch has a kernel that updates all parameters in one pass.
    """

    fused: ClassVar[bool] = True

    lr: float
    weight_decay: float = 0.0
    decay_biases_and_norms: bool = True

    def __post_init__(self) -> None:
        limits.at_least("optimizer", 0, **{name: value for name, value in vars(self).items() if type(value) is float})

    def build(self, model: Model) -> "Optimizer":
        """The optimizer of a model's learned parameters; each of its groups holds the height of its own lr.

        Raises:
            ConfigError: If it can't train such a model.
        """
        import torch.optim  # where it is used: it is slow to load

        options = {name: value for name, value in vars(self).items() if name != "decay_biases_and_norms"}
        kind = getattr(torch.optim, type(self).__name__)
        optimizer: Optimizer = kind(self.groups(learned(model)), **options, **({"fused": True} if self.fused else {}))
        return optimizer

    def rates(self) -> dict[str, float]:
        """The learning rates among the options; the scheduler multiplies all of them alike."""
        return {"lr": self.lr}

    def groups(self, parameters: Sequence[nn.Parameter]) -> list[Group]:
        """The parameters that decay and those that don't; no group is empty."""
        if self.decay_biases_and_norms:
            return [{"params": list(parameters)}]
        decaying = {"params": [weight for weight in parameters if weight.ndim >= 2]}
        others = {"params": [weight for weight in parameters if weight.ndim < 2], "weight_decay": 0.0}
        return [group for group in (decaying, others) if group["params"]]


@dataclass(frozen=True, kw_only=True)
class Adam(OptimizerSpec):
    """Adam; weight decay is added to the gradient. Kingma & Ba 2015, algorithm 1."""

    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        check_betas(self.betas)


@dataclass(frozen=True, kw_only=True)
class AdamW(Adam):
    """Adam with decoupled weight decay. Loshchilov & Hutter 2019, algorithm 2."""


@dataclass(frozen=True, kw_only=True)
class NAdam(Adam):
    """Adam with Nesterov's momentum. Dozat 2016, algorithm 2.

    Attributes:
        momentum_decay: How fast beta_1 rises to its value, from half of it: beta_1 (1 - 0.96^(momentum_decay t) / 2).
        decoupled_weight_decay: Whether weight decay is decoupled as in AdamW, or added to the gradient.
    """

    fused: ClassVar[bool] = False

    momentum_decay: float = 0.004
    decoupled_weight_decay: bool = False


@dataclass(frozen=True, kw_only=True)
class SGD(OptimizerSpec):
    """Stochastic gradient descent with momentum; weight decay is added to the gradient."""

    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_nesterov(self.nesterov, self.momentum)


@dataclass(frozen=True, kw_only=True)
class RMSprop(OptimizerSpec):
    """Gradients over their running root mean square; weight decay is added to the gradient. Hinton 2012."""

    fused: ClassVar[bool] = False

    alpha: float = 0.99
    momentum: float = 0.0
    eps: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        limits.decay("optimizer", alpha=self.alpha)


@dataclass(frozen=True, kw_only=True)
class Muon(OptimizerSpec):
    """Orthogonalised momentum for the matrices between stem and readout, AdamW for all else. Jordan 2024.

    What torch stacks in one matrix, as the gates of an LSTM, is orthogonalised as one. Weight decay is decoupled in
    both.

    Attributes:
        adamw_lr: Learning rate of what AdamW trains; null: lr. The scheduler multiplies both.
        momentum: Of the matrices.
        nesterov: Of the matrices.
        ns_steps: Newton-Schulz iterations that orthogonalise an update.
        adjust_lr_fn: What lr is multiplied by for an (A, B) matrix. `match_rms_adamw`: 0.2 sqrt(max(A, B)), which
            makes its updates as large as AdamW's, so that one lr, and AdamW's, suits both  (Liu et al. 2025, section
            2.2). `original`: sqrt(max(1, A / B)), which needs an lr some ten times AdamW's  (Jordan 2024).
        betas: Of AdamW.
        eps: Of AdamW.
    """

    adamw_lr: float | None = None
    momentum: float = 0.95
    nesterov: bool = True
    ns_steps: int = 5
    adjust_lr_fn: Literal["match_rms_adamw", "original"] = "match_rms_adamw"
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        check_betas(self.betas)
        check_nesterov(self.nesterov, self.momentum)
        limits.decay("optimizer", momentum=self.momentum)
        limits.at_least("optimizer", 1, ns_steps=self.ns_steps)
        if self.ns_steps >= 100:
            raise ConfigError(f"optimizer.ns_steps={self.ns_steps}: must be below 100")

    def rates(self) -> dict[str, float]:
        return super().rates() | ({} if self.adamw_lr is None else {"adamw_lr": self.adamw_lr})

    def build(self, model: Model) -> "Optimizer":
        import torch.optim  # where it is used: it is slow to load

        if not hasattr(torch.optim, "Muon"):
            raise ConfigError(f"optimizer=muon: this torch is {torch.__version__} and has none; it came with 2.9")
        ends = {weight for end in model.ends() for weight in end.parameters()}
        weights = learned(model)
        matrices = [weight for weight in weights if weight.ndim == 2 and weight not in ends]
        if not matrices:
            raise ConfigError("optimizer=muon: the model has no matrix between stem and readout; use optimizer=adamw")
        chosen = set(matrices)
        muon = torch.optim.Muon(
            matrices,
            lr=self.lr,
            weight_decay=self.weight_decay,
            momentum=self.momentum,
            nesterov=self.nesterov,
            ns_steps=self.ns_steps,
            adjust_lr_fn=self.adjust_lr_fn,
        )
        adamw = torch.optim.AdamW(
            self.groups([weight for weight in weights if weight not in chosen]),
            lr=self.lr if self.adamw_lr is None else self.adamw_lr,
            weight_decay=self.weight_decay,
            betas=self.betas,
            eps=self.eps,
            fused=True,
        )
        return together(muon, adamw)


def together(*parts: "Optimizer") -> "Optimizer":
    """Several optimizers, each of parameters of its own, as one: its groups are theirs, and so is its state."""
    from torch.optim import Optimizer

    class Together(Optimizer):
        """Lends each part its groups and the state of all, so that saving and loading are torch's own."""

        def __init__(self) -> None:
            super().__init__([group for part in parts for group in part.param_groups], {})

        def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
            assert closure is None, "none of the parts may look twice"
            groups = iter(self.param_groups)
            for part in parts:
                part.param_groups = list(islice(groups, len(part.param_groups)))
                part.state = self.state
                part.step()

    return Together()


def learned(model: nn.Module) -> list[nn.Parameter]:
    """The parameters that have a gradient."""
    return [weight for weight in model.parameters() if weight.requires_grad]


def check_betas(betas: Iterable[float]) -> None:
    """Refuses a decay of a running mean that is none."""
    limits.decay("optimizer", **{f"betas[{i}]": beta for i, beta in enumerate(betas)})


def check_nesterov(nesterov: bool, momentum: float) -> None:
    """Refuses Nesterov's momentum where there is no momentum."""
    if nesterov and not momentum:
        raise ConfigError("optimizer.nesterov=true: needs optimizer.momentum above 0")
