"""What is asked of an utterance: its label, or the string of labels that were joined in it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from seqtrain import limits
from seqtrain.batch import Batch
from seqtrain.errors import ConfigError
from seqtrain.picture import Picture, Sound
from seqtrain.shown import Curves, Facts, Raster, Shown
from seqtrain.spec import Align, Symbols
from seqtrain.tasks import drawing
from seqtrain.tasks.class_scores import ClassScores, LabelScores, chosen, label_records
from seqtrain.tasks.speech import drawing as drawing_speech
from seqtrain.tasks.speech.audio import Wave
from seqtrain.tasks.speech.features import FeatureOptions
from seqtrain.tasks.speech.utterances import BLANK, Strings, Utterances
from seqtrain.tasks.task import Sample

if TYPE_CHECKING:
    from torchmetrics import MetricCollection

Hear = Callable[[Sequence[int]], list[Wave]]
"""The sounds of some utterances of the validation split, by their indices."""

SHOWN = 6
"""Utterances in a picture."""
MOST_SCORED = 1000
"""Strings of the validation split that the trivial answers are scored on."""


class Target(ABC):
    """Loss, metrics and pictures of one kind of question; `accuracy` is among the metrics, the higher the better."""

    align: Align

    @property
    @abstractmethod
    def strings(self) -> Strings | None:
        """How recordings are joined; None leaves them alone."""

    @abstractmethod
    def output(self, classes: int) -> Symbols:
        """What stands at an output step."""

    @abstractmethod
    def loss(self, outputs: Tensor, batch: Batch, smoothing: float = 0.0) -> Float[Tensor, ""]:
        """As `Task.loss`."""

    @abstractmethod
    def count(self, batch: Batch) -> int:
        """As `Task.count`."""

    @abstractmethod
    def metrics(self, classes: int) -> "MetricCollection":
        """As `Task.metrics`."""

    @abstractmethod
    def score(self, metrics: "MetricCollection", outputs: Tensor, batch: Batch) -> None:
        """As `Task.score`."""

    @abstractmethod
    def trivial(self, metrics: "MetricCollection", train: Utterances, val: Utterances) -> None:
        """Adds the best trivial answer to every validation utterance."""

    @abstractmethod
    def pictures(
        self, samples: Iterable[Sample], classes: Sequence[str], kind: FeatureOptions, hear: Hear
    ) -> Iterator[Picture]:
        """As `Task.pictures`."""

    @abstractmethod
    def records(self, sample: Sample, classes: Sequence[str]) -> Iterator[dict[str, Any]]:
        """As `Task.answer`."""

    @abstractmethod
    def shown(
        self,
        sample: Sample,
        row: int,
        classes: Sequence[str],
        kind: FeatureOptions,
        steps: Sequence[str],
        *,
        known: bool,
    ) -> Shown:
        """As `Task.shown`, where steps have such names, and targets may be known."""

    def class_scores(self, classes: Sequence[str]) -> ClassScores | None:
        """As `Task.class_scores`."""
        return None


@final
class Label(Target):
    """One class for each recording."""

    align = Align.WHOLE

    @property
    def strings(self) -> None:
        """Recordings stay alone."""

    def output(self, classes: int) -> Symbols:
        return Symbols(classes)

    def loss(self, outputs: Float[Tensor, "B V"], batch: Batch, smoothing: float = 0.0) -> Float[Tensor, ""]:
        """The cross-entropy in nats, summed over the recordings."""
        return F.cross_entropy(outputs.float(), batch.targets, reduction="sum", label_smoothing=smoothing)

    def count(self, batch: Batch) -> int:
        """The number of recordings."""
        return len(batch)

    def metrics(self, classes: int) -> "MetricCollection":
        """The share of right answers, and the mean over the classes of their F1."""
        # Imported where it is used: torchmetrics takes a second to load.
        from torchmetrics import MetricCollection
        from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

        # Checking every batch's values would make a GPU wait for each.
        return MetricCollection(
            {
                "accuracy": MulticlassAccuracy(classes, average="micro", validate_args=False),
                "f1": MulticlassF1Score(classes, average="macro", validate_args=False),
            }
        )

    def score(self, metrics: "MetricCollection", outputs: Float[Tensor, "B V"], batch: Batch) -> None:
        metrics.update(outputs.argmax(-1), batch.targets)

    def trivial(self, metrics: "MetricCollection", train: Utterances, val: Utterances) -> None:
        """The most frequent class of the training split."""
        answer = np.bincount(train.labels).argmax()
        truth = torch.from_numpy(val.labels)
        metrics.update(torch.full_like(truth, int(answer)), truth)

    def pictures(
        self, samples: Iterable[Sample], classes: Sequence[str], kind: FeatureOptions, hear: Hear
    ) -> Iterator[Picture]:
        """A few spectra with their labels and answers, mistakes first, as sounds too, and which is taken for which."""
        counts = np.zeros((len(classes), len(classes)), np.int64)
        right: list[tuple[int, drawing_speech.Heard]] = []
        wrong: list[tuple[int, drawing_speech.Heard]] = []
        for sample in samples:
            answers = sample.outputs.argmax(-1).tolist()
            for index, (truth, answer) in enumerate(zip(sample.batch.targets.tolist(), answers, strict=True)):
                counts[truth, answer] += 1
                shown = right if truth == answer else wrong
                if len(shown) < SHOWN:
                    features = _features(sample.batch, index, kind)
                    heard = drawing_speech.Heard(features, classes[truth], classes[answer])
                    shown.append((int(sample.batch.indices[index]), heard))
        chosen = [*wrong[: SHOWN // 2], *right, *wrong[SHOWN // 2 :]][:SHOWN]
        yield Picture("spectra", drawing_speech.spectra([heard for _, heard in chosen]))
        yield from _sounds(hear([index for index, _ in chosen]), kind)
        yield Picture("confusion", drawing.confusion(counts, classes))

    def records(self, sample: Sample, classes: Sequence[str]) -> Iterator[dict[str, Any]]:
        """The likeliest class of each recording, and the probability of each."""
        return label_records(sample.outputs, classes)

    def shown(
        self,
        sample: Sample,
        row: int,
        classes: Sequence[str],
        kind: FeatureOptions,
        steps: Sequence[str],
        *,
        known: bool,
    ) -> Shown:
        """The features, and how likely each class is."""
        answer, right = chosen(sample.outputs[row], sample.batch.targets[row], classes, known=known)
        return Shown([_raster(sample.batch, row, kind), answer], steps, (), right)

    def class_scores(self, classes: Sequence[str]) -> ClassScores:
        """By class."""
        return LabelScores(classes)


@final
@dataclass(frozen=True)
class ClassStrings(Target):
    """The classes that were joined in an utterance, in order, by connectionist temporal classification.

    Attributes:
        shortest: The fewest recordings in an utterance.
        longest: The most.
        beam_size: Strings that are kept while answers are searched; 1 takes the likeliest symbol at each step.
    """

    shortest: int = 3
    longest: int = 5
    beam_size: int = 1

    align = Align.EACH

    def __post_init__(self) -> None:
        limits.at_least("task", 1, digits_min=self.shortest, digits_max=self.longest, beam_size=self.beam_size)
        if self.longest < self.shortest:
            raise ConfigError(f"task.digits_max={self.longest}: must not be below task.digits_min={self.shortest}")

    @property
    def strings(self) -> Strings:
        """As many as the options say."""
        return Strings(self.shortest, self.longest)

    def output(self, classes: int) -> Symbols:
        """The blank, and the classes behind it."""
        return Symbols(classes + 1)

    def loss(self, outputs: Float[Tensor, "B T V"], batch: Batch, smoothing: float = 0.0) -> Float[Tensor, ""]:
        """The negative logarithm of the strings' probabilities, summed over the utterances."""
        assert batch.target_lengths is not None
        log_probs = outputs.float().log_softmax(-1).transpose(0, 1)
        return F.ctc_loss(log_probs, batch.targets, batch.lengths, batch.target_lengths, blank=BLANK, reduction="sum")

    def count(self, batch: Batch) -> int:
        """The number of classes in all strings."""
        assert batch.target_lengths is not None
        return int(batch.target_lengths.sum())

    def metrics(self, classes: int) -> "MetricCollection":
        """Edits per class (digit error rate), 1 less that, and the share of strings without any error."""
        # Imported where it is used: torchmetrics takes a second to load.
        from torchmetrics import MetricCollection

        from seqtrain.tasks.speech.ctc import StringAccuracy, SymbolAccuracy, SymbolErrorRate

        return MetricCollection(
            {
                "accuracy": SymbolAccuracy(),
                "digit_error_rate": SymbolErrorRate(),
                "string_accuracy": StringAccuracy(),
            }
        )

    def score(self, metrics: "MetricCollection", outputs: Float[Tensor, "B T V"], batch: Batch) -> None:
        metrics.update(_truths(batch), self.answers(outputs, batch))

    def answers(self, outputs: Float[Tensor, "B T V"], batch: Batch) -> list[list[int]]:
        """The strings that a model's outputs mean, as ids without blanks."""
        from seqtrain.tasks.speech.ctc import beam_search, best_path

        log_probs = outputs.float().log_softmax(-1)
        if self.beam_size == 1:
            return best_path(log_probs, batch.lengths)
        return beam_search(log_probs, batch.lengths, self.beam_size)

    def trivial(self, metrics: "MetricCollection", train: Utterances, val: Utterances) -> None:
        """The training split's most frequent class, as often as answers that split best; or nothing."""
        from seqtrain.tasks.speech.ctc import edits

        answer = int(np.bincount(train.labels).argmax()) + 1
        learnt, asked = self._joined(train, MOST_SCORED), self._joined(val, len(val))
        repeats = min(range(self.longest + 1), key=lambda times: edits(learnt, [[answer] * times] * len(learnt)))
        metrics.update(asked, [[answer] * repeats] * len(asked))

    def pictures(
        self, samples: Iterable[Sample], classes: Sequence[str], kind: FeatureOptions, hear: Hear
    ) -> Iterator[Picture]:
        """A few spectra with what is said and answered, and when each symbol is likely; as sounds too."""
        sample = next(iter(samples))
        probs = sample.outputs.float().softmax(-1).numpy()
        answers, truths = self.answers(sample.outputs, sample.batch), _truths(sample.batch)
        heard = []
        for index in range(min(SHOWN // 2, len(truths))):
            truth, answer = (" ".join(classes[i - 1] for i in ids) for ids in (truths[index], answers[index]))
            steps = probs[index, : sample.batch.lengths[index]]
            heard.append(drawing_speech.Heard(_features(sample.batch, index, kind), truth, answer, steps))
        yield Picture("strings", drawing_speech.strings(heard, classes, kind.stack_frames))
        yield from _sounds(hear(sample.batch.indices[: len(heard)].tolist()), kind)

    def records(self, sample: Sample, classes: Sequence[str]) -> Iterator[dict[str, Any]]:
        """The string of classes in each recording."""
        for ids in self.answers(sample.outputs, sample.batch):
            yield {"string": [classes[i - 1] for i in ids]}

    def shown(
        self,
        sample: Sample,
        row: int,
        classes: Sequence[str],
        kind: FeatureOptions,
        steps: Sequence[str],
        *,
        known: bool,
    ) -> Shown:
        """The features, when each class is likely, and the string that this means."""
        chances = sample.outputs[row, : len(steps)].float().softmax(-1).numpy()
        likely = [place for place, peak in enumerate(chances.max(0)) if peak > drawing_speech.LIKELY and place != BLANK]
        lines = {classes[place - 1]: (0.0, chances[:, place]) for place in likely} | {"blank": (0.0, chances[:, BLANK])}
        answer = " ".join(classes[i - 1] for i in self.answers(sample.outputs, sample.batch)[row])
        facts, right = {"answer": answer or "nothing"}, None
        if known:
            facts["truth"] = " ".join(classes[i - 1] for i in _truths(sample.batch)[row])
            right = facts["truth"] == answer
        caption = "The answer is the likeliest symbol at each step, repeats counted once, blanks left out."
        said = Curves("probability of each class", lines, "steps", caption)
        return Shown([_raster(sample.batch, row, kind), said, Facts(facts)], steps, (), right)

    @staticmethod
    def _joined(utterances: Utterances, most: int) -> list[list[int]]:
        """The strings of up to so many utterances, as ids without blanks."""
        pieces = utterances.pieces(np.arange(min(most, len(utterances))), 0)
        return [(utterances.labels[row[row >= 0]] + 1).tolist() for row in pieces]


def _sounds(waves: Iterable[Wave], kind: FeatureOptions) -> Iterator[Picture]:
    """Sounds in the order of the spectra beside them."""
    for place, wave in enumerate(waves, 1):
        yield Picture(f"sound-{place}", Sound(wave, kind.sample_rate_hz))


def _truths(batch: Batch) -> list[list[int]]:
    assert batch.target_lengths is not None
    lengths = batch.target_lengths.tolist()
    return [row[:length] for row, length in zip(batch.targets.tolist(), lengths, strict=True)]


def _raster(batch: Batch, row: int, kind: FeatureOptions) -> Raster:
    name = "mel band" if kind.features == "logmel" else "cepstrum"
    return Raster("features", _features(batch, row, kind).T[::-1].copy(), "frames", name)


def _features(batch: Batch, index: int, kind: FeatureOptions) -> Float[np.ndarray, "T F"]:
    """The frames of one utterance of a batch, without padding but for what fills its last step."""
    return kind.unstacked(batch.inputs[index, : batch.lengths[index]].numpy())
