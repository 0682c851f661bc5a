"""Predicting films: digits that bounce in their frame, or a user's own."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from seqtrain import limits
from seqtrain.batch import Batch, Examples
from seqtrain.errors import CheckpointError, ConfigError, DataError
from seqtrain.picture import Picture
from seqtrain.seeding import stream
from seqtrain.shown import Frames, Shown
from seqtrain.spec import UNREAD, Align, TaskSpec, Values
from seqtrain.tasks import given as new
from seqtrain.tasks.images import drawing
from seqtrain.tasks.images.bouncing import Bouncing
from seqtrain.tasks.images.digits import SIDE, DigitSource, read_digits
from seqtrain.tasks.images.films import Films, Layout, OwnFilms
from seqtrain.tasks.images.new_images import as_bytes, film_of, pixels_of, read_films
from seqtrain.tasks.images.patches import fold, unfold
from seqtrain.tasks.sequences import Sequences
from seqtrain.tasks.task import Sample, Split, Splits, Task

if TYPE_CHECKING:
    from torchmetrics import MetricCollection

OF_BOUNCING = ("digits", "digits_per_frame", "size", "speed", "train_size", "val_size", "test_size")
OF_FILES = ("layout", "val_fraction", "test_fraction")

SIZES = {
    "drawn": {Split.TRAIN: 1_000, Split.VAL: 200, Split.TEST: 1_000},
    "mnist": {Split.TRAIN: 10_000, Split.VAL: 500, Split.TEST: 10_000},
}
"""Films, where the user doesn't say."""
DRAWN_DIGITS = 2_000
"""Digits to choose from in each split, where they are drawn."""
MNIST_SEED = 0
"""What MNIST's validation and test films are made from, whatever the run's seed: they are a fixed set."""

MOST_AVERAGED = 500
"""Training films that the mean frame is taken of."""
SHOWN = 3
"""Films in a picture."""


@dataclass(eq=False)
class MovingMNIST(Task):
    """Frames that are seen, and those after them that are to be predicted.

    Training films are new in every epoch. An option that is None was not given; one that is given must belong to
    the kind of data that is asked for.

    Attributes:
        frames_in: Frames that are seen.
        frames_out: Frames that are to be predicted.
        patch: Rows and columns of the squares of pixels that become channels; 1 leaves the frames alone.
        digits: Drawn by strokes (None), or MNIST's, where no split shows a digit of another.
        digits_per_frame: None is 2.
        size: Rows and columns of a frame; None is 64.
        speed: Pixels per frame; None is 3.6.
        train_size: Films in an epoch; None is 1,000, or 10,000 of MNIST.
        val_size: None is 200, or 500.
        test_size: None is 1,000, or 10,000.
        path: A file of films; None makes them from digits. See `OwnFilms`, as for the rest.
        layout: Likewise.
        val_fraction: Likewise.
        test_fraction: Likewise.
    """

    real_data: ClassVar[str | None] = "mnist"
    metric: ClassVar[str] = "mse"
    higher_is_better: ClassVar[bool] = False
    unit: ClassVar[str] = "frames"
    ahead: ClassVar[str | None] = "frames"

    frames_in: int = 10
    frames_out: int = 10
    patch: int = 4

    digits: DigitSource | None = None
    digits_per_frame: int | None = None
    size: int | None = None
    speed: float | None = None
    train_size: int | None = None
    val_size: int | None = None
    test_size: int | None = None

    path: Path | None = None
    layout: Layout | None = None
    val_fraction: float | None = None
    test_fraction: float | None = None

    _files: OwnFilms | None = field(default=None, init=False, repr=False)
    _frame: tuple[int, int] = field(default=(UNREAD, UNREAD), init=False, repr=False)
    _examples: "Splits[Examples]" = field(default_factory=Splits, init=False, repr=False)

    def __post_init__(self) -> None:
        limits.at_least("task", 1, frames_in=self.frames_in, frames_out=self.frames_out, patch=self.patch)
        if self.path is not None:
            self._refuse(OF_BOUNCING, f"is about bouncing digits, but task.path={self.path} is a file")
            self._files = OwnFilms(self.path, self.layout, self.val_fraction, self.test_fraction)
            return
        self._refuse(OF_FILES, "is about a file, and needs task.path")
        limits.at_least("task", 1, digits_per_frame=self.digits_per_frame)
        limits.at_least("task", 1, train_size=self.train_size, val_size=self.val_size, test_size=self.test_size)
        limits.at_least("task", 0, speed=self.speed)
        size = 64 if self.size is None else self.size
        if size < SIDE:
            raise ConfigError(f"task.size={size}: must be at least {SIDE}, for a digit to fit in")
        if size % self.patch:
            raise ConfigError(f"task.patch={self.patch}: must divide the frame's {size} rows and columns")
        self._frame = (size, size)

    @property
    def outline(self) -> TaskSpec:
        """Frames in, frames out; how large they are, of a file only the data will tell."""
        rows, columns = (side // self.patch for side in self._frame)
        frame = Values((self.patch**2, rows, columns))
        return TaskSpec(frame, frame, Align.AHEAD, horizon=self.frames_out, continues=True)

    @property
    def spec(self) -> TaskSpec:
        """The outline, with the size of the frames."""
        assert UNREAD not in self._frame, "prepare or restore comes first"
        return self.outline

    def prepare(self, data_dir: Path, seed: int) -> None:
        """Draws or reads the digits that train and validate, or opens the file."""
        self._examples = Splits(lambda split: self._made(split, data_dir, seed))
        for split in (Split.TRAIN, Split.VAL):
            self._examples[split] = self._made(split, data_dir, seed)

    def examples(self, split: Split) -> Examples:
        """The films of one split; those of the test split are made or read when first asked for."""
        return self._examples[split]

    def loss(self, outputs: Float[Tensor, "B U D V W"], batch: Batch, smoothing: float = 0.0) -> Float[Tensor, ""]:
        """The squared error, summed over every pixel of every predicted frame."""
        return F.mse_loss(outputs.float(), brightness(batch.targets), reduction="sum")

    def count(self, batch: Batch) -> int:
        """The number of pixels to be predicted in the batch."""
        return batch.targets.numel()

    def metrics(self) -> "MetricCollection":
        """Squared and absolute error, summed over a frame's pixels, and structural similarity; means over frames."""
        # Imported where it is used: torchmetrics takes a second to load.
        from seqtrain.tasks.images.frame_metrics import frame_metrics

        return frame_metrics()

    def score(
        self,
        metrics: "MetricCollection",
        outputs: Float[Tensor, "B U D V W"],
        batch: Batch,
        generated: Tensor | None = None,
    ) -> None:
        """Adds the predicted frames of one batch; brighter than white is white, darker than black is black."""
        from seqtrain.tasks.images.frame_metrics import score_frames

        score_frames(metrics, self._pixels(outputs), self._pixels(brightness(batch.targets)))

    def baseline(self) -> dict[str, float]:
        """The best of black frames, the mean frame of training, and the last frame seen again and again, by mse."""
        train = self.examples(Split.TRAIN)
        mean = brightness(train.batch(np.arange(min(len(train), MOST_AVERAGED)), 0).inputs).mean((0, 1))
        metrics, answers = self.metrics(), {"zeros": torch.zeros(()), "mean": mean, "last": None}
        errors = dict.fromkeys(answers, 0.0)
        for batch in self._val_batches():
            for name, answer in answers.items():
                errors[name] += float(self.loss(_repeated(answer, batch), batch))
        best = answers[min(errors, key=errors.__getitem__)]
        for batch in self._val_batches():
            self.score(metrics, _repeated(best, batch), batch)
        return {name: float(value) for name, value in metrics.compute().items()}

    def pictures(self, samples: Iterable[Sample]) -> Iterator[Picture]:
        """A few films as strips and in motion, and how the error grows with the frames ahead."""
        sample = next(iter(samples))
        seen, truth = (self._pixels(brightness(part))[:, :, 0] for part in (sample.batch.inputs, sample.batch.targets))
        answers = self._pixels(sample.outputs)[:, :, 0]
        yield Picture("frames", drawing.strips(*(part[:SHOWN].numpy() for part in (seen, truth, answers))))
        yield Picture("film", drawing.film(*(part[:SHOWN].numpy() for part in (seen, truth, answers))))
        errors = {
            "model": (answers - truth).square(),
            "last frame": (seen[:, -1:] - truth).square(),
            "black": truth.square(),
        }
        curves = {name: error.sum((2, 3)).mean(0).numpy() for name, error in errors.items()}
        yield Picture("error-by-frame", drawing.curves(curves))

    def assets(self) -> dict[str, Any]:
        """The size of the frames, where a file told it."""
        return {} if self._files is None else {"frame.json": list(self._frame)}

    def restore(self, assets: dict[str, Any]) -> None:
        """Takes the size of the frames back.

        Raises:
            CheckpointError: If it isn't what `assets` gave.
        """
        if self._files is None:
            super().restore(assets)
            return
        match assets.get("frame.json"):
            case [int(rows), int(columns)] if min(rows, columns) > 0:
                self._frame = (rows, columns)
            case _:
                raise CheckpointError("frame.json: should hold the rows and columns of a frame")

    def new_inputs(self, source: new.Source) -> Iterator[new.Given]:
        """A .npy or .npz file of one film or of several."""
        return read_films(source, self.layout)

    def new_examples(self, given: Sequence[new.Given]) -> Sequences:
        """Films (T, Y, X), of which the last frames are seen."""
        films = [torch.from_numpy(film_of(each, self.frames_in, self._frame).copy()) for each in given]
        folded = [fold(film[None, :, None], self.patch)[0].numpy() for film in films]
        return Sequences(folded, torch.zeros(len(given), self.frames_out, *folded[0].shape[1:]))

    def answer(self, given: Sequence[new.Given], sample: Sample) -> Iterator[dict[str, Any]]:
        """The frames that are predicted to follow those of each film."""
        for frames in self._pixels(sample.outputs)[:, :, 0]:
            yield {"frames": (255 * frames).round().to(torch.uint8).numpy()}

    def shown(self, sample: Sample, row: int, given: new.Given | None = None) -> Shown:
        """The frames that are seen, those that came, and those predicted."""
        parts = {"seen": brightness(sample.batch.inputs[row : row + 1])}
        if given is None:
            parts["what came"] = brightness(sample.batch.targets[row : row + 1])
        parts["predicted"] = sample.outputs[row : row + 1]
        return Shown([Frames(name, self._pixels(frames)[0, :, 0].numpy()) for name, frames in parts.items()])

    def own_inputs(self, data_dir: Path, seed: int) -> Iterator[new.Given]:
        """The first film of the validation split, as far as it is seen."""
        self.prepare(data_dir, seed)
        seen = self.examples(Split.VAL).batch(np.zeros(1, np.int64), 0).inputs
        yield new.Given(unfold(seen, self.patch)[0, :, 0].numpy(), "validation film 0")

    def drawn(self, given: new.Given, record: dict[str, Any]) -> Picture:
        """The film, in a frame that lights up where prediction begins."""
        return Picture("film", drawing.ahead(as_bytes(pixels_of(given, 3))[-self.frames_in :], record["frames"]))

    def continued(self, given: new.Given, record: dict[str, Any]) -> new.Given:
        """The film and the frames predicted."""
        return replace(given, value=np.concatenate([as_bytes(pixels_of(given, 3)), record["frames"]]))

    def file_examples(self, paths: Sequence[Path]) -> Films:
        """The films of a .npy or .npz file."""
        path = new.single(paths)
        films = OwnFilms(path, self.layout).open(self.frames_in + self.frames_out, self.patch)
        if films.shape[2:] != self._frame:
            rows, columns = self._frame
            raise DataError(f"{path}: the model's frames are of {rows} x {columns} pixels, and these are not")
        return Films(
            films,
            np.arange(len(films)),
            frames_in=self.frames_in,
            frames_out=self.frames_out,
            patch=self.patch,
            seed=None,
        )

    def _val_batches(self) -> Iterator[Batch]:
        val = self.examples(Split.VAL)
        return (val.batch(indices, 0) for indices in np.array_split(np.arange(len(val)), len(val) // 64 + 1))

    def _pixels(self, outputs: Float[Tensor, "B T D V W"]) -> Float[Tensor, "B T 1 Y X"]:
        return unfold(outputs.float(), self.patch).clamp(0, 1)

    def _made(self, split: Split, data_dir: Path, seed: int) -> Examples:
        if self._files is not None:
            films = self._files.open(self.frames_in + self.frames_out, self.patch)
            self._frame = films.shape[2:]
            return Films(
                films,
                self._files.rows(split, len(films)),
                frames_in=self.frames_in,
                frames_out=self.frames_out,
                patch=self.patch,
                seed=seed if split is Split.TRAIN else None,
            )
        source = self.digits or "drawn"
        digits = read_digits(source, split, DRAWN_DIGITS if source == "drawn" else None, data_dir, seed)
        size = {Split.TRAIN: self.train_size, Split.VAL: self.val_size, Split.TEST: self.test_size}[split]
        fixed = source == "mnist" and split is not Split.TRAIN
        return Bouncing(
            digits.images,
            size or SIZES[source][split],
            int(stream(MNIST_SEED if fixed else seed, f"moving_mnist/{split}").integers(2**63)),
            frames_in=self.frames_in,
            frames_out=self.frames_out,
            digits_per_frame=2 if self.digits_per_frame is None else self.digits_per_frame,
            size=self._frame[0],
            speed=3.6 if self.speed is None else self.speed,
            patch=self.patch,
        )

    def _refuse(self, names: tuple[str, ...], why: str) -> None:
        for name in names:
            value = getattr(self, name)
            if value is not None:
                raise ConfigError(f"task.{name}={value}: {why}")


def _repeated(frame: Tensor | None, batch: Batch) -> Float[Tensor, "B U D V W"]:
    """The same frame as every answer; None is the last one seen."""
    return (brightness(batch.inputs[:, -1:]) if frame is None else frame).expand(batch.targets.shape)


def brightness(pixels: Tensor) -> Tensor:
    """Pixels as numbers in 0 to 1; bytes stand for them in steps of 1/255."""
    return pixels.float() / 255 if pixels.dtype == torch.uint8 else pixels
