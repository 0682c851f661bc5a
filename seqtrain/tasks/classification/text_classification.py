"""Sorting texts into classes."""

import math
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from seqtrain import limits
from seqtrain.batch import UNK, Batch, Examples
from seqtrain.errors import CheckpointError, DataError
from seqtrain.picture import Picture, Scores
from seqtrain.seeding import uniform
from seqtrain.shown import Shown, Words
from seqtrain.spec import Align, Symbols, TaskSpec
from seqtrain.tasks import drawing
from seqtrain.tasks import given as new
from seqtrain.tasks.class_scores import LabelScores, chosen, label_records
from seqtrain.tasks.classification.sources import Source
from seqtrain.tasks.labelled_text import LabelledTexts, read_labelled, read_texts
from seqtrain.tasks.ragged import Ragged
from seqtrain.tasks.task import Sample, Split, Splits, Task
from seqtrain.tasks.vocabulary import SPECIALS, Vocabulary, split_words

if TYPE_CHECKING:
    from torchmetrics import MetricCollection

SHOWN = 3
"""Texts whose attention is shown."""

Tokenizer = Literal["words", "whitespace"]
_TOKENIZERS: dict[Tokenizer, Callable[[str], list[str]]] = {"words": split_words, "whitespace": str.split}


@dataclass(frozen=True)
class TextOptions:
    """How texts become ids.

    Attributes:
        tokenizer: "words" takes runs of letters and digits, with hyphens and apostrophes inside, as
            words, and every other sign as a word of its own; "whitespace" splits at blanks only.
        lowercase: Whether capitals are made small.
        min_count: How often a word must occur in the training split to be known.
        max_vocab_size: The most ids, the four special symbols included; None is no limit.
        max_length: Words after which a text is cut off; None is no limit.
        word_dropout: Chance of each word of a training text to be read as unknown, anew in each epoch.
    """

    tokenizer: Tokenizer = "words"
    lowercase: bool = True
    min_count: int = 1
    max_vocab_size: int | None = None
    max_length: int | None = None
    word_dropout: float = 0.0

    def __post_init__(self) -> None:
        limits.at_least("task", 1, min_count=self.min_count)
        if self.max_vocab_size is not None:
            limits.at_least("task", len(SPECIALS) + 1, max_vocab_size=self.max_vocab_size)
        if self.max_length is not None:
            limits.at_least("task", 1, max_length=self.max_length)
        limits.chance("task", word_dropout=self.word_dropout)

    def words(self, text: str) -> list[str]:
        """All words of a text that is not blank; at least one."""
        return _TOKENIZERS[self.tokenizer](text.lower() if self.lowercase else text)


@dataclass(frozen=True)
class Codes:
    """What is settled by the training split: the ids of words and of classes."""

    vocabulary: Vocabulary
    classes: tuple[str, ...]


@dataclass(eq=False)
class TextClassification(Task):
    """One of two or more classes for each text. The classes are the labels of the training split."""

    metric: ClassVar[str] = "accuracy"
    higher_is_better: ClassVar[bool] = True
    takes_text: ClassVar[bool] = True

    _source: Source = field(init=False, repr=False)
    _options: TextOptions = field(init=False, repr=False)
    _codes: Codes | None = field(default=None, init=False, repr=False)
    _notes: list[str] = field(default_factory=list, init=False, repr=False)
    _examples: "Splits[Texts]" = field(default_factory=Splits, init=False, repr=False)

    def __post_init__(self) -> None:
        self._source = self.source()
        self._options = self.text_options()

    @abstractmethod
    def source(self) -> Source:
        """Where the texts come from.

        Raises:
            ConfigError: If an option has a value it can't have, or doesn't go with the others.
        """

    @abstractmethod
    def text_options(self) -> TextOptions:
        """How the texts become ids.

        Raises:
            ConfigError: If an option has a value it can't have.
        """

    @property
    def outline(self) -> TaskSpec:
        """Words in, one class out; how many of either, the data will tell."""
        return TaskSpec(Symbols(), Symbols(), Align.WHOLE)

    def notes(self) -> list[str]:
        """How many texts were cut off."""
        return self._notes

    @property
    def spec(self) -> TaskSpec:
        """Words in, one class out."""
        return TaskSpec(Symbols(len(self.codes.vocabulary)), Symbols(len(self.codes.classes)), Align.WHOLE)

    @property
    def codes(self) -> Codes:
        """The ids of words and classes; only after `prepare` or `restore`."""
        assert self._codes is not None, "prepare or restore comes first"
        return self._codes

    def prepare(self, data_dir: Path, seed: int) -> None:
        """Reads training and validation texts; vocabulary and classes are those of the training split."""
        self._source.check(data_dir)
        train = self._source.read(Split.TRAIN, data_dir, seed)
        words = self._words(train, Split.TRAIN)
        vocabulary = Vocabulary.build(words, self._options.min_count, self._options.max_vocab_size)
        self._codes = Codes(vocabulary, _classes(train))
        self._examples = Splits(lambda split: self._read(split, data_dir, seed))
        self._examples[Split.TRAIN] = self._encoded(train, words, seed, self._options.word_dropout)
        self._examples[Split.VAL] = self._read(Split.VAL, data_dir, seed)

    def examples(self, split: Split) -> Examples:
        """The texts of one split; those of the test split are read when first asked for."""
        return self._examples[split]

    def loss(self, outputs: Float[Tensor, "B V"], batch: Batch, smoothing: float = 0.0) -> Float[Tensor, ""]:
        """The cross-entropy in nats, summed over the texts."""
        return F.cross_entropy(outputs.float(), batch.targets, reduction="sum", label_smoothing=smoothing)

    def count(self, batch: Batch) -> int:
        """The number of texts in the batch."""
        return len(batch)

    def metrics(self) -> "MetricCollection":
        """The share of right answers, and the mean over the classes of their F1."""
        # Imported where it is used: torchmetrics takes a second to load.
        from torchmetrics import MetricCollection
        from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

        classes = len(self.codes.classes)
        # Checking every batch's values would make a GPU wait for each.
        return MetricCollection(
            {
                "accuracy": MulticlassAccuracy(classes, average="micro", validate_args=False),
                "f1": MulticlassF1Score(classes, average="macro", validate_args=False),
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
        """What the most frequent class of the training split scores as the answer to every validation text."""
        answer = self._examples[Split.TRAIN].labels.bincount().argmax()
        truth = self._examples[Split.VAL].labels
        metrics = self.metrics()
        metrics.update(answer.expand_as(truth), truth)
        return {name: float(value) for name, value in metrics.compute().items()}

    def pictures(self, samples: Iterable[Sample]) -> Iterator[Picture]:
        """Which classes are taken for which, what attention looks at in a few texts, and of two classes the curve."""
        classes = self.codes.classes
        counts = np.zeros((len(classes), len(classes)), np.int64)
        truths, chances = [], []
        for sample in samples:
            answers = sample.outputs.argmax(-1)
            np.add.at(counts, (sample.batch.targets.numpy(), answers.numpy()), 1)
            truths.append(sample.batch.targets.numpy())
            chances.append(sample.outputs.softmax(-1)[:, -1].numpy())
        yield from self._attention(sample, answers)  # the shortest texts come last
        yield Picture("confusion", drawing.confusion(counts, classes))
        if len(classes) == 2:
            yield Picture("precision-recall", Scores(np.concatenate(truths) == 1, np.concatenate(chances)))

    def _attention(self, sample: Sample, answers: Int[Tensor, " B"]) -> Iterator[Picture]:
        """The last attention's weights on a few texts of a batch; heads as rows where one query asks."""
        for index in range(min(SHOWN, len(answers)) if sample.attention else 0):
            words = self.codes.vocabulary.decode(sample.batch.inputs[index, : sample.batch.lengths[index]].numpy())
            weights = sample.attention[-1][index, :, :, : len(words)]  # (N, Q, T)
            if weights.shape[1] == 1:
                weights, rows = weights[:, 0], [f"head {head + 1}" for head in range(len(weights))]
            else:
                weights, rows = weights.mean(0)[: len(words)], words
            title = f"{self.codes.classes[sample.batch.targets[index]]}, answer {self.codes.classes[answers[index]]}"
            yield Picture(f"attention-{index + 1}", drawing.heatmap(weights.numpy(), rows, words, title))

    def input_names(self, ids: Int[np.ndarray, " N"]) -> list[str]:
        """The words."""
        return self.codes.vocabulary.decode(ids)

    def assets(self) -> dict[str, Any]:
        """The vocabulary, and the names of the classes in the order of their ids."""
        return {"vocab.json": self.codes.vocabulary.to_json(), "classes.json": list(self.codes.classes)}

    def restore(self, assets: dict[str, Any]) -> None:
        """Takes vocabulary and classes back.

        Raises:
            CheckpointError: If they aren't what `assets` gave.
        """
        classes = assets.get("classes.json")
        if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
            raise CheckpointError("classes.json: should hold a list of texts")
        self._codes = Codes(Vocabulary.from_json(assets.get("vocab.json")), tuple(classes))

    def new_inputs(self, source: new.Source) -> Iterator[new.Given]:
        """Plain lines, or the texts of a file like those that are trained on; a label is not needed."""
        return read_texts(source, self._source.columns)

    def new_examples(self, given: Sequence[new.Given]) -> "Texts":
        """Texts."""
        words = [self._options.words(each.text())[: self._options.max_length] for each in given]
        labels = torch.zeros(len(words), dtype=torch.long)
        return Texts(Ragged(map(self.codes.vocabulary.encode, words)), labels, seed=0, word_dropout=0.0)

    def answer(self, given: Sequence[new.Given], sample: Sample) -> Iterator[dict[str, Any]]:
        """The likeliest class of each text, and the probability of each."""
        for each, record in zip(given, label_records(sample.outputs, self.codes.classes), strict=True):
            yield {"text": each.value, **record}

    def shown(self, sample: Sample, row: int, given: new.Given | None = None) -> Shown:
        """The words as they are read, and how likely each class is."""
        words = self.codes.vocabulary.decode(sample.batch.inputs[row, : sample.batch.lengths[row]].numpy())
        if given is not None:  # rare words as they were written
            words = self._options.words(given.text())[: self._options.max_length]
        answer, right = chosen(sample.outputs[row], sample.batch.targets[row], self.codes.classes, known=given is None)
        return Shown([Words("text", words), answer], words, (), right)

    def file_examples(self, paths: Sequence[Path]) -> "Texts":
        """The texts of a TSV, CSV or JSON lines file with labels."""
        texts = read_labelled(new.single(paths), self._source.columns)
        return self._encoded(texts, self._words(texts, "given"), seed=0, word_dropout=0.0)

    def class_scores(self) -> LabelScores:
        """By class."""
        return LabelScores(self.codes.classes)

    def _read(self, split: Split, data_dir: Path, seed: int) -> "Texts":
        texts = self._source.read(split, data_dir, seed)
        return self._encoded(texts, self._words(texts, split), seed, word_dropout=0.0)

    def _words(self, texts: LabelledTexts, split: str) -> list[list[str]]:
        """The words of each text, cut off where they are too many, of which a note is made."""
        words, longest = [self._options.words(text) for text in texts.texts], self._options.max_length
        cut = 0 if longest is None else sum(len(each) > longest for each in words)
        if cut:
            self._notes.append(f"{cut:,} {split} texts are cut off after task.max_length={longest} words")
        return [each[:longest] for each in words]

    def _encoded(self, texts: LabelledTexts, words: list[list[str]], seed: int, word_dropout: float) -> "Texts":
        ids = {name: identity for identity, name in enumerate(self.codes.classes)}
        for index, label in enumerate(texts.labels):
            if label not in ids:
                known = ", ".join(self.codes.classes[:10]) + (", ..." if len(ids) > 10 else "")
                raise DataError(f"{texts.place(index)}: label {label!r} is not in the training data, which has {known}")
        labels = torch.tensor([ids[label] for label in texts.labels])
        return Texts(Ragged(map(self.codes.vocabulary.encode, words)), labels, seed, word_dropout)


class Texts(Examples):
    """Encoded texts of one split."""

    def __init__(self, words: Ragged, labels: Int[Tensor, " N"], seed: int, word_dropout: float) -> None:
        self.lengths = words.lengths
        self.labels = labels
        self._words = words
        self._seed = seed
        self._word_dropout = word_dropout

    def __len__(self) -> int:
        return len(self._words)

    def batch(self, indices: NDArray[np.int64], epoch: int) -> Batch:
        """The texts of these indices; which words are dropped depends on text and epoch, not on the batch."""
        ids = self._words.padded(indices)
        lengths = self._words.lengths[indices]
        if self._word_dropout:
            dropped = uniform(self._seed, epoch, indices, ids.shape[1]) < self._word_dropout
            ids[dropped & (np.arange(ids.shape[1]) < lengths[:, None])] = UNK
        chosen = torch.from_numpy(indices)
        return Batch(torch.from_numpy(ids), torch.from_numpy(lengths), self.labels[chosen], chosen)


def _classes(train: LabelledTexts) -> tuple[str, ...]:
    """The labels in order: as numbers if all of them are, else by alphabet."""
    labels = set(train.labels)
    if len(labels) < 2:
        raise DataError(f"{train.path}: every example has the label {train.labels[0]!r}; there is nothing to learn")
    try:
        numbers = {label: float(label) for label in labels}
    except ValueError:
        return tuple(sorted(labels))
    if not all(map(math.isfinite, numbers.values())):
        return tuple(sorted(labels))
    return tuple(sorted(labels, key=lambda label: (numbers[label], label)))
