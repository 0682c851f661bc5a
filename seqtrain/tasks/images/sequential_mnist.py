"""Reading images of digits row by row, or pixel by pixel."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from seqtrain import limits
from seqtrain.batch import Batch, Examples
from seqtrain.picture import Picture
from seqtrain.seeding import stream
from seqtrain.shown import Raster, Shown
from seqtrain.spec import Align, Symbols, TaskSpec, Values
from seqtrain.tasks import drawing
from seqtrain.tasks.class_scores import LabelScores, chosen, label_records
from seqtrain.tasks.given import Given, Source
from seqtrain.tasks.images.digits import CLASSES, SIDE, DigitSource, read_digits
from seqtrain.tasks.images.new_images import image_of, read_images
from seqtrain.tasks.probes import drawing as drawing_probes
from seqtrain.tasks.task import Sample, Split, Splits, Task

if TYPE_CHECKING:
    from torchmetrics import MetricCollection

Order = Literal["rows", "pixels", "permuted"]

DRAWN_SIZES = {Split.TRAIN: 10_000, Split.VAL: 1_000, Split.TEST: 1_000}
"""Images, where they are drawn and the user doesn't say."""

DRAWN_HEIGHT = 26.0
"""Of a drawn digit, which fills its image: through blank rows at the end an Elman network learns next to nothing."""

NAMES = [str(digit) for digit in range(CLASSES)]

SHOWN = 32
"""Misread images in a picture."""


@dataclass(eq=False)
class SequentialMNIST(Task):
    """Which digit an image shows, read in steps.

    Attributes:
        digits: Drawn by strokes, or MNIST's: 55,000 to train, 5,000 to validate, 10,000 to test.
        order: A row of 28 pixels a step, or one pixel a step (Le 2015, arXiv 1504.00941, section 4.2), row by row or
            in an order that mixes them all; it is the same in every run.
        train_size: Images to train on; None is 10,000, or all of MNIST's.
        val_size: None is 1,000, or all.
        test_size: None is 1,000, or all.
    """

    real_data: ClassVar[str | None] = "mnist"
    metric: ClassVar[str] = "accuracy"
    higher_is_better: ClassVar[bool] = True

    digits: DigitSource = "drawn"
    order: Order = "rows"
    train_size: int | None = None
    val_size: int | None = None
    test_size: int | None = None

    _examples: "Splits[Images]" = field(default_factory=Splits, init=False, repr=False)

    def __post_init__(self) -> None:
        limits.at_least("task", 1, train_size=self.train_size, val_size=self.val_size, test_size=self.test_size)

    @property
    def unit(self) -> str:
        """Rows, or pixels."""
        return "rows" if self.order == "rows" else "pixels"

    @property
    def outline(self) -> TaskSpec:
        """The whole spec: here the options alone tell every size."""
        return TaskSpec(Values((SIDE if self.order == "rows" else 1,)), Symbols(CLASSES), Align.WHOLE)

    @property
    def spec(self) -> TaskSpec:
        """The same as the outline."""
        return self.outline

    def prepare(self, data_dir: Path, seed: int) -> None:
        """Draws or reads the images that train and validate."""
        self._examples = Splits(lambda split: self._made(split, data_dir, seed))
        for split in (Split.TRAIN, Split.VAL):
            self._examples[split] = self._made(split, data_dir, seed)

    def examples(self, split: Split) -> "Images":
        """The images of one split; those of the test split are drawn or read when first asked for."""
        return self._examples[split]

    def loss(self, outputs: Float[Tensor, "B V"], batch: Batch, smoothing: float = 0.0) -> Float[Tensor, ""]:
        """The cross-entropy in nats, summed over the images."""
        return F.cross_entropy(outputs.float(), batch.targets, reduction="sum", label_smoothing=smoothing)

    def count(self, batch: Batch) -> int:
        """The number of images in the batch."""
        return len(batch)

    def metrics(self) -> "MetricCollection":
        """The share of right answers, and the mean over the digits of their F1."""
        # Imported where it is used: torchmetrics takes a second to load.
        from torchmetrics import MetricCollection
        from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

        # Checking every batch's values would make a GPU wait for each.
        return MetricCollection(
            {
                "accuracy": MulticlassAccuracy(CLASSES, average="micro", validate_args=False),
                "f1": MulticlassF1Score(CLASSES, average="macro", validate_args=False),
            }
        )

    def score(
        self,
        metrics: "MetricCollection",
        outputs: Float[Tensor, "B V"],
        batch: Batch,
        generated: Tensor | None = None,
    ) -> None:
        """Adds the answers for one batch."""
        metrics.update(outputs.argmax(-1), batch.targets)

    def baseline(self) -> dict[str, float]:
        """What the most frequent digit of the training images scores as the answer to every validation image."""
        answer = self.examples(Split.TRAIN).labels.bincount().argmax()
        truth = self.examples(Split.VAL).labels
        metrics = self.metrics()
        metrics.update(answer.expand_as(truth), truth)
        return {name: float(value) for name, value in metrics.compute().items()}

    def pictures(self, samples: Iterable[Sample]) -> Iterator[Picture]:
        """Which digits are taken for which, and the images that were misread."""
        counts = np.zeros((CLASSES, CLASSES), np.int64)
        misread: list[tuple[int, int]] = []
        for sample in samples:
            truth, answers = sample.batch.targets.numpy(), sample.outputs.argmax(-1).numpy()
            np.add.at(counts, (truth, answers), 1)
            wrong = (truth != answers).nonzero()[0]
            misread += zip(sample.batch.indices[wrong].tolist(), answers[wrong].tolist(), strict=True)
        yield Picture("confusion", drawing.confusion(counts, NAMES))
        if misread:
            examples = self.examples(Split.VAL)
            indices = [index for index, _ in misread[:SHOWN]]
            titles = [f"{examples.labels[index]} as {answer}" for index, answer in misread[:SHOWN]]
            yield Picture("misread", drawing_probes.images(examples.images[indices], titles))

    def new_inputs(self, source: Source) -> Iterator[Given]:
        """A .npy or .npz file of one image or of several."""
        return read_images(source)

    def new_examples(self, given: Sequence[Given]) -> "Images":
        """Images (28, 28) of white digits on black."""
        images = np.stack([image_of(each, (SIDE, SIDE)) for each in given])
        return Images(images, torch.zeros(len(images), dtype=torch.long), self.order)

    def answer(self, given: Sequence[Given], sample: Sample) -> Iterator[dict[str, Any]]:
        """The likeliest digit of each image, and the probability of each."""
        return label_records(sample.outputs, NAMES)

    def shown(self, sample: Sample, row: int, given: Given | None = None) -> Shown:
        """The image as it is read, row by row or folded up, and how likely each digit is."""
        image = sample.batch.inputs[row].float().reshape(SIDE, SIDE).numpy()
        answer, right = chosen(sample.outputs[row], sample.batch.targets[row], NAMES, known=given is None)
        label = "image, its pixels in the order in which they are read" if self.order == "permuted" else "image"
        return Shown([Raster(label, image), answer], right=right)

    def class_scores(self) -> LabelScores:
        """By digit."""
        return LabelScores(NAMES)

    def _made(self, split: Split, data_dir: Path, seed: int) -> "Images":
        size = {Split.TRAIN: self.train_size, Split.VAL: self.val_size, Split.TEST: self.test_size}[split]
        if size is None and self.digits == "drawn":
            size = DRAWN_SIZES[split]
        digits = read_digits(self.digits, split, size, data_dir, seed, height=DRAWN_HEIGHT)
        return Images(digits.images, torch.from_numpy(digits.labels), self.order)


class Images(Examples):
    """Images of one split, in steps.

    Attributes:
        images: As they are seen, not as they are read.
        labels: 0 to 9.
    """

    def __init__(self, images: UInt8[np.ndarray, "N 28 28"], labels: Int[Tensor, " N"], order: Order) -> None:
        self.images = images
        self.labels = labels
        self._steps = torch.from_numpy(images.copy())  # a file's bytes can't be written, and torch wants to
        if order != "rows":
            self._steps = self._steps.flatten(1).unsqueeze(-1)
        if order == "permuted":
            self._steps = self._steps[:, torch.from_numpy(stream(0, "permutation").permutation(SIDE**2))]

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, indices: NDArray[np.int64], epoch: int) -> Batch:
        """The images of these indices, as bytes."""
        chosen = torch.from_numpy(indices)
        steps = self._steps[chosen]
        return Batch(steps, torch.full((len(indices),), steps.shape[1]), self.labels[chosen], chosen)
