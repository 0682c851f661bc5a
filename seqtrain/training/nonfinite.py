"""Losses, gradients and weights that are infinite or no number: found, and told with the step, examples and place."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from seqtrain.errors import TrainingError

SHOWN_EXAMPLES = 8
"""How many of a batch's examples a message names."""


@dataclass(frozen=True)
class StepRecord:
    """What is kept of a step until it is known to have been sound.

    Attributes:
        step: The optimizer step, counted from 1.
        indices: Which examples of the training split it read, by batches, on the CPU.
        loss: The sum over its batches, where it was computed.
        own_loss: That of this process's share of them.
        norms: The norm of each weight's gradient, where it was computed.
    """

    step: int
    indices: list[Tensor]
    loss: Tensor
    own_loss: Tensor
    norms: Tensor


class Guard:
    """Watches over the numbers of one training.

    A look costs a sync on a GPU. Where looks are not eager, records are kept and looked at all at once when
    something is to be logged or saved.
    """

    def __init__(self, model: nn.Module, *, eager: bool, scaled: bool) -> None:
        """Watches nothing yet.

        Args:
            model: The one in training.
            eager: Whether each step is looked at before the weights move.
            scaled: Whether infinite gradients are met by design: the scaler of fp16 skips those steps and lowers
                its scale.
        """
        self.model = model
        self.weights = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self.eager = eager
        self.scaled = scaled
        self.kept: list[StepRecord] = []

    def fault(self, record: StepRecord, run: Callable[[], Any]) -> str | None:
        """What is wrong with a step whose gradient is at hand, or None; None too where looks are not eager.

        Args:
            record: Of the step.
            run: Answers its batches once more, to find the place.
        """
        if not self.eager:
            self.kept.append(record)
            return None
        what = self.what(record)
        if what is None:
            return None
        broken = self.broken(record.norms)
        place = first_broken_output(self.model, run) or (broken[0] if broken else "the loss itself")
        return describe(what, record, place)

    def check(self, step: int, remedy: str) -> None:
        """Looks at the steps kept since the last look, and at the weights as they are after a step.

        Raises:
            TrainingError: If a number is infinite or NaN; ends with the remedy.
        """
        for record in self.kept:
            if what := self.what(record):
                broken = self.broken(record.norms)
                raise TrainingError(f"{describe(what, record, broken[0] if broken else 'the loss itself')}: {remedy}")
        self.kept.clear()
        if broken := self.broken(norms(self.weights.values())):
            raise TrainingError(f"weights in {broken[0]} are infinite or NaN after step {step}: {remedy}")

    def what(self, record: StepRecord) -> str | None:
        """`loss` or `gradient`, whichever isn't finite; None for a sound step."""
        if not torch.isfinite(record.loss).item():
            return "loss"
        return None if self.scaled or torch.isfinite(record.norms).all().item() else "gradient"

    def broken(self, norms: Tensor) -> list[str]:
        """The names of the weights whose norm, or whose gradient's, isn't finite."""
        sound = torch.isfinite(norms).tolist()
        return [name for name, fine in zip(self.weights, sound, strict=True) if not fine]


def norms(tensors: Iterable[Tensor]) -> Tensor:
    """The norm of each tensor, (N,), without a sync."""
    return torch.stack(torch._foreach_norm([tensor.detach() for tensor in tensors]))


def describe(what: str, record: StepRecord, place: str) -> str:
    """A step, its examples and the place, in one line."""
    examples = [int(index) for indices in record.indices for index in indices]
    shown = ", ".join(str(index) for index in examples[:SHOWN_EXAMPLES])
    more = f" and {len(examples) - SHOWN_EXAMPLES} more" if len(examples) > SHOWN_EXAMPLES else ""
    return f"the {what} of step {record.step} is infinite or NaN, first in {place} (training examples {shown}{more})"


def first_broken_output(model: nn.Module, run: Callable[[], Any]) -> str | None:
    """The name of the first module whose output isn't finite while `run` computes, or None."""
    found: list[str] = []

    def look(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, given: Any, output: Any) -> None:  # noqa: ARG001  # torch's signature
            if not found and not all(torch.isfinite(tensor).all().item() for tensor in floats_in(output)):
                found.append(name)

        return hook

    hooks = [module.register_forward_hook(look(name)) for name, module in model.named_modules() if name]
    try:
        with torch.no_grad(), torch.random.fork_rng():
            run()
    finally:
        for handle in hooks:
            handle.remove()
    return found[0] if found else None


def floats_in(value: Any) -> list[Tensor]:
    """Every tensor of real numbers in nested tuples and lists."""
    if isinstance(value, Tensor):
        return [value] if value.is_floating_point() else []
    return [tensor for each in value for tensor in floats_in(each)] if isinstance(value, list | tuple) else []
