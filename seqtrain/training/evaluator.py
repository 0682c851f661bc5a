"""A model's answers to a task's examples: scored, or one batch after the other to look at."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from seqtrain.batch import PAD, Batch, Examples
from seqtrain.device import autocast
from seqtrain.distributed.team import Team, together
from seqtrain.model import Model, State
from seqtrain.spec import Align
from seqtrain.tasks.task import Sample, Task
from seqtrain.training.loader import eval_loader
from seqtrain.training.memory import out_of_memory_told

if TYPE_CHECKING:
    from seqtrain.tasks.class_scores import ClassScores


class Interrupted(Exception):  # noqa: N818  # not an error: somebody asked
    """An evaluation was asked to stop before its end."""


@dataclass
class Evaluator:
    """Reads examples as a model in evaluation does.

    Attributes:
        model: On its device.
        task: What the examples are of.
        device: Where the model is.
        precision: What matrix products run in; None leaves all in float32.
        batch_size: Examples read at once; no answer depends on it.
        num_workers: Processes that read ahead while a split is scored.
        team: Those that score together, each its share of every batch; its flag ends a scoring before its time.
        network: What answers in the model's place: the model itself, unless it has been compiled.
    """

    model: Model
    task: Task
    device: torch.device
    precision: torch.dtype | None
    batch_size: int
    num_workers: int = 0
    team: Team = field(default_factory=Team)
    network: Callable[..., tuple[Tensor, State]] | None = None

    def answer(self, batch: Batch, memory: State | None, examples: Examples) -> tuple[Tensor, State | None]:
        """The model's outputs in full precision, and what the next batch of the examples remembers, if they go on."""
        network = self.model if self.network is None else self.network
        with autocast(self.device, self.precision):
            outputs, state = network(batch, taken_up(memory, len(batch)))
        return outputs.float(), tuple(part.detach() for part in state) if examples.successive else None

    def generate(self, batch: Batch) -> Tensor:
        """What the model writes by itself."""
        with autocast(self.device, self.precision):
            return self.model.generate(batch)

    def evaluate(
        self,
        examples: Examples,
        batches: Iterable[Batch] | None = None,
        class_scores: "ClassScores | None" = None,
    ) -> dict[str, float]:
        """Loss and metrics over all examples: the loss first, then the metric that picks the best checkpoint.

        Args:
            examples: A split.
            batches: Of the split, where not all of it is to be read, or by several processes.
            class_scores: What counts the same answers class by class, if that is wanted.

        Raises:
            Interrupted: If it is asked to stop.
        """
        metrics = self.task.metrics().to(self.device)
        loss, count = torch.zeros((), device=self.device), 0
        memory: State | None = None
        self.model.eval()
        with torch.inference_mode():
            for batch in self.batches(examples) if batches is None else batches:
                self.team.agree()
                if self.team.stop.received:
                    raise Interrupted
                if not len(batch):  # another process has a share of it
                    continue
                batch = batch.to(self.device)
                with out_of_memory_told(batch):
                    outputs, memory = self.answer(batch, memory, examples)
                    loss += self.task.loss(outputs, batch)
                    count += self.task.count(batch)
                    generated = self.generate(batch) if self.task.spec.align is Align.FREE else None
                    self.task.score(metrics, outputs, batch, generated)
                    if class_scores is not None:
                        class_scores.add(outputs, batch)
        total, elements = self.team.agree(float(loss), count)
        with together():  # metrics add up their sums over all processes by themselves
            scores = metrics.compute()
        values = {"loss": total / elements, **{name: float(value) for name, value in scores.items()}}
        order = sorted(values, key=lambda name: (name != "loss", name != self.task.metric, name))
        return {name: values[name] for name in order}

    def samples(self, examples: Examples, batches: Iterable[Batch] | None = None) -> Iterator[Sample]:
        """All examples, or these batches of them, answered as asked for; leaves the model in evaluation mode."""
        memory: State | None = None
        spec = self.task.spec
        writes = spec.align is Align.FREE or (spec.align is Align.EACH and spec.continues)
        self.model.eval()
        for batch in self.batches(examples) if batches is None else batches:
            with torch.inference_mode():
                moved = batch.to(self.device)
                weights = self.model.attention_weights(moved, taken_up(memory, len(batch)))
                outputs, memory = self.answer(moved, memory, examples)
                generated = self.generate(moved).cpu() if writes else None
            yield Sample(batch, outputs.cpu(), generated, tuple(part.float().cpu() for part in weights))

    def new_samples(self, examples: Examples, *, attention: bool = False) -> Iterator[Sample]:
        """New input, which has no targets, answered batch by batch as it is asked for.

        What a model writes for it takes the place of its targets, so that the outputs tell how likely it was.

        Args:
            examples: The input.
            attention: Whether the weights of attention are wanted, which costs a second reading.
        """
        self.model.eval()
        for batch in self.batches(examples):
            with torch.inference_mode():
                moved = batch.to(self.device)
                generated: Tensor | None = None
                weights: tuple[Tensor, ...] = ()
                if self.task.spec.align is Align.FREE:
                    generated = self.generate(moved)
                    lengths = (generated != PAD).sum(1).cpu().clamp(min=1)
                    moved = replace(moved, targets=generated, target_lengths=lengths)
                    batch = replace(moved, inputs=batch.inputs, targets=generated.cpu())
                if attention:
                    weights = self.model.attention_weights(moved)
                outputs, _ = self.answer(moved, None, examples)
            written = None if generated is None else generated.cpu()
            yield Sample(batch, outputs.cpu(), written, tuple(part.float().cpu() for part in weights))

    def batches(self, examples: Examples) -> Iterable[Batch]:
        """All examples in batches."""
        return eval_loader(examples, self.batch_size, num_workers=self.num_workers)


def taken_up(memory: State | None, sequences: int) -> State | None:
    """What the sequences of a batch remember of the batch before, which may have had more."""
    return None if memory is None else tuple(part[:, :sequences] for part in memory)
