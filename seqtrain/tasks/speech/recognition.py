"""Telling what was said: one label for a recording, or a string of labels for several joined ones."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from jaxtyping import Float
from torch import Tensor

from seqtrain.batch import Batch, Examples
from seqtrain.errors import CheckpointError, ConfigError, DataError
from seqtrain.picture import Picture
from seqtrain.shown import Shown
from seqtrain.spec import Symbols, TaskSpec, Values
from seqtrain.tasks import given as new
from seqtrain.tasks.class_scores import ClassScores
from seqtrain.tasks.speech.audio import Wave
from seqtrain.tasks.speech.augmentation import Augmentation
from seqtrain.tasks.speech.corpus import Corpus, corpus, of_recordings
from seqtrain.tasks.speech.features import FeatureOptions, Kind, Normalization, Scale
from seqtrain.tasks.speech.new_recordings import new_corpus, read_recordings
from seqtrain.tasks.speech.sources import OwnRecordings, SoundSource
from seqtrain.tasks.speech.targets import ClassStrings, Label, Target
from seqtrain.tasks.speech.utterances import Utterances
from seqtrain.tasks.task import Sample, Split, Splits, Task

if TYPE_CHECKING:
    from torchmetrics import MetricCollection

OF_STRINGS = {"digits_min": "shortest", "digits_max": "longest", "beam_size": "beam_size"}
"""Options about strings, and what `ClassStrings` calls them."""


@dataclass(frozen=True)
class _Codes:
    """What is settled by the training split."""

    classes: tuple[str, ...]
    scale: Scale


@dataclass(eq=False)
class SpeechRecognition(Task):
    """Labels of recordings. The classes are the labels of the training split.

    Attributes:
        target: "label" asks for the label of each recording; "digits" joins recordings of one speaker and asks for
            the string of their labels.
        digits_min: The fewest recordings in a string; None is 3. For "digits" only, as the next two.
        digits_max: The most; None is 5.
        beam_size: Strings kept in a beam search for the answer; None is 1, which takes each step's likeliest symbol.
        features: See `FeatureOptions`, as down to `stack_frames`.
        sample_rate_hz: Likewise.
        window_ms: Likewise.
        hop_ms: Likewise.
        mels: Likewise.
        mfccs: Likewise.
        min_hz: Likewise.
        max_hz: Likewise.
        range_db: Likewise.
        normalize: Likewise.
        stack_frames: Likewise.
        speed: See `Augmentation`, as for the rest.
        warp: Likewise.
        freq_masks: Likewise.
        freq_mask_width: Likewise.
        time_masks: Likewise.
        time_mask_width: Likewise.
        added_noise: Likewise.
    """

    metric: ClassVar[str] = "accuracy"
    higher_is_better: ClassVar[bool] = True
    unit: ClassVar[str] = "frames"

    target: Literal["label", "digits"] = "label"
    digits_min: int | None = None
    digits_max: int | None = None
    beam_size: int | None = None

    features: Kind = "logmel"
    sample_rate_hz: int = 8000
    window_ms: float = 25.0
    hop_ms: float = 10.0
    mels: int = 40
    mfccs: int | None = None
    min_hz: float = 20.0
    max_hz: float | None = None
    range_db: float | None = 40.0
    normalize: Normalization = "train"
    stack_frames: int = 2

    speed: float = 0.0
    warp: float = 0.0
    freq_masks: int = 0
    freq_mask_width: int | None = None
    time_masks: int = 0
    time_mask_width: int | None = None
    added_noise: float = 0.0

    _source: SoundSource = field(init=False, repr=False)
    _kind: FeatureOptions = field(init=False, repr=False)
    _augmentation: Augmentation = field(init=False, repr=False)
    _target: Target = field(init=False, repr=False)
    _codes: _Codes | None = field(default=None, init=False, repr=False)
    _waves: Callable[[Sequence[int]], list[Wave]] | None = field(default=None, init=False, repr=False)
    _examples: "Splits[Utterances]" = field(default_factory=Splits, init=False, repr=False)

    def __post_init__(self) -> None:
        self._source = self.source()
        self._kind = FeatureOptions(**self._named(FeatureOptions))
        self._augmentation = Augmentation(**self._named(Augmentation))
        self._target = self._asked()

    @abstractmethod
    def source(self) -> SoundSource:
        """Where the recordings come from.

        Raises:
            ConfigError: If an option has a value it can't have, or doesn't go with the others.
        """

    @property
    def outline(self) -> TaskSpec:
        """Features in, classes out; how many, the data will tell."""
        return TaskSpec(self._input, Symbols(), self._target.align)

    @property
    def spec(self) -> TaskSpec:
        """Features in, classes out."""
        return TaskSpec(self._input, self._target.output(len(self.classes)), self._target.align)

    @property
    def smoothable(self) -> bool:
        """Labels are smoothed; the strings' symbols have no place of their own to be smoothed at."""
        return self._target.strings is None

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels in the order of their ids; only after `prepare` or `restore`."""
        return self._settled.classes

    def prepare(self, data_dir: Path, seed: int) -> None:
        """Reads training and validation recordings; the classes are those of the training split."""
        self._source.check(data_dir)
        self._waves = partial(self._source.waves, Split.VAL, data_dir, seed, self._kind.sample_rate_hz)
        train = corpus(self._source, self._kind, Split.TRAIN, data_dir, seed)
        self._codes = _Codes(_classes(train), self._kind.scale(train.spectra))
        self._examples = Splits(lambda split: self._read(split, data_dir, seed))
        self._examples[Split.TRAIN] = self._utterances(Split.TRAIN, train, seed)
        self._examples[Split.VAL] = self._read(Split.VAL, data_dir, seed)

    def examples(self, split: Split) -> Examples:
        """The utterances of one split; those of the test split are read when first asked for."""
        return self._examples[split]

    def loss(self, outputs: Float[Tensor, "B ..."], batch: Batch, smoothing: float = 0.0) -> Float[Tensor, ""]:
        """Cross-entropy of labels, or what connectionist temporal classification makes of strings; in nats."""
        return self._target.loss(outputs, batch, smoothing)

    def count(self, batch: Batch) -> int:
        """The number of recordings in the batch, alone or joined."""
        return self._target.count(batch)

    def metrics(self) -> "MetricCollection":
        """Of labels, accuracy and F1; of strings, digit error rate, accuracy (1 less that) and whole strings."""
        return self._target.metrics(len(self.classes))

    def score(
        self,
        metrics: "MetricCollection",
        outputs: Float[Tensor, "B ..."],
        batch: Batch,
        generated: Tensor | None = None,
    ) -> None:
        """Adds the answers for one batch."""
        self._target.score(metrics, outputs, batch)

    def baseline(self) -> dict[str, float]:
        """What the most frequent class of the training split scores; of strings, as often as pays."""
        metrics = self.metrics()
        self._target.trivial(metrics, self._examples[Split.TRAIN], self._examples[Split.VAL])
        return {name: float(value) for name, value in metrics.compute().items()}

    def pictures(self, samples: Iterable[Sample]) -> Iterator[Picture]:
        """A few spectra with what was said and answered, as sounds too; of labels, which are taken for which."""
        return self._target.pictures(samples, self.classes, self._kind, self._hear)

    def assets(self) -> dict[str, Any]:
        """The names of the classes in the order of their ids, and the scale of the features."""
        scale = self._settled.scale
        return {
            "classes.json": list(self.classes),
            "scale.json": {"mean": scale.mean.tolist(), "deviation": scale.deviation.tolist()},
        }

    def restore(self, assets: dict[str, Any]) -> None:
        """Takes classes and scale back.

        Raises:
            CheckpointError: If they aren't what `assets` gave.
        """
        classes, scale = assets.get("classes.json"), assets.get("scale.json")
        if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
            raise CheckpointError("classes.json: should hold a list of texts")
        self._codes = _Codes(tuple(classes), self._scale(scale))

    def new_inputs(self, source: new.Source) -> Iterator[new.Given]:
        """An audio file, those in a folder, or those that a file like a manifest lists; labels are not needed."""
        return read_recordings(source, self._source.columns)

    def new_examples(self, given: Sequence[new.Given]) -> Utterances:
        """Recordings: audio files by name or content, or samples at `sample_rate_hz`."""
        read = new_corpus(given, self._kind)
        self._refuse_short(read)
        labels = np.zeros(len(read), np.int64)
        return Utterances(read, labels, self._kind, self._settled.scale, None, None, 0, "new")

    def answer(self, given: Sequence[new.Given], sample: Sample) -> Iterator[dict[str, Any]]:
        """What was said in each."""
        return self._target.records(sample, self.classes)

    def shown(self, sample: Sample, row: int, given: new.Given | None = None) -> Shown:
        """The features as they are read, and how likely each class is."""
        step_ms = self._kind.hop_ms * self._kind.stack_frames
        steps = [f"{step * step_ms:g} ms" for step in range(int(sample.batch.lengths[row]))]
        return self._target.shown(sample, row, self.classes, self._kind, steps, known=given is None)

    def file_examples(self, paths: Sequence[Path]) -> Utterances:
        """The recordings of a folder with a folder for each label, or of a manifest."""
        sounds = OwnRecordings(new.single(paths), columns=self._source.columns).whole(self._kind.sample_rate_hz)
        return self._utterances(Split.TEST, of_recordings(sounds, self._kind), seed=0)

    def class_scores(self) -> ClassScores | None:
        """By class, where each recording has one."""
        return self._target.class_scores(self.classes)

    def _scale(self, content: object) -> Scale:
        """The scale as `assets` gave it."""
        parts = []
        for name in ("mean", "deviation"):
            part = content.get(name) if isinstance(content, dict) else None
            if not isinstance(part, list) or [type(value) for value in part] != [float] * self._kind.size:
                raise CheckpointError(f"scale.json: should hold mean and deviation of {self._kind.size} features")
            parts.append(np.array(part))
        return Scale(*parts)

    @property
    def _input(self) -> Values:
        return Values((self._kind.size * self._kind.stack_frames,))

    @property
    def _settled(self) -> _Codes:
        assert self._codes is not None, "prepare or restore comes first"
        return self._codes

    def _named(self, options: type) -> dict[str, Any]:
        """The values that this task has for the options of a part of it."""
        return {each.name: getattr(self, each.name) for each in fields(options)}

    def _asked(self) -> Target:
        given = {name: getattr(self, name) for name in OF_STRINGS if getattr(self, name) is not None}
        if self.target == "digits":
            return ClassStrings(**{OF_STRINGS[name]: value for name, value in given.items()})
        for name, value in given.items():
            raise ConfigError(f"task.{name}={value}: is about strings, and needs task.target=digits")
        return Label()

    def _hear(self, indices: Sequence[int]) -> list[Wave]:
        """The sounds of some utterances of the validation split, joined as they are read."""
        assert self._waves is not None, "prepare comes first"
        pieces = self._examples[Split.VAL].pieces(np.array(indices, np.int64), 0)
        waves = iter(self._waves(pieces[pieces >= 0].tolist()))
        return [np.concatenate([next(waves) for _ in range(count)]) for count in (pieces >= 0).sum(1).tolist()]

    def _read(self, split: Split, data_dir: Path, seed: int) -> Utterances:
        read = corpus(self._source, self._kind, split, data_dir, seed)
        return self._utterances(split, read, seed)

    def _utterances(self, split: Split, read: Corpus, seed: int) -> Utterances:
        ids = {name: identity for identity, name in enumerate(self.classes)}
        for index, label in enumerate(read.labels):
            if label not in ids:
                known = ", ".join(self.classes[:10]) + (", ..." if len(ids) > 10 else "")
                raise DataError(f"{read.names[index]}: label {label!r} is not in the training data, which has {known}")
        self._refuse_short(read)
        labels = np.array([ids[label] for label in read.labels])
        augmentation = self._augmentation if split is Split.TRAIN else None
        scale, strings = self._settled.scale, self._target.strings
        return Utterances(read, labels, self._kind, scale, strings, augmentation, seed, split.value)

    def _refuse_short(self, read: Corpus) -> None:
        """Refuses recordings too short for CTC, which needs a step for each label and one between equal ones."""
        shortest = int(read.frames.argmin())
        fewest = int(read.frames[shortest] / (1 + self.speed))
        if self._target.strings is not None and fewest < 2 * self.stack_frames:
            raise DataError(
                f"{read.names[shortest]}: has {read.frames[shortest]} frames, too few for task.target=digits, which "
                f"needs two steps of task.stack_frames={self.stack_frames} at any task.speed"
            )


def _classes(train: Corpus) -> tuple[str, ...]:
    """The labels in order: as numbers if all of them are, else by alphabet."""
    labels = set(train.labels)
    if len(labels) < 2:
        raise DataError(
            f"{train.names[0]}: every recording has the label {train.labels[0]!r}; there is nothing to learn"
        )
    if all(label.isdecimal() for label in labels):
        return tuple(sorted(labels, key=lambda label: (int(label), label)))
    return tuple(sorted(labels))
