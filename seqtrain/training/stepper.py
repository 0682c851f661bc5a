"""Moves a model's weights: gradients scaled, clipped and followed, and averages kept of where they have been."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from seqtrain.model import Model
from seqtrain.optimizer import OptimizerSpec
from seqtrain.scheduler import Moment, SchedulerSpec
from seqtrain.training.ema import AveragedWeights
from seqtrain.training.nonfinite import norms
from seqtrain.training.trainer_config import TrainerConfig


class Stepper:
    """The optimizer of one model, with all that acts between a loss and the weights."""

    def __init__(
        self,
        config: TrainerConfig,
        model: Model,
        optimizer: OptimizerSpec,
        scheduler: SchedulerSpec,
        *,
        device: torch.device,
        precision: torch.dtype | None,
    ) -> None:
        """Builds the optimizer.

        Args:
            config: Says how gradients are clipped, and whether weights are averaged.
            model: On its device.
            optimizer: Builds the optimizer; its options are those of every step, whatever a checkpoint says.
            scheduler: Tells what the learning rate is multiplied by in each step.
            device: Where the model is.
            precision: What matrix products run in; the gradients of fp16 are scaled up on their way.
        """
        self.config = config
        self.model = model
        self.scheduler = scheduler
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = optimizer.build(model)
        self.options = [{k: v for k, v in group.items() if k != "params"} for group in self.optimizer.param_groups]
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == torch.float16)
        self.ema = None if config.ema is None else AveragedWeights(self.parameters, config.ema)

    @property
    def rate(self) -> float:
        """The learning rate of the latest step."""
        rate: float = self.optimizer.param_groups[0]["lr"]
        return rate

    def backward(self, loss: Tensor) -> None:
        """Adds the gradient of a loss to those of the weights."""
        self.scaler.scale(loss).backward()

    def norms(self) -> Tensor:
        """The norm of each weight's gradient, once all are there, (N,), 0 where there is none; without a sync."""
        self.scaler.unscale_(self.optimizer)
        return norms(p.new_zeros(()) if p.grad is None else p.grad for p in self.parameters)

    def step(self, norm: Tensor, moment: Moment) -> None:
        """Clips the gradient and moves the weights.

        Args:
            norm: Of the whole gradient.
            moment: Which step it is.
        """
        config = self.config
        factor = self.scheduler.factor(moment)
        for group, options in zip(self.optimizer.param_groups, self.options, strict=True):
            group["lr"] = factor * options["lr"]
        if config.clip_norm is not None:
            nn.utils.clip_grads_with_norm_(self.parameters, config.clip_norm, norm)
        if config.clip_value is not None:
            nn.utils.clip_grad_value_(self.parameters, config.clip_value)
        self.scaler.step(self.optimizer)
        self.leave()
        if self.ema is not None:
            self.ema.update(moment.step + 1)

    def leave(self) -> None:
        """Forgets the gradient: the step is done, or left out."""
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)

    # ---------------------------------------------------------------- the weights that are kept

    def kept_weights(self) -> AbstractContextManager[None]:
        """A context in which the model has the weights that are validated and kept: averaged ones, if any are."""
        return nullcontext() if self.ema is None else self.ema.in_place()

    def kept_model(self) -> dict[str, Any]:
        """The state of the model with the weights that are validated and kept."""
        with self.kept_weights():
            return self.model.state_dict()

    def keep(self, weights: dict[str, Any]) -> None:
        """Gives the model some weights for good, and averages no more."""
        self.model.load_state_dict(weights)
        self.ema = None

    # ---------------------------------------------------------------- state

    def state_dict(self) -> dict[str, Any]:
        """All that the next step depends on.

        The weights to use are under `model`; if they are averages, those in training are under `training_model`.
        """
        return {
            "model": self.kept_model(),
            "training_model": None if self.ema is None else self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes back to where `state_dict` was taken; the optimizer's options stay as they are now."""
        self.model.load_state_dict(state["training_model"] or state["model"])
        if self.ema is not None:
            with self.kept_weights():
                self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        for group, options in zip(self.optimizer.param_groups, self.options, strict=True):
            group.update(options)
        if state["scaler"] or not self.scaler.is_enabled():  # a run may turn to fp16 when it goes on
            self.scaler.load_state_dict(state["scaler"])
