"""What a task is to the training loop."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
from jaxtyping import Int
from torch import Tensor

from seqtrain.batch import Batch, Examples
from seqtrain.errors import DataError
from seqtrain.picture import Picture
from seqtrain.shown import Shown
from seqtrain.spec import Symbols, TaskSpec
from seqtrain.tasks.given import Given, Source

if TYPE_CHECKING:
    from torchmetrics import MetricCollection

    from seqtrain.tasks.class_scores import ClassScores


E = TypeVar("E", bound=Examples)


class Split(StrEnum):
    """The three parts of a data set."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"


@dataclass(frozen=True)
class Sample:
    """A batch and what a model made of it, all on the CPU.

    Attributes:
        batch: What was asked.
        outputs: What `Task.loss` takes.
        generated: What the model wrote by itself, (B, U); None where the task wants nothing written. Of new input
            that has no targets, it is the batch's targets too, which `outputs` then tell the chances of.
        attention: What each attention of the model looked at, (B, N, Q, T) each.
    """

    batch: Batch
    outputs: Tensor
    generated: Tensor | None
    attention: tuple[Tensor, ...]


class Splits(dict[Split, E]):
    """The splits of a task's data, each read when it is first asked for: that of the test after training."""

    def __init__(self, read: Callable[[Split], E] | None = None) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, split: Split) -> E:
        assert self._read is not None, "prepare comes first"
        self[split] = self._read(split)
        return self[split]


class Task(ABC):
    """Data, vocabulary, loss and metrics of one kind of sequence problem.

    A task is made from its options alone, reading nothing, so that a senseless pair with a model is
    refused at once; `prepare` then reads train and validation data. The test split is read when
    `examples(Split.TEST)` is first asked for, which the loop does once, after training.
    """

    higher_is_better: ClassVar[bool]
    """Whether a larger value of `metric` is a better one."""
    real_data: ClassVar[str | None] = None
    """The real data set that it reads, or can read, by its name in `seqtrain.data`."""

    @property
    @abstractmethod
    def metric(self) -> str:
        """The validation metric that picks the best checkpoint, by the name `metrics` gives it; told by the options."""

    @property
    def unit(self) -> str:
        """What an input step is, in the plural: as in tokens per second."""
        return "tokens"

    @property
    @abstractmethod
    def outline(self) -> TaskSpec:
        """The spec as far as the options tell it, with sizes `UNREAD`."""

    @property
    def smoothable(self) -> bool:
        """Whether `loss` takes smoothing: where it is the cross-entropy of each symbol alone; told by the options."""
        output = self.outline.output
        return isinstance(output, Symbols) and not output.chained

    @abstractmethod
    def prepare(self, data_dir: Path, seed: int) -> None:
        """Reads or generates the training and validation data and settles the vocabulary.

        Args:
            data_dir: The folder that holds one folder per data set.
            seed: What generated data is made from.

        Raises:
            DataError: If a file is missing or malformed; names the file, and the line if there is one.
        """

    def notes(self) -> list[str]:
        """What a user should know of the data as `prepare` read it: what was cut off, or left out."""
        return []

    @property
    @abstractmethod
    def spec(self) -> TaskSpec:
        """The spec with every size known; only after `prepare` or `restore`."""

    @abstractmethod
    def examples(self, split: Split) -> Examples:
        """One split of the data; only after `prepare`."""

    @abstractmethod
    def loss(self, outputs: Tensor, batch: Batch, smoothing: float = 0.0) -> Tensor:
        """The loss summed over every scored element of the batch; padding is not scored.

        Args:
            outputs: Of the model.
            batch: What they answer.
            smoothing: The part of its probability that the right symbol gives to all symbols alike, itself among
                them, in training (Szegedy et al. 2016, section 7). Always 0 where the task isn't `smoothable`.
        """

    @abstractmethod
    def count(self, batch: Batch) -> int:
        """How many elements `loss` sums over, told without touching the device."""

    @abstractmethod
    def metrics(self) -> "MetricCollection":
        """Fresh metrics, exact over batches of any size."""

    @abstractmethod
    def score(
        self, metrics: "MetricCollection", outputs: Tensor, batch: Batch, generated: Tensor | None = None
    ) -> None:
        """Adds one batch to the metrics; padding is not scored.

        Args:
            metrics: What `metrics` gave.
            outputs: Of the model, as `loss` takes them.
            batch: What they answer.
            generated: What the model wrote by itself, (B, U); on FREE tasks only.
        """

    @abstractmethod
    def baseline(self) -> dict[str, float]:
        """What the best trivial answer scores on the validation split, by metric name."""

    def pictures(self, samples: Iterable[Sample]) -> Iterator[Picture]:
        """What is worth seeing of a model's answers on the validation split.

        Args:
            samples: The split in batches, answered as they are asked for: what isn't taken isn't computed.
        """
        return iter(())

    def input_names(self, ids: Int[np.ndarray, " N"]) -> list[str]:
        """What these ids stand for, of the inputs; none where inputs are no symbols."""
        return []

    def assets(self) -> dict[str, Any]:
        """What reading new input needs beyond the options, as file name to JSON content."""
        return {}

    def restore(self, assets: dict[str, Any]) -> None:
        """Takes back what `assets` gave, instead of `prepare`, when only new input is to be read."""
        assert not assets, "a task that gives assets takes them back"

    # ---------------------------------------------------------------- what a trained model is asked

    takes_text: ClassVar[bool] = False
    """Whether a text is an input of its own."""

    def new_inputs(self, source: Source) -> Iterator[Given]:
        """The inputs that a user's file or pipe holds, in order, as they are read.

        Raises:
            DataError: If it can't be read; names the line, or that the task reads no files.
        """
        raise DataError(f"{source}: {type(self).__name__} reads no new input")

    def new_examples(self, given: Sequence[Given]) -> Examples:
        """New inputs as a model reads them, with targets that mean nothing; only after `prepare` or `restore`.

        Raises:
            DataError: If a value is none that the task reads; names its place.
        """
        raise DataError(f"{given[0].place}: {type(self).__name__} reads no new input")

    def records(self, given: Sequence[Given], samples: Iterable[Sample]) -> Iterator[dict[str, Any]]:
        """What a model makes of new inputs, a record for each, in their order.

        A record is plain content for JSON, but for arrays of bytes: those are films, (T, Y, X).

        Args:
            given: The inputs.
            samples: All of their examples, answered, in any order.
        """
        records: dict[int, dict[str, Any]] = {}
        for sample in samples:
            indices = sample.batch.indices.tolist()
            asked = [given[index] for index in indices]
            records |= zip(indices, self.answer(asked, sample), strict=True)
        for index, each in enumerate(given):
            yield {**each.told, **records[index]}

    def answer(self, given: Sequence[Given], sample: Sample) -> Iterator[dict[str, Any]]:
        """The records of one batch, where each input is one example.

        Args:
            given: The input of each sequence of the batch.
            sample: The batch, answered.
        """
        raise NotImplementedError

    ahead: ClassVar[str | None] = None
    """Which part of a record goes on where the input ends, if one does: rows or frames."""

    def own_inputs(self, data_dir: Path, seed: int) -> Iterator[Given]:
        """Inputs to begin with where the user gives none, out of the data itself; never of the test split.

        Raises:
            DataError: If there are none such.
        """
        raise DataError(f"{type(self).__name__} has no input of its own; give it a file")

    def text_of(self, ids: Tensor) -> str:
        """The text of ids (T,) that a model wrote, where it writes text that goes on from its input."""
        raise NotImplementedError

    def drawn(self, given: Given, record: dict[str, Any]) -> Picture | None:
        """An input and its answer to look at; None where there is nothing to see."""
        return None

    def shown(self, sample: Sample, row: int, given: Given | None = None) -> Shown:
        """One example with its answer, as parts that a page can draw; nothing where the task has none.

        Args:
            sample: A batch, answered.
            row: Which of its sequences.
            given: The new input that it is, whose targets mean nothing; None for an example of the task's own data.
        """
        return Shown()

    def continued(self, given: Given, record: dict[str, Any]) -> Given:
        """An input with its answer behind it: asked again, it tells what comes after that.

        Raises:
            DataError: If an answer doesn't go on where its input ends.
        """
        raise DataError(f"{given.place}: {type(self).__name__} goes on no further")

    def file_examples(self, paths: Sequence[Path]) -> Examples:
        """A user's labelled data as `examples` gives a split; only after `prepare` or `restore`.

        Args:
            paths: One file or folder; two where inputs and targets have a file each.

        Raises:
            DataError: If it can't be read; names the file, and the line if there is one.
        """
        raise DataError(f"{paths[0]}: {type(self).__name__} scores no files")

    def class_scores(self) -> "ClassScores | None":
        """What counts right and wrong answers class by class; None where there are no classes."""
        return None
