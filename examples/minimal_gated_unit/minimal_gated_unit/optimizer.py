"""An optimizer that torch doesn't have: a spec, which holds the options, and the algorithm that it builds."""

from dataclasses import dataclass
from typing import Any, final

import torch

from seqtrain.model import Model
from seqtrain.optimizer import OptimizerSpec, check_betas, learned


@final
@dataclass(frozen=True, kw_only=True)
class Lion(OptimizerSpec):
    """Steps of one size, by the sign of a momentum; weight decay is decoupled.

    It wants a rate 3 to 10 times below Adam's  (Chen 2023, arXiv 2302.06675, algorithm 2 and section 5).

    Attributes:
        betas: How much of the momentum goes into a step, and how much of it stays for the next.
    """

    betas: tuple[float, float] = (0.9, 0.99)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_betas(self.betas)

    def build(self, model: Model) -> torch.optim.Optimizer:
        """The optimizer of the model's weights; `groups` leaves vectors out of weight decay where that is asked."""
        return SignedMomentum(self.groups(learned(model)), self.lr, self.weight_decay, self.betas)


class SignedMomentum(torch.optim.Optimizer):
    """Its state is in torch's own place, so that checkpoints hold it and a resumed run goes on bit for bit."""

    def __init__(
        self, groups: list[dict[str, Any]], lr: float, weight_decay: float, betas: tuple[float, float]
    ) -> None:
        super().__init__(groups, {"lr": lr, "weight_decay": weight_decay, "betas": betas})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """Moves each weight that has a gradient by lr, and a little towards zero."""
        for group in self.param_groups:
            of_step, of_memory = group["betas"]
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                momentum = self.state[weight].setdefault("momentum", torch.zeros_like(weight))
                direction = torch.lerp(weight.grad, momentum, of_step).sign_()
                weight.mul_(1 - group["lr"] * group["weight_decay"]).sub_(direction, alpha=group["lr"])
                momentum.lerp_(weight.grad, 1 - of_memory)
