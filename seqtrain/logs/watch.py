"""What one optimizer step finds and does, layer by layer: gradients, weights, updates, and gates."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from seqtrain.batch import Batch, length_mask
from seqtrain.logs.histogram import Histogram, histogram
from seqtrain.model import Model

SEQUENCES = 16
"""How many sequences of a batch the gates are looked at on, at most."""


@dataclass(frozen=True)
class Watched:
    """What a step showed.

    Attributes:
        scalars: `gradients/LAYER` and `weights/LAYER`, Euclidean norms, and `updates/LAYER`, the norm of what the step
            added to the weights over that of the weights; left out where these were all zero.
        histograms: `gradients/LAYER/values`, `weights/LAYER/values` and `gates/LAYER/GATE`.
    """

    scalars: dict[str, float]
    histograms: dict[str, Histogram]


class Watch:
    """Looks at a model before a step and after it. A layer is a module that has weights of its own.

    It is made when gradients are there, unscaled and not yet clipped, and before the optimizer steps; it keeps a copy
    of the weights until `after`.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.layers = dict(layers(model))
        self.gradients = {
            name: _joined(torch.zeros_like(p) if p.grad is None else p.grad for p in own)
            for name, own in self.layers.items()
        }
        self.weights = {name: _joined(own) for name, own in self.layers.items()}

    def after(self, batch: Batch) -> Watched:
        """What the step has done; the gates are those that the model has now.

        Args:
            batch: Some sequences to look at the gates on.
        """
        new = {name: _joined(own) for name, own in self.layers.items()}
        norms = {
            "gradients": [part.norm() for part in self.gradients.values()],
            "weights": [part.norm() for part in self.weights.values()],
            "updates": [(new[name] - part).norm() / part.norm() for name, part in self.weights.items()],
        }
        flat = torch.stack([norm for each in norms.values() for norm in each]).tolist()  # waits for the device once
        scalars = dict(zip((f"{kind}/{name}" for kind in norms for name in self.layers), flat, strict=True))
        for name in self.layers:
            if scalars[f"weights/{name}"] == 0:
                del scalars[f"updates/{name}"]
        values = {f"gradients/{name}/values": part for name, part in self.gradients.items()}
        values |= {f"weights/{name}/values": part for name, part in self.weights.items()}
        values |= {f"gates/{name}": part for name, part in gates(self.model, batch).items()}
        made = {tag: histogram(part) for tag, part in values.items()}
        return Watched(scalars, {tag: each for tag, each in made.items() if each is not None})


def layers(model: nn.Module) -> Iterator[tuple[str, list[nn.Parameter]]]:
    """The modules that have weights to learn, by their dotted names; weights that two share are the first one's."""
    seen: set[nn.Parameter] = set()
    for name, module in model.named_modules():
        own = [p for p in module.parameters(recurse=False) if p.requires_grad and p not in seen]
        seen.update(own)
        if own:
            yield name, own


def gates(model: Model, batch: Batch) -> dict[str, Tensor]:
    """What each gate let through at all real steps of a few sequences, in one row; dropout is off."""
    device = next(model.parameters()).device
    few = Batch(
        batch.inputs[:SEQUENCES], batch.lengths[:SEQUENCES], batch.targets[:SEQUENCES], batch.indices[:SEQUENCES]
    ).to(device)
    training = model.training
    model.eval()
    with torch.no_grad():
        found = model.gates(few)
    model.train(training)
    real = length_mask(few.lengths, few.inputs.shape[1], device)
    return {name: gate[real].flatten() for name, gate in found.items()}


def _joined(parts: Iterable[Tensor]) -> Tensor:
    """A copy of some tensors' values in one row."""
    return torch.cat([part.detach().float().flatten() for part in parts])
