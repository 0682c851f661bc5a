"""How far back a gradient reaches: the norm of dL/dh_t by how many steps lie between h_t and the answer."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from seqtrain.batch import Batch
from seqtrain.model import Model
from seqtrain.picture import Picture
from seqtrain.spec import Align
from seqtrain.tasks import drawing
from seqtrain.tasks.task import Split, Task

SEQUENCES = 16
"""How many sequences of the validation split the picture is drawn from, at most."""


@dataclass(frozen=True)
class Flow:
    """Norms of the gradient, by lag: 0 is the memory after the last step read.

    Attributes:
        h: Of dL/dh, the mean over the sequences that are as long, up to where half of them are.
        c: Of dL/dc likewise; None where the cell has no c.
    """

    h: Float[np.ndarray, " K"]
    c: Float[np.ndarray, " K"] | None


def gradient_flow(model: Model, task: Task, batch: Batch) -> Flow:
    """How much the loss of each sequence's answer hangs on its memory after each step before.

    The answer is the last output where each step has one, else all that is said after reading. The norm is taken over
    all layers' memories, as they are handed on from one step to the next. Nothing of the model is changed, neither
    its gradients nor the state of any random generator; dropout is off.

    Args:
        model: Whose; one without a `by_step_refusal`.
        task: What scores it.
        batch: On the model's device.
    """
    assert model.by_step_refusal is None, model.by_step_refusal
    training = model.training
    model.eval()
    # cuDNN goes back through recurrent layers in training mode only.
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
        outputs, states = model.read_by_step(batch)
        loss = task.loss(_answer_only(outputs, batch, task.spec.align), batch)
        parts = [part for state in states for part in state]
        found = torch.autograd.grad(loss, parts, allow_unused=True)
    model.train(training)
    # (T, B): a memory of T steps that nothing hangs on has no gradient.
    norms = [
        torch.zeros(len(batch)) if gradient is None else gradient.transpose(0, 1).flatten(1).norm(dim=1).cpu()
        for gradient in found
    ]
    by_memory = [torch.stack(norms[place :: len(states[0])]).double().numpy() for place in range(len(states[0]))]
    curves = [_by_lag(each, batch.lengths.numpy()) for each in by_memory]
    return Flow(curves[0], curves[1] if len(curves) > 1 else None)


def flow_picture(model: Model, task: Task, device: torch.device, most: int = SEQUENCES) -> Picture | None:
    """The curve of gradients by lag over a few sequences of the validation split; None if `by_step_refusal` says no.

    Args:
        model: Whose.
        task: Prepared.
        device: Where the model is.
        most: How many sequences at most; what fits in memory in training does here too.
    """
    if model.by_step_refusal is not None:
        return None
    examples = task.examples(Split.VAL)
    batch = examples.batch(np.arange(min(most, SEQUENCES, len(examples))), 0).to(device)
    flow = gradient_flow(model, task, batch)
    return Picture("gradient-flow", drawing.gradient_flow(flow.h, flow.c))


def _answer_only(outputs: Tensor, batch: Batch, align: Align) -> Tensor:
    """The same outputs; where each step has one, a gradient comes from each sequence's last alone."""
    if align is not Align.EACH:
        return outputs
    last = torch.zeros(outputs.shape[:2], dtype=torch.bool)
    last[torch.arange(len(batch)), batch.lengths - 1] = True
    last = last.to(outputs.device).view(*last.shape, *[1] * (outputs.dim() - 2))
    return torch.where(last, outputs, outputs.detach())


def _by_lag(norms: Float[np.ndarray, "T B"], lengths: np.ndarray) -> Float[np.ndarray, " K"]:
    """The mean over sequences, counted back from each one's own last step, as far as half of them reach."""
    lags = np.arange(int(np.median(lengths)))
    steps = lengths - 1 - lags[:, None]  # (K, B)
    reached = steps >= 0
    taken = np.take_along_axis(norms, np.maximum(steps, 0), 0) * reached
    mean: Float[np.ndarray, " K"] = taken.sum(1) / reached.sum(1)
    return mean
