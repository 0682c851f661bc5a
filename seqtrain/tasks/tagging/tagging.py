"""Finding the entities of sentences, and telling their types."""

import math
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from seqtrain.batch import PAD, Batch, length_mask
from seqtrain.errors import CheckpointError, DataError
from seqtrain.picture import Picture
from seqtrain.shown import Shown, Words
from seqtrain.spec import Align, Spelt, Symbols, TaskSpec
from seqtrain.tasks import drawing
from seqtrain.tasks import given as new
from seqtrain.tasks.class_scores import DIGITS
from seqtrain.tasks.ragged import Ragged
from seqtrain.tasks.tagging import drawing as drawing_tags
from seqtrain.tasks.tagging import tags
from seqtrain.tasks.tagging.chain import negative_log_likelihood, viterbi
from seqtrain.tasks.tagging.conll import TaggedSentences, read_conll
from seqtrain.tasks.tagging.entities import Spans, spans
from seqtrain.tasks.tagging.entity_scores import EntityScores
from seqtrain.tasks.tagging.examples import UNSCORED, Spellings, TaggedExamples, WordOptions
from seqtrain.tasks.tagging.sentences import read_sentences, sentence_of
from seqtrain.tasks.tagging.sources import TaggedSource
from seqtrain.tasks.task import Sample, Split, Splits, Task
from seqtrain.tasks.vocabulary import Vocabulary

if TYPE_CHECKING:
    from torchmetrics import MetricCollection

SHOWN, LONGEST_SHOWN = 12, 16
"""Sentences that are shown, and the most words of one."""


@dataclass(frozen=True)
class Codes:
    """What is settled by the training split: the ids of words and letters, and the types of entities.

    Attributes:
        vocabulary: Words, as they are looked up.
        letters: As they are written; None if they aren't read.
        types: By alphabet.
    """

    vocabulary: Vocabulary
    letters: Vocabulary | None
    types: tuple[str, ...]


@dataclass(frozen=True)
class TaggingOptions:
    """How sentences are read and answered.

    Attributes:
        words: How words become ids.
        crf: Whether the tags of a sentence are scored together, each with the one before it, instead of each alone.
        constrained: Whether only sequences of tags that IOB2 allows are answered: an I- follows its own B- or I-.
    """

    words: WordOptions
    crf: bool = False
    constrained: bool = False


@dataclass(eq=False)
class Tagging(Task):
    """A tag for each word, in IOB2. The types of entities are those of the training split."""

    metric: ClassVar[str] = "f1"
    higher_is_better: ClassVar[bool] = True
    takes_text: ClassVar[bool] = True

    _source: TaggedSource = field(init=False, repr=False)
    _options: TaggingOptions = field(init=False, repr=False)
    _codes: Codes | None = field(default=None, init=False, repr=False)
    _notes: list[str] = field(default_factory=list, init=False, repr=False)
    _examples: "Splits[TaggedExamples]" = field(default_factory=Splits, init=False, repr=False)

    def __post_init__(self) -> None:
        self._source = self.source()
        self._options = self.options()

    @abstractmethod
    def source(self) -> TaggedSource:
        """Where the sentences come from.

        Raises:
            ConfigError: If an option has a value it can't have, or doesn't go with the others.
        """

    @abstractmethod
    def options(self) -> TaggingOptions:
        """How the sentences are read and answered.

        Raises:
            ConfigError: If an option has a value it can't have.
        """

    @property
    def outline(self) -> TaskSpec:
        """Words in, one tag for each out; how many of either, the data will tell."""
        words = Spelt() if self._options.words.characters else Symbols()
        return TaskSpec(words, Symbols(chained=self._options.crf), Align.EACH)

    def notes(self) -> list[str]:
        """How many sentences were cut off."""
        return self._notes

    @property
    def spec(self) -> TaskSpec:
        """Words in, one tag for each out."""
        known, letters = len(self.codes.vocabulary), self.codes.letters
        words = Symbols(known) if letters is None else Spelt(known, len(letters))
        return TaskSpec(words, Symbols(len(tags.names(self.codes.types)), chained=self._options.crf), Align.EACH)

    @property
    def codes(self) -> Codes:
        """The ids of words and letters, and the types; only after `prepare` or `restore`."""
        assert self._codes is not None, "prepare or restore comes first"
        return self._codes

    def prepare(self, data_dir: Path, seed: int) -> None:
        """Reads training and validation sentences; vocabulary and types are those of the training split."""
        self._source.check(data_dir)
        train = self._source.read(Split.TRAIN, data_dir, seed)
        options = self._options.words
        words = map(options.looked_up, train.words)
        letters = Vocabulary.build(word for words in train.words for word in words) if options.characters else None
        cut = 0 if options.max_length is None else sum(len(each) > options.max_length for each in train.words)
        if cut:
            self._notes.append(f"{cut:,} train sentences are cut off after task.max_length={options.max_length} words")
        vocabulary = Vocabulary.build(words, options.min_count, options.max_vocab_size)
        self._codes = Codes(vocabulary, letters, _types(train))
        self._examples = Splits(lambda split: self._read(split, data_dir, seed))
        self._examples[Split.TRAIN] = self._encoded(train, seed, options.max_length, options.word_dropout)
        self._examples[Split.VAL] = self._read(Split.VAL, data_dir, seed)

    def examples(self, split: Split) -> TaggedExamples:
        """The sentences of one split; those of the test split are read when first asked for."""
        return self._examples[split]

    def loss(self, outputs: Float[Tensor, "B T *E"], batch: Batch, smoothing: float = 0.0) -> Float[Tensor, ""]:
        """The negative log-likelihood in nats, summed over the words: of each tag alone, or of all in a sentence."""
        if self._options.crf:
            return negative_log_likelihood(outputs, batch.targets, batch.lengths)
        logits = outputs.float().flatten(0, 1)
        return F.cross_entropy(
            logits, batch.targets.flatten(), ignore_index=UNSCORED, reduction="sum", label_smoothing=smoothing
        )

    def count(self, batch: Batch) -> int:
        """The number of words in the batch."""
        return int(batch.lengths.sum())

    def answers(self, outputs: Float[Tensor, "B T *E"], lengths: Int[Tensor, " B"]) -> Int[Tensor, "B T"]:
        """The best tags for each sentence; at and past its length they mean nothing."""
        legal = tags.legal(len(self.codes.types), outputs.device) if self._options.constrained else None
        if self._options.crf:
            return viterbi(outputs, lengths, legal)
        if legal is None:
            return outputs.argmax(2)
        return viterbi(outputs.unsqueeze(2), lengths, legal)

    def metrics(self) -> "MetricCollection":
        """F1, precision and recall over entities, and the share of right tags."""
        # Imported where they are used: torchmetrics takes a second to load.
        from torchmetrics import MetricCollection

        from seqtrain.tasks.tagging.scores import TaggingScores

        return MetricCollection({"entities": TaggingScores()})

    def score(
        self,
        metrics: "MetricCollection",
        outputs: Float[Tensor, "B T *E"],
        batch: Batch,
        generated: Tensor | None = None,
    ) -> None:
        """Adds the answers for one batch."""
        metrics.update(self.answers(outputs, batch.lengths), batch.targets, batch.lengths)

    def baseline(self) -> dict[str, float]:
        """What a lexicon scores on validation: each word's most frequent tag in training; O for unknown words."""
        train, val = self.examples(Split.TRAIN), self.examples(Split.VAL)
        counts = np.zeros((len(self.codes.vocabulary), len(tags.names(self.codes.types))), np.int64)
        np.add.at(counts, (train.words.flat, train.tags.flat), 1)
        lexicon = counts.argmax(1)
        everything = np.arange(len(val))
        answers = torch.from_numpy(lexicon[val.words.padded(everything)])
        metrics = self.metrics()
        metrics.update(answers, torch.from_numpy(val.tags.padded(everything)), torch.from_numpy(val.words.lengths))
        return {name: float(value) for name, value in metrics.compute().items()}

    def pictures(self, samples: Iterable[Sample]) -> Iterator[Picture]:
        """Which types are taken for which, and some sentences with the entities in them and those answered."""
        types = len(self.codes.types)
        counts = np.zeros((types + 1, types + 1), np.int64)
        shown: list[drawing_tags.Tagged] = []
        for sample in samples:
            batch = sample.batch
            answers = self.answers(sample.outputs, batch.lengths)
            real = length_mask(batch.lengths, answers.shape[1])
            truth, answer = spans(batch.targets, real), spans(answers, real)
            _count(counts, truth, answer)
            for row in torch.nonzero((truth.begins | answer.begins).any(1)).squeeze(1).tolist():
                if len(shown) < SHOWN and batch.lengths[row] <= LONGEST_SHOWN:
                    words = self._examples[Split.VAL].texts[int(batch.indices[row])]
                    shown.append(drawing_tags.Tagged(words, _marks(truth, row), _marks(answer, row)))
        if shown:
            yield Picture("sentences", drawing_tags.sentences(shown, self.codes.types))
        yield Picture("confusion", drawing.confusion(counts, [*self.codes.types, "none"]))

    def input_names(self, ids: Int[np.ndarray, " N"]) -> list[str]:
        """The words."""
        return self.codes.vocabulary.decode(ids)

    def assets(self) -> dict[str, Any]:
        """The vocabulary of words and, if they are read, that of letters, and the types of entities."""
        codes = self.codes
        letters = {} if codes.letters is None else {"letters.json": codes.letters.to_json()}
        return {"vocab.json": codes.vocabulary.to_json(), **letters, "types.json": list(codes.types)}

    def restore(self, assets: dict[str, Any]) -> None:
        """Takes vocabularies and types back.

        Raises:
            CheckpointError: If they aren't what `assets` gave.
        """
        types = assets.get("types.json")
        if not isinstance(types, list) or not all(isinstance(name, str) for name in types):
            raise CheckpointError("types.json: should hold a list of texts")
        letters = Vocabulary.from_json(assets.get("letters.json")) if self._options.words.characters else None
        self._codes = Codes(Vocabulary.from_json(assets.get("vocab.json")), letters, tuple(types))

    def new_inputs(self, source: new.Source) -> Iterator[new.Given]:
        """Each line as a sentence, or the sentences of a CoNLL file; tags are not needed."""
        return read_sentences(source, self._source.layout)

    def new_examples(self, given: Sequence[new.Given]) -> TaggedExamples:
        """Sentences, as texts or as lists of words."""
        words = [sentence_of(each).words for each in given]
        outside = [[tags.OUTSIDE] * len(each) for each in words]
        return self._encoded(TaggedSentences(words, outside), seed=0, max_length=None, word_dropout=0.0)

    def answer(self, given: Sequence[new.Given], sample: Sample) -> Iterator[dict[str, Any]]:
        """The entities in each sentence: what they are, and where in the text they begin and end, in characters.

        Where each tag is scored alone, with the probability that all tags of the entity are right.
        """
        lengths = sample.batch.lengths
        answers = self.answers(sample.outputs, lengths)
        found, spelt = spans(answers, length_mask(lengths, answers.shape[1])), tags.names(self.codes.types)
        chances = None
        if not self._options.crf:
            chances = sample.outputs.log_softmax(2).gather(2, answers.unsqueeze(2)).squeeze(2)
        for row, each in enumerate(given):
            sentence, entities = sentence_of(each), []
            for start, end, kind in _marks(found, row):
                begin, stop = sentence.starts[start], sentence.end(end - 1)
                entity = {
                    "type": self.codes.types[kind],
                    "text": sentence.text[begin:stop],
                    "begin": begin,
                    "end": stop,
                }
                if chances is not None:
                    entity["probability"] = round(math.exp(float(chances[row, start:end].sum())), DIGITS)
                entities.append(entity)
            marked = [spelt[tag] for tag in answers[row, : lengths[row]].tolist()]
            yield {"text": sentence.text, "entities": entities, "words": list(sentence.words), "tags": marked}

    def shown(self, sample: Sample, row: int, given: new.Given | None = None) -> Shown:
        """The words with the entities that were found, and with those that there are."""
        batch, names = sample.batch, tags.names(self.codes.types)
        length = int(batch.lengths[row])
        said = [names[tag] for tag in self.answers(sample.outputs, batch.lengths)[row, :length].tolist()]
        if given is not None:
            words = list(sentence_of(given).words[:length])
            return Shown([Words("answer", words, _bare(said))], words)
        words = self._written(batch.inputs[row, :length].numpy())
        truth = [names[tag] for tag in batch.targets[row, :length].tolist()]
        parts = [Words("answer", words, _bare(said)), Words("truth", words, _bare(truth))]
        return Shown(parts, words, (), said == truth)

    def _written(self, ids: Int[np.ndarray, "T *I"]) -> list[str]:
        """Words as far as their ids tell; by their letters, where these are read."""
        if self.codes.letters is None:
            return self.codes.vocabulary.decode(ids)
        return ["".join(self.codes.letters.decode(word[word != PAD])) for word in ids[:, 1:]]

    def file_examples(self, paths: Sequence[Path]) -> TaggedExamples:
        """The sentences of a CoNLL file with tags."""
        return self._encoded(read_conll(new.single(paths), self._source.layout), 0, max_length=None, word_dropout=0.0)

    def class_scores(self) -> EntityScores:
        """By type."""
        return EntityScores(self.codes.types, self.answers)

    def _read(self, split: Split, data_dir: Path, seed: int) -> TaggedExamples:
        sentences = self._source.read(split, data_dir, seed)
        return self._encoded(sentences, seed, max_length=None, word_dropout=0.0)

    def _encoded(
        self, sentences: TaggedSentences, seed: int, max_length: int | None, word_dropout: float
    ) -> TaggedExamples:
        codes = self.codes
        ids = {name: identity for identity, name in enumerate(tags.names(codes.types))}
        for index, sentence in enumerate(sentences.tags):
            for position, tag in enumerate(sentence):
                if tag not in ids:
                    raise DataError(
                        f"{sentences.place(index, position)}: tag {tag!r} is of a type that is not in the training "
                        f"data, which has {', '.join(codes.types)}"
                    )
        words = [each[:max_length] for each in sentences.words]
        encoded = Ragged(codes.vocabulary.encode(self._options.words.looked_up(each)) for each in words)
        tagged = Ragged([ids[tag] for tag in each[:max_length]] for each in sentences.tags)
        spellings = None if codes.letters is None else Spellings(words, codes.letters)
        return TaggedExamples(words, encoded, tagged, spellings, seed, word_dropout)


def _types(train: TaggedSentences) -> tuple[str, ...]:
    found = {tag.partition("-")[2] for sentence in train.tags for tag in sentence} - {""}
    if not found:
        raise DataError(f"{train.path}: every tag is O; there is no entity to learn from")
    return tuple(sorted(found))


def _count(counts: Int[np.ndarray, "K K"], truth: Spans, answer: Spans) -> None:
    """Adds true spans by type (rows) and by the type that the same span was given (columns); the last is none."""
    none = len(counts) - 1
    same = truth.begins & answer.begins & (truth.ends == answer.ends)
    kinds, given = truth.types.numpy(), answer.types.numpy()
    both, missed, spurious = same.numpy(), (truth.begins & ~same).numpy(), (answer.begins & ~same).numpy()
    np.add.at(counts, (kinds[both], given[both]), 1)
    np.add.at(counts, (kinds[missed], none), 1)
    np.add.at(counts, (none, given[spurious]), 1)


def _marks(found: Spans, row: int) -> list[drawing_tags.Mark]:
    starts = torch.nonzero(found.begins[row]).squeeze(1).tolist()
    return [drawing_tags.Mark(start, int(found.ends[row, start]), int(found.types[row, start])) for start in starts]


def _bare(marked: Sequence[str]) -> list[str]:
    """Tags as a reader wants them: nothing for O."""
    return ["" if tag == tags.OUTSIDE else tag for tag in marked]
