"""Predicting the next symbol of running text."""

import math
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from seqtrain import limits
from seqtrain.batch import PAD, Batch, Examples
from seqtrain.errors import CheckpointError, ConfigError, DataError
from seqtrain.picture import Picture
from seqtrain.shown import Facts, Shown, Words
from seqtrain.spec import Align, Symbols, TaskSpec
from seqtrain.tasks import given as new
from seqtrain.tasks.class_scores import DIGITS
from seqtrain.tasks.labelled_text import Columns, read_texts
from seqtrain.tasks.language import drawing
from seqtrain.tasks.language.chunks import EvaluationChunks, Prompts, TrainingChunks
from seqtrain.tasks.language.passages import Passage, whole
from seqtrain.tasks.language.sources import TextSource
from seqtrain.tasks.language.symbol_store import Codes, Ids, in_pieces, settled, stored
from seqtrain.tasks.language.tokens import Level, words, written
from seqtrain.tasks.task import Sample, Split, Splits, Task
from seqtrain.tasks.vocabulary import SPECIALS, Vocabulary

if TYPE_CHECKING:
    from torchmetrics import MetricCollection

STREAMS = 4
"""In how many streams a text is evaluated unless it is said otherwise."""

SHOWN = 4
"""Prompts that are shown with what the model writes after them."""
SHOWN_CHUNKS = 6
"""Chunks of a stream whose symbols are shown by how little the model expected them."""

LIKELIEST = 5
"""Symbols that are told for what may come after a text."""

MOST_BIGRAMS = 10_000_000
"""Symbols of a training text, and pairs of ids, up to which pairs of successive symbols are counted."""
PRIOR = 5.0
"""How many symbols' worth of the unigram distribution is added to each row of bigram counts."""


@dataclass(eq=False)
class LanguageModelling(Task):
    """The next symbol at every symbol of a text, which is read as a whole: one part trains, others validate and test.

    Attributes:
        level: What a symbol is: a character, or a word, a sign or a line end.
        min_count: How often a symbol must occur in the training part to be known; rarer ones are all one symbol.
            None is 1 for characters and 2 for words, so that training meets unknown ones.
        max_vocab_size: The most ids, the four special symbols included; None is no limit.
        steps: Symbols in a chunk: how far back gradients go.
        carry: Whether a chunk is read with what is remembered of the chunks before it, in training and evaluation;
            otherwise chunks are shuffled, and each is read from nothing.
        cold_eval: Whether evaluation reads each chunk from nothing all the same; only with `carry`.
        max_streams: In how many streams evaluation reads a text, each begun without a memory: fewer are more exact,
            more are faster. None is 4; only with `carry`, and not where evaluation is cold.
        sample_length: Symbols that a model writes after a prompt.
    """

    metric: ClassVar[str] = "bits"
    higher_is_better: ClassVar[bool] = False
    takes_text: ClassVar[bool] = True

    level: Level = "characters"
    min_count: int | None = None
    max_vocab_size: int | None = None
    steps: int = 100
    carry: bool = True
    cold_eval: bool = False
    max_streams: int | None = None
    sample_length: int = 200

    _source: TextSource = field(init=False, repr=False)
    _codes: Codes | None = field(default=None, init=False, repr=False)
    _vocabulary: Vocabulary | None = field(default=None, init=False, repr=False)
    _examples: "Splits[TrainingChunks | EvaluationChunks]" = field(default_factory=Splits, init=False, repr=False)

    def __post_init__(self) -> None:
        limits.at_least("task", 1, min_count=self.min_count, steps=self.steps, max_streams=self.max_streams)
        limits.at_least("task", len(SPECIALS) + 1, max_vocab_size=self.max_vocab_size)
        limits.at_least("task", 1, sample_length=self.sample_length)
        if self.max_streams is not None and (self.cold_eval or not self.carry):
            raise ConfigError(
                f"task.max_streams={self.max_streams}: nothing is read in streams without task.carry, or with "
                "task.cold_eval"
            )
        if self.cold_eval and not self.carry:
            raise ConfigError("task.cold_eval=true: without task.carry, all is read cold already")
        self._source = self.source()

    @abstractmethod
    def source(self) -> TextSource:
        """Where the text comes from.

        Raises:
            ConfigError: If an option has a value it can't have, or doesn't go with the others.
        """

    @property
    def outline(self) -> TaskSpec:
        """A symbol in, the next one out; how many there are, the data will tell."""
        return self._spec(Symbols())

    @property
    def spec(self) -> TaskSpec:
        """A symbol in, the next one out."""
        return self._spec(Symbols(len(self.vocabulary)))

    @property
    def vocabulary(self) -> Vocabulary:
        """The ids of symbols; only after `prepare` or `restore`."""
        assert self._vocabulary is not None, "prepare or restore comes first"
        return self._vocabulary

    def prepare(self, data_dir: Path, seed: int) -> None:
        """Reads the training and validation text; the vocabulary is that of the training text."""
        train = self._passage(Split.TRAIN, data_dir, seed)
        least = self.min_count or (1 if self.level == "characters" else 2)
        self._codes = settled(train, self.level, least, self.max_vocab_size)
        self._vocabulary = self._codes.vocabulary
        self._examples = Splits(lambda split: self._read(split, data_dir, seed))
        self._examples[Split.TRAIN] = TrainingChunks(
            self._ids(Split.TRAIN, train), self.steps, seed, carried=self.carry
        )
        self._examples[Split.VAL] = self._read(Split.VAL, data_dir, seed)

    def examples(self, split: Split) -> Examples:
        """The chunks of one split; the test text is read when first asked for."""
        return self._examples[split]

    def loss(self, outputs: Float[Tensor, "B T V"], batch: Batch, smoothing: float = 0.0) -> Float[Tensor, ""]:
        """The cross-entropy in nats, summed over the symbols."""
        return F.cross_entropy(
            outputs.float().flatten(0, 1),
            batch.targets.flatten(),
            ignore_index=PAD,
            reduction="sum",
            label_smoothing=smoothing,
        )

    def count(self, batch: Batch) -> int:
        """The number of symbols asked for in the batch."""
        return int(batch.lengths.sum())

    def metrics(self) -> "MetricCollection":
        """Bits per symbol, the share of symbols that were the likeliest, and of words the perplexity."""
        # Imported where it is used: torchmetrics takes a second to load.
        from torchmetrics import Metric, MetricCollection

        from seqtrain.tasks.language.symbol_mean import SymbolMean

        means: dict[str, Metric | MetricCollection] = {"bits": SymbolMean(), "accuracy": SymbolMean()}
        if self.level == "words":
            means["perplexity"] = SymbolMean(exponential=True)
        # Metrics of one kind are taken for one and the same, were they grouped.
        return MetricCollection(means, compute_groups=False)

    def score(
        self,
        metrics: "MetricCollection",
        outputs: Float[Tensor, "B T V"],
        batch: Batch,
        generated: Tensor | None = None,
    ) -> None:
        """Adds the answers for one batch; what a model writes by itself is not scored."""
        count = self.count(batch)
        nats = self.loss(outputs, batch)
        right = (outputs.argmax(-1) == batch.targets) & (batch.targets != PAD)
        values = {"bits": nats / math.log(2), "accuracy": right.sum(), "perplexity": nats}
        for name, metric in metrics.items(keep_base=True):
            metric.update(values[name], count)

    def baseline(self) -> dict[str, float]:
        """What the training text's frequencies of symbols score on the validation text, wherever each stands.

        Where it is cheap to tell, `bits_bigram` is what the frequencies of pairs score.
        """
        assert self._codes is not None, "prepare comes first"
        counts, size = self._codes.counts, len(self._codes.counts)
        # One more of each, so that what training lacks isn't impossible.
        unigram = (counts + 1) / (counts + 1).sum()
        train, val = self._examples[Split.TRAIN].ids, self._examples[Split.VAL].ids
        asked = sum((_occurrences(piece[1:], size) for piece in in_pieces(val)), np.zeros(size, np.int64))
        bits = float(asked @ -np.log2(unigram) / asked.sum())
        scores = {"bits": bits, "accuracy": float(asked[counts.argmax()] / asked.sum())}
        if self.level == "words":
            scores["perplexity"] = 2**bits
        if len(train) <= MOST_BIGRAMS and size**2 <= MOST_BIGRAMS:
            pairs = _pairs(train, size) + PRIOR * unigram
            bigram = pairs / pairs.sum(1, keepdims=True)
            scores["bits_bigram"] = float((_pairs(val, size) * -np.log2(bigram)).sum() / asked.sum())
        return scores

    def pictures(self, samples: Iterable[Sample]) -> Iterator[Picture]:
        """What the model writes after a few prompts, and how much each symbol of a stretch surprised it."""
        chunks = list(islice(samples, SHOWN_CHUNKS))
        first = chunks[0]
        if first.generated is not None:
            pairs = zip(first.batch.inputs[:SHOWN], first.batch.lengths, first.generated, strict=False)
            texts = [(self.text_of(prompt[:length]), self.text_of(new)) for prompt, length, new in pairs]
            yield Picture("samples", drawing.beside(texts))
        symbols, bits = zip(*(_surprise(sample) for sample in chunks), strict=True)
        gap = 1 if self.level == "words" else 0
        shown = self.vocabulary.decode(np.concatenate(symbols))
        yield Picture("surprise", drawing.surprise(shown, np.concatenate(bits), gap))

    def input_names(self, ids: Int[np.ndarray, " N"]) -> list[str]:
        """The characters, or words."""
        return self.vocabulary.decode(ids)

    def assets(self) -> dict[str, Any]:
        """The vocabulary, and what its symbols are."""
        return {"vocab.json": {"level": self.level, **self.vocabulary.to_json()}}

    def restore(self, assets: dict[str, Any]) -> None:
        """Takes the vocabulary back.

        Raises:
            CheckpointError: If it isn't what `assets` gave, or of another level.
        """
        content = assets.get("vocab.json")
        vocabulary = Vocabulary.from_json(content)
        if not isinstance(content, dict) or content.get("level") != self.level:
            raise CheckpointError(f"vocab.json: is not of task.level={self.level}")
        self._vocabulary = vocabulary

    def new_inputs(self, source: new.Source) -> Iterator[new.Given]:
        """Each line, or the column named text of a file of rows."""
        return read_texts(source, Columns())

    def new_examples(self, given: Sequence[new.Given]) -> Prompts:
        """Texts, each read by itself from nothing; blanks are symbols as well."""
        ids = [self.ids_of(each.value if isinstance(each.value, str) else each.text()) for each in given]
        for each, symbols in zip(given, ids, strict=True):
            if not len(symbols):
                raise DataError(f"{each.place}: is blank")
        return Prompts(ids)

    def answer(self, given: Sequence[new.Given], sample: Sample) -> Iterator[dict[str, Any]]:
        """What is likely to come next after each text, and the bits that each of its own symbols took on average.

        The first symbol is not asked for; of a single one, the bits are None.
        """
        nats = F.cross_entropy(
            sample.outputs.transpose(1, 2), sample.batch.targets, ignore_index=PAD, reduction="none"
        ).sum(1)
        for row, each in enumerate(given):
            length = int(sample.batch.lengths[row])
            chances, ids = sample.outputs[row, length - 1].softmax(-1).topk(min(LIKELIEST, sample.outputs.shape[2]))
            symbols = zip(self.vocabulary.decode(ids.numpy()), chances.tolist(), strict=True)
            told = [{"symbol": symbol, "probability": round(chance, DIGITS)} for symbol, chance in symbols]
            bits = None if length == 1 else round(float(nats[row]) / (length - 1) / math.log(2), DIGITS)
            yield {"text": each.value, "bits": bits, "next": told}

    def shown(self, sample: Sample, row: int, given: new.Given | None = None) -> Shown:
        """Each symbol by how little it was expected, with what was; and how the model goes on."""
        length, spaced = int(sample.batch.lengths[row]), self.level == "words"
        ids, outputs = sample.batch.inputs[row, :length], sample.outputs[row, :length].float()
        expected = [self._expected(each) for each in outputs.softmax(-1)]
        nats = F.cross_entropy(outputs[:-1], ids[1:], reduction="none")
        bits = [nat / math.log(2) for nat in nats.tolist()]
        notes = [f"{each:.1f} bits; expected: {likely}" for each, likely in zip(bits, expected, strict=False)]
        shades = [min(each / drawing.MOST_BITS, 1.0) for each in bits]
        caption = f"Darker: less expected, up to {drawing.MOST_BITS:g} bits. Point at a symbol to see what was."
        symbols = self.vocabulary.decode(ids.numpy())
        text = Words("text", symbols, (), [0.0, *shades], ["not asked for", *notes], spaced, caption)
        facts = {} if given is None else {"next": expected[-1]}
        if sample.generated is not None:
            facts["goes on"] = self.text_of(sample.generated[row])
        return Shown([text, Facts(facts)], symbols)

    def _expected(self, chances: Float[Tensor, " V"]) -> str:
        """The likeliest symbols, in a few words."""
        likely, ids = chances.topk(min(LIKELIEST, len(chances)))
        names = [drawing.MARKS.get(name, name) for name in self.vocabulary.decode(ids.numpy())]
        return ", ".join(f"{name} {chance:.0%}" for name, chance in zip(names, likely.tolist(), strict=True))

    def own_inputs(self, data_dir: Path, seed: int) -> Iterator[new.Given]:
        """The beginning of a line; where the text has no lines, its most frequent symbol."""
        words = self.vocabulary.words
        yield new.Given("\n" if "\n" in words else words[0], "the prompt")

    def file_examples(self, paths: Sequence[Path]) -> EvaluationChunks:
        """All of a text, read as the validation text is."""
        return self._chunks(self._ids(Split.VAL, whole(new.single(paths))))

    def ids_of(self, text: str) -> Int[np.ndarray, " T"]:
        """The ids of a text, such as a prompt."""
        if self.level == "words":
            return self.vocabulary.encode(words(text))
        return self.vocabulary.encode_characters(text)

    def text_of(self, ids: Int[Tensor, " T"]) -> str:
        """The text of ids, such as those that a model wrote; padding is left out."""
        symbols = self.vocabulary.decode(ids[ids != PAD].numpy())
        return written(symbols) if self.level == "words" else "".join(symbols)

    def _spec(self, symbols: Symbols) -> TaskSpec:
        return TaskSpec(
            symbols, symbols, Align.EACH, horizon=self.sample_length, causal=True, carry=self.carry, continues=True
        )

    def _passage(self, split: Split, data_dir: Path, seed: int) -> Passage:
        return self._source.passage(split, data_dir, seed, at_blank=self.level == "words")

    def _read(self, split: Split, data_dir: Path, seed: int) -> EvaluationChunks:
        return self._chunks(self._ids(split, self._passage(split, data_dir, seed)))

    def _chunks(self, ids: Ids) -> EvaluationChunks:
        streams = (self.max_streams or STREAMS) if self.carry and not self.cold_eval else None
        return EvaluationChunks(ids, self.steps, streams)

    def _ids(self, split: Split, passage: Passage) -> Ids:
        ids = stored(passage, self.level, self.vocabulary)
        needed, remedy = (self.steps + 1, ", or take fewer task.steps") if split is Split.TRAIN else (2, "")
        if len(ids) < needed:
            raise DataError(
                f"{passage}: its {split} part has {len(ids)} {self.level}, where {needed} are needed; "
                f"give it more text{remedy}"
            )
        return ids


def _surprise(sample: Sample) -> tuple[NDArray[np.int64], Float[np.ndarray, " T"]]:
    """The symbols that the first sequence of a batch asked for, and the bits that each was worth."""
    length = int(sample.batch.lengths[0])
    targets = sample.batch.targets[0, :length]
    nats = F.cross_entropy(sample.outputs[0, :length].float(), targets, reduction="none")
    return targets.numpy(), (nats / math.log(2)).numpy()


def _occurrences(ids: NDArray[Any], size: int) -> Int[np.ndarray, " V"]:
    return np.bincount(ids, minlength=size)


def _pairs(ids: Ids, size: int) -> Int[np.ndarray, "V V"]:
    """How often each id (rows) is followed by each (columns)."""
    pairs = np.zeros(size * size, np.int64)
    for piece in in_pieces(ids):
        pairs += _occurrences(piece[:-1].astype(np.int64) * size + piece[1:], size * size)
    return pairs.reshape(size, size)
