"""A trained model taken out of its run folder: to look at, to ask, to score."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seqtrain.batch import EOS, Examples
from seqtrain.config import RunConfig, Tree, build_config
from seqtrain.device import autocast, pick_device, pick_precision
from seqtrain.errors import CheckpointError, ConfigError
from seqtrain.model import Model
from seqtrain.models import build_model
from seqtrain.runs.find import find_run
from seqtrain.runs.restoring import restore_task, restore_weights
from seqtrain.runs.run_folder import CONFIG, read_tree
from seqtrain.spec import Align
from seqtrain.tasks import Split, Task
from seqtrain.tasks.class_scores import ClassScore
from seqtrain.tasks.given import Given, Source
from seqtrain.training.evaluator import Evaluator

AT_ONCE = 16
"""Batches of new input that are held at a time: those of like length are answered together."""


@dataclass(frozen=True)
class Scores:
    """How well a model does on some data.

    Attributes:
        examples: How many there were.
        metrics: Loss and metrics by name, as in the run's summary.
        classes: Of tasks with classes, how well each is told; else none.
    """

    examples: int
    metrics: dict[str, float]
    classes: list[ClassScore]


@dataclass
class Trained:
    """A model with the weights of a checkpoint, and all that reads new input for it.

    Attributes:
        folder: The run folder.
        config: The run's options, `device` replaced by the one in use.
        task: Restored: it knows its vocabulary, classes and scales, and has read no data.
        model: On its device, in evaluation mode.
        device: Where the model is.
        step: Optimizer steps that the weights have behind them.
    """

    folder: Path
    config: RunConfig
    task: Task
    model: Model
    device: torch.device
    step: int
    _prepared: bool = field(default=False, init=False, repr=False)

    def predict(self, inputs: Path | Iterable[Any]) -> list[dict[str, Any]]:
        """What the model makes of new input, one record for each, in order.

            trained.predict(["a fine film", "a waste of time"])
            trained.predict(Path("reviews.tsv"))

        Args:
            inputs: A file, or what the task reads: texts, lists of words, sounds, series, films. A text alone is one.

        Raises:
            DataError: If one can't be read; names it.
        """
        return list(self.answers(self.given(inputs)))

    def answers(
        self, given: Iterable[Given], batch_size: int | None = None, at_once: int | None = None
    ) -> Iterator[dict[str, Any]]:
        """As `predict`, record by record while inputs are still read.

        Args:
            given: The inputs.
            batch_size: Inputs that are answered together; None is as in training.
            at_once: Inputs that are read before they are answered; None is some batches.
        """
        evaluator = self.evaluator(batch_size)
        for some in _some(given, at_once or AT_ONCE * evaluator.batch_size):
            yield from self.task.records(some, evaluator.new_samples(self.task.new_examples(some)))

    def generate(self, inputs: Path | Iterable[Any] | None = None, steps: int | None = None) -> list[dict[str, Any]]:
        """How the model goes on where inputs end, one record for each: text, a translation, forecast rows, frames.

            trained.generate(["To be, "])
            trained.generate(Path("sales.csv"), steps=30)

        How text is written is for the options of `load` to say: {"decoder.temperature": 0.5, "task.sample_length": 80}.

        Args:
            inputs: As of `predict`; None takes some of the run's own data, its end where it goes on in time.
            steps: Rows or frames; None is as many as the model tells at once. Further ones are told from those before.

        Raises:
            ConfigError: If the task's answers go on from nothing, or not in steps.
            DataError: If an input can't be read.
        """
        self.check_goes_on()
        return [record for _, record in self.generated(self.given(inputs), steps)]

    def generated(self, given: Iterable[Given], steps: int | None = None) -> Iterator[tuple[Given, dict[str, Any]]]:
        """As `generate`, with the input of each record."""
        self.check_goes_on()
        ahead = self.task.ahead
        if steps is not None and ahead is None:
            raise ConfigError(f"steps={steps}: task={self.config.task_name} doesn't go on in rows or frames")
        if steps is not None and steps < 1:
            raise ConfigError(f"steps={steps}: must be at least 1")
        if ahead is not None:
            yield from ((each, self._further(each, ahead, steps)) for each in given)
        elif self.task.spec.align is Align.FREE:
            for some in _some(given, AT_ONCE * self.config.trainer.sequences):
                yield from zip(some, self.answers(some), strict=True)
        else:
            for each in given:
                yield each, {**each.told, "prompt": each.value, "text": "".join(self.write(each))}

    def check_goes_on(self) -> None:
        """Raises ConfigError if the task's answers go on from nothing."""
        if self.task.ahead is None and self.task.spec.align is not Align.FREE and not self.writes:
            raise ConfigError(
                f"task={self.config.task_name}: has nothing to generate; `seqtrain predict` gives its answers"
            )

    @property
    def writes(self) -> bool:
        """Whether the model goes on with text where a text ends."""
        return self.task.spec.align is Align.EACH and self.task.spec.continues

    def write(self, prompt: str | Given) -> Iterator[str]:
        """Goes on with a text, piece by piece as it is written.

        Raises:
            DataError: If the prompt is blank.
        """
        given = prompt if isinstance(prompt, Given) else Given(prompt, "the prompt")
        batch = self.task.new_examples([given]).batch(np.zeros(1, np.int64), 0)
        symbols = self.model.write(batch.to(self.device))
        ids, told = batch.inputs[0], len(self.task.text_of(batch.inputs[0]))
        while True:
            with torch.inference_mode(), autocast(self.device, self.evaluator().precision):
                said = next(symbols, None)
            if said is None or int(said) == EOS:
                return
            ids = torch.cat([ids, said.cpu()])
            text = self.task.text_of(ids)
            yield text[told:]
            told = len(text)

    def given(self, inputs: Path | Iterable[Any] | None) -> Iterator[Given]:
        """Inputs as `answers` takes them; None is some of the run's own data."""
        if inputs is None:
            return self.task.own_inputs(self.config.data_dir, self.config.seed)
        if isinstance(inputs, Path):
            return self.task.new_inputs(Source(inputs))
        inputs = [inputs] if isinstance(inputs, str) else inputs
        return (Given(value, f"input {number}") for number, value in enumerate(inputs, 1))

    def _further(self, given: Given, ahead: str, steps: int | None) -> dict[str, Any]:
        """The record of an input whose answer goes on for so many steps."""
        record = next(self.answers([given]))
        told = record[ahead]
        while steps is not None and len(told) < steps:
            given = self.task.continued(given, record)
            record = next(self.answers([given]))
            told = np.concatenate([told, record[ahead]]) if isinstance(told, np.ndarray) else told + record[ahead]
        return {**record, ahead: told[:steps]}

    def evaluate(self, data: str | Path | Sequence[Path] = "val", batch_size: int | None = None) -> Scores:
        """How well the model does on a split of the data that it was trained on, or on a labelled file.

            trained.evaluate("test").metrics["accuracy"]

        Args:
            data: train, val or test, which are read anew, or a file; two files, where targets have one of their own.
                Examples to train on are read as in training: words are dropped, sounds changed.
            batch_size: Examples that are read together; None is as in training, for the very figures of the run.

        Raises:
            CheckpointError: If the data gives another vocabulary, or other classes or scales, than in training.
            DataError: If it can't be read.
        """
        examples = self.examples(data)
        counted = self.task.class_scores()
        metrics = self.evaluator(batch_size).evaluate(examples, class_scores=counted)
        return Scores(len(examples), metrics, [] if counted is None else counted.rows())

    def evaluator(self, batch_size: int | None = None) -> Evaluator:
        """What answers examples in the precision of the run, or in float32 where the device has no such."""
        options = self.config.trainer
        amp = "auto" if options.amp == "fp16" and self.device.type == "cpu" else options.amp
        size = options.sequences if batch_size is None else batch_size
        if size < 1:
            raise ConfigError(f"batch_size={size}: must be at least 1")
        precision = pick_precision(amp, self.device, self.model)
        return Evaluator(self.model, self.task, self.device, precision, size, num_workers=options.num_workers)

    def examples(self, data: str | Path | Sequence[Path] = "val") -> Examples:
        """A split of the data that the run was trained on, read anew, or a labelled file; as of `evaluate`.

        Raises:
            CheckpointError: If the data gives another vocabulary, or other classes or scales, than in training.
            DataError: If it can't be read.
        """
        if data not in list(Split):
            return self.task.file_examples([Path(data)] if isinstance(data, str | Path) else data)
        if not self._prepared:
            before = _plain(self.task.assets())
            self.task.prepare(self.config.data_dir, self.config.seed)
            for name, content in _plain(self.task.assets()).items():
                if content != before.get(name):
                    raise CheckpointError(
                        f"{self.folder / name}: the data gives another {name} than in training; it has changed"
                    )
            self._prepared = True
        return self.task.examples(Split(data))


def load(
    run: str | Path, checkpoint: str = "best", device: str = "auto", options: Mapping[str, Any] | None = None
) -> Trained:
    """Takes the model out of a run folder; reads no data.

    Args:
        run: The folder, or "last" for the newest one below `outputs`.
        checkpoint: "best" by the validation metric, or the "last" that was saved.
        device: auto, cpu, cuda, cuda:N or mps.
        options: Of the run that should be others now, such as {"decoder.beam_size": 4}.

    Raises:
        CheckpointError: If the folder is no run, lacks what the model or the task needs, or its parts don't fit
            together; names the file.
        ConfigError: If the checkpoint is neither of the two, the device isn't there, or an option can't be so.
    """
    folder = find_run(str(run))
    config = _configured(folder, options or {})
    where = pick_device(device)
    restore_task(config.task, folder)
    with torch.random.fork_rng(devices=[]):  # the first weights are drawn, only to be replaced
        model = build_model(config.model, config.task.spec, config.decoder)
    step = restore_weights(model, folder, checkpoint)
    return Trained(folder, replace(config, device=str(where)), config.task, model.to(where).eval(), where, step)


def _configured(folder: Path, options: Mapping[str, Any]) -> RunConfig:
    """What a run folder's configuration describes, with other values for some options."""
    try:
        return build_config(_with_options(read_tree(folder), options))
    except ConfigError as error:
        if options:
            _configured(folder, {})  # the folder's own faults first
            raise
        raise CheckpointError(f"{folder / CONFIG}: {error}") from None


def _with_options(tree: Tree, options: Mapping[str, Any]) -> Tree:
    """A configuration in which some values are others; whether they can be is for `build_config` to say."""
    for path, value in options.items():
        *groups, key = path.split(".")
        node = tree
        for group in groups:
            node = node.setdefault(group, {})
            if not isinstance(node, dict):
                raise ConfigError(f"{path}: {group} has no parts")
        node[key] = value
    return tree


def _some(given: Iterable[Given], count: int) -> Iterator[list[Given]]:
    """The inputs in lists of this size; the last may be shorter."""
    iterator = iter(given)
    while some := list(islice(iterator, count)):
        yield some


def _plain(assets: dict[str, Any]) -> dict[str, Any]:
    """Assets as they come back from a file."""
    plain: dict[str, Any] = json.loads(json.dumps(assets))
    return plain
