"""Writing one text for another."""

import html
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from seqtrain import limits
from seqtrain.batch import EOS, PAD, Batch, Examples
from seqtrain.errors import CheckpointError, DataError
from seqtrain.picture import Picture
from seqtrain.shown import Facts, Shown
from seqtrain.spec import Align, Symbols, TaskSpec
from seqtrain.tasks import drawing
from seqtrain.tasks import given as new
from seqtrain.tasks.class_scores import DIGITS
from seqtrain.tasks.labelled_text import Columns, read_texts
from seqtrain.tasks.ragged import Ragged
from seqtrain.tasks.task import Sample, Split, Splits, Task
from seqtrain.tasks.translation.codecs import Codec, CodecOptions, codec_from_json
from seqtrain.tasks.translation.pairs import TextPairs, read_pairs
from seqtrain.tasks.translation.sources import PairSource
from seqtrain.tasks.vocabulary import split_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torchmetrics import MetricCollection

SHOWN = 12
"""Texts that are shown with their translation, each of a batch of its own, so that long and short ones are."""
MAPPED = 3
"""Texts whose attention is shown."""

Measure = Literal["accuracy", "bleu"]


@dataclass
class PairBatch(Batch):
    """A batch that knows what should be written, as it was before it became ids.

    Attributes:
        references: The target texts.
    """

    references: tuple[str, ...] = ()


@dataclass(frozen=True)
class Codes:
    """What is settled by the training split.

    Attributes:
        source: The ids of source texts.
        target: The ids of target texts.
        horizon: Ids of the longest target, its EOS included.
    """

    source: Codec
    target: Codec
    horizon: int


@dataclass(eq=False)
class TranslationTask(Task):
    """A text of its own length for each text. Vocabularies are those of the training split.

    Targets are ids that end with EOS. A model writes at most as many as the longest target of the training split has.
    """

    higher_is_better: ClassVar[bool] = True
    takes_text: ClassVar[bool] = True

    _source: PairSource = field(init=False, repr=False)
    _options: CodecOptions = field(init=False, repr=False)
    _notes: list[str] = field(default_factory=list, init=False, repr=False)
    _max_length: int | None = field(init=False, repr=False)
    _codes: Codes | None = field(default=None, init=False, repr=False)
    _examples: "Splits[EncodedPairs]" = field(default_factory=Splits, init=False, repr=False)

    def __post_init__(self) -> None:
        self._source = self.pair_source()
        self._options = self.codec_options()
        self._max_length = self.longest()
        limits.at_least("task", 1, max_length=self._max_length)

    @abstractmethod
    def pair_source(self) -> PairSource:
        """Where the texts come from.

        Raises:
            ConfigError: If an option has a value it can't have, or doesn't go with the others.
        """

    @abstractmethod
    def codec_options(self) -> CodecOptions:
        """How the texts become ids.

        Raises:
            ConfigError: If an option has a value it can't have.
        """

    @abstractmethod
    def longest(self) -> int | None:
        """Symbols above which a pair is not trained on, on either side, and a source is cut off; None is no limit."""

    @property
    @abstractmethod
    def metric(self) -> Measure:
        """What answers are measured by: whether they are right to the letter, or BLEU."""

    @property
    def outline(self) -> TaskSpec:
        """Symbols in, symbols out; how many of either, the data will tell."""
        return TaskSpec(Symbols(), Symbols(), Align.FREE)

    def notes(self) -> list[str]:
        """How many pairs were left out."""
        return self._notes

    @property
    def spec(self) -> TaskSpec:
        """Symbols in, symbols out, and how many of them at most."""
        codes = self.codes
        return TaskSpec(Symbols(len(codes.source)), Symbols(len(codes.target)), Align.FREE, horizon=codes.horizon)

    @property
    def codes(self) -> Codes:
        """The ids of either side; only after `prepare` or `restore`."""
        assert self._codes is not None, "prepare or restore comes first"
        return self._codes

    def prepare(self, data_dir: Path, seed: int) -> None:
        """Reads training and validation texts; the vocabularies are those of the training split."""
        self._source.check(data_dir)
        train = self._source.read(Split.TRAIN, data_dir, seed)
        source, target = self._options.learn(train.sources), self._options.learn(train.targets)
        examples = EncodedPairs(train, source, target)
        if self._max_length is not None:
            fits = np.flatnonzero((examples.lengths - (0, 1) <= self._max_length).all(1))
            if not len(fits):
                raise DataError(f"task.max_length={self._max_length}: every pair of the training data is longer")
            if len(fits) < len(train):
                left_out = f"{len(train) - len(fits):,} train pairs of more than"
                self._notes.append(f"{left_out} task.max_length={self._max_length} symbols are left out")
            examples = EncodedPairs(train.take(fits.tolist()), source, target)
        self._codes = Codes(source, target, int(examples.lengths[:, 1].max()))
        self._examples = Splits(lambda split: self._read(split, data_dir, seed))
        self._examples[Split.TRAIN] = examples
        self._examples[Split.VAL] = self._read(Split.VAL, data_dir, seed)

    def examples(self, split: Split) -> "EncodedPairs":
        """The pairs of one split; those of the test split are read when first asked for."""
        return self._examples[split]

    def loss(self, outputs: Float[Tensor, "B U V"], batch: Batch, smoothing: float = 0.0) -> Float[Tensor, ""]:
        """The cross-entropy in nats of the right next symbols, summed over the real steps, EOS included."""
        return F.cross_entropy(
            outputs.float().flatten(0, 1),
            batch.targets.flatten(),
            ignore_index=PAD,
            reduction="sum",
            label_smoothing=smoothing,
        )

    def count(self, batch: Batch) -> int:
        """The number of symbols in the targets, EOS included."""
        assert batch.target_lengths is not None
        return int(batch.target_lengths.sum())

    def metrics(self) -> "MetricCollection":
        """What is measured of the written texts, and how well each next symbol is told after the right ones.

        `accuracy`: the share of texts that are right to the letter. Or `bleu`: as sacreBLEU has it, cased, on texts as
        they are written; and `bleu_tok`: lower-cased, on the words that `split_words` finds, as many tutorials report
        it. Then `perplexity` and `token_accuracy`, of symbols: those of other vocabularies aren't comparable.
        """
        # Imported where it is used: torchmetrics takes a second to load.
        from torchmetrics import Metric, MetricCollection

        from seqtrain.tasks.translation.metrics import BLEU, Perplexity, Share

        written: dict[str, Metric | MetricCollection] = {"accuracy": Share()}
        if self.metric == "bleu":
            written = {"bleu": BLEU(), "bleu_tok": BLEU(tokenize="none", lowercase=True)}
        return MetricCollection(
            {**written, "perplexity": Perplexity(), "token_accuracy": Share()},
            compute_groups=False,  # each is given something else
        )

    def score(
        self,
        metrics: "MetricCollection",
        outputs: Float[Tensor, "B U V"],
        batch: Batch,
        generated: Int[Tensor, "B S"] | None = None,
    ) -> None:
        """Adds the written texts of one batch, and the symbols told one by one."""
        assert isinstance(batch, PairBatch)
        assert generated is not None, "a text is written for each"
        written, target = generated.cpu().numpy(), self.codes.target
        texts, words = [target.text(ids) for ids in written], [target.words(ids) for ids in written]
        self._compare(metrics, texts, words, batch.references)
        right = (outputs.argmax(-1) == batch.targets) & (batch.targets != PAD)
        metrics["token_accuracy"].update(right.sum(), self.count(batch))
        metrics["perplexity"].update(self.loss(outputs, batch), self.count(batch))

    def baseline(self) -> dict[str, float]:
        """What the source itself scores as the answer; of symbols, what their frequencies in training tell.

        Where `accuracy` is measured, the most frequent text of the training split is tried as well.
        """
        train, val = self.examples(Split.TRAIN), self.examples(Split.VAL)
        answers = [list(val.pairs.sources)]
        if self.metric == "accuracy":
            ((frequent, _),) = Counter(train.pairs.targets).most_common(1)
            answers.append([frequent] * len(val))
        seen, asked = (examples.frequencies(len(self.codes.target)) for examples in (train, val))
        rates = (seen + 1) / (seen + 1).sum()  # what never occurred has a chance as well
        scores = []
        for texts in answers:
            metrics = self.metrics()
            self._compare(metrics, texts, [split_words(text) for text in texts], val.pairs.targets)
            metrics["perplexity"].update(torch.tensor(-np.dot(asked, np.log(rates))), int(asked.sum()))
            metrics["token_accuracy"].update(int(asked[seen.argmax()]), int(asked.sum()))
            scores.append({name: float(value) for name, value in metrics.compute().items()})
        return max(scores, key=lambda score: score[self.metric])

    def pictures(self, samples: Iterable[Sample]) -> Iterator[Picture]:
        """Some translations, and what was looked at for each symbol of a few."""
        shown = list(islice(samples, SHOWN))
        source, target = self.codes.source, self.codes.target
        lines = ["| source | reference | answer |", "| --- | --- | --- |"]
        for sample in shown:
            assert isinstance(sample.batch, PairBatch)
            assert sample.generated is not None
            read = source.text(sample.batch.inputs[0, : sample.batch.lengths[0]].numpy())
            cells = (read, sample.batch.references[0], target.text(sample.generated[0].numpy()))
            lines.append(f"| {' | '.join(map(_plain, cells))} |")
        yield Picture("translations", "\n".join(lines) + "\n")
        for position, sample in enumerate([sample for sample in shown if sample.attention][-MAPPED:], 1):
            yield Picture(f"attention-{position}", self._map(sample))

    def _map(self, sample: Sample) -> "Figure":
        """The last attention's weights on the first text of a batch, the mean of the heads; rows are what asks."""
        batch, weights = sample.batch, sample.attention[-1][0].mean(0)  # (Q, T)
        assert batch.target_lengths is not None
        columns = self.codes.source.symbols(batch.inputs[0, : batch.lengths[0]].numpy())
        rows = columns
        if len(weights) == batch.targets.shape[1]:
            rows = self.codes.target.symbols(batch.targets[0, : batch.target_lengths[0]].numpy())
        return drawing.heatmap(weights[: len(rows), : len(columns)].numpy(), rows, columns)

    def input_names(self, ids: Int[np.ndarray, " N"]) -> list[str]:
        """The words, characters or pieces of words that are translated."""
        return self.codes.source.symbols(ids)

    def assets(self) -> dict[str, Any]:
        """The vocabularies of both sides, and the most symbols that are written."""
        codes = self.codes
        content = {"source": codes.source.to_json(), "target": codes.target.to_json(), "horizon": codes.horizon}
        return {"vocab.json": content}

    def restore(self, assets: dict[str, Any]) -> None:
        """Takes the vocabularies back.

        Raises:
            CheckpointError: If they aren't what `assets` gave.
        """
        match assets.get("vocab.json"):
            case {"source": source, "target": target, "horizon": int(horizon)}:
                self._codes = Codes(codec_from_json(source), codec_from_json(target), horizon)
            case _:
                raise CheckpointError('vocab.json: should tell "source", "target" and "horizon"')

    def new_inputs(self, source: new.Source) -> Iterator[new.Given]:
        """Each line, or the column named text of a file of rows."""
        return read_texts(source, Columns())

    def new_examples(self, given: Sequence[new.Given]) -> "EncodedPairs":
        """Texts to be translated."""
        texts = [each.text() for each in given]
        return EncodedPairs(TextPairs(texts, [""] * len(texts)), self.codes.source, self.codes.target, self._max_length)

    def answer(self, given: Sequence[new.Given], sample: Sample) -> Iterator[dict[str, Any]]:
        """What is written for each text, and how likely it was: the logarithm of its probability, in nats."""
        assert sample.generated is not None
        nats = F.cross_entropy(
            sample.outputs.float().transpose(1, 2), sample.batch.targets, ignore_index=PAD, reduction="none"
        )
        for each, ids, likely in zip(given, sample.generated.numpy(), -nats.sum(1), strict=True):
            yield {
                "text": each.value,
                "translation": self.codes.target.text(ids),
                "log_probability": round(float(likely), DIGITS),
            }

    def shown(self, sample: Sample, row: int, given: new.Given | None = None) -> Shown:
        """The text, what was written for it, and the reference."""
        batch, source, target = sample.batch, self.codes.source, self.codes.target
        assert sample.generated is not None
        assert batch.target_lengths is not None
        read = batch.inputs[row, : batch.lengths[row]].numpy()
        facts = {"source": source.text(read), "answer": target.text(sample.generated[row].numpy())}
        if given is None:
            assert isinstance(batch, PairBatch)
            facts["reference"] = batch.references[row]
        asks = target.symbols(batch.targets[row, : batch.target_lengths[row]].numpy())
        right = None if given is not None else facts["answer"] == facts["reference"]
        return Shown([Facts(facts)], source.symbols(read), asks, right if self.metric == "accuracy" else None)

    def own_inputs(self, data_dir: Path, seed: int) -> Iterator[new.Given]:
        """A few texts of the validation split."""
        self.prepare(data_dir, seed)
        texts = self.examples(Split.VAL).pairs.sources[:SHOWN]
        return (new.Given(text, f"validation text {number}") for number, text in enumerate(texts))

    def file_examples(self, paths: Sequence[Path]) -> "EncodedPairs":
        """The texts of one file, each with the same line of the other as its translation."""
        if len(paths) != 2:
            raise DataError(f"{paths[0]}: a translation is scored on two files: the texts, and a translation of each")
        return EncodedPairs(read_pairs(*paths), self.codes.source, self.codes.target, self._max_length)

    def _compare(
        self, metrics: "MetricCollection", texts: list[str], words: list[list[str]], references: Sequence[str]
    ) -> None:
        """Adds texts, and the words of each, that were written for these references."""
        if self.metric == "accuracy":
            fold = self.codes.target.case.fold
            hits = sum(text == wanted for text, wanted in zip(fold(texts), fold(references), strict=True))
            metrics["accuracy"].update(hits, len(texts))
            return
        metrics["bleu"].update(texts, references)
        metrics["bleu_tok"].update(map(" ".join, words), [" ".join(split_words(text)) for text in references])

    def _read(self, split: Split, data_dir: Path, seed: int) -> "EncodedPairs":
        pairs = self._source.read(split, data_dir, seed)
        return EncodedPairs(pairs, self.codes.source, self.codes.target, self._max_length)


def _plain(text: str) -> str:
    """A text in which nothing means anything to Markdown's tables and tags."""
    return html.escape(text, quote=False).replace("|", "&#124;")


class EncodedPairs(Examples):
    """Encoded pairs of one split.

    Attributes:
        pairs: As they were read.
        lengths: (N, 2): ids of each source, and of each target with its EOS.
    """

    lengths: NDArray[np.int64]

    def __init__(self, pairs: TextPairs, source: Codec, target: Codec, cut: int | None = None) -> None:
        self.pairs = pairs
        self._sources = Ragged(ids[:cut] for ids in source.encode(pairs.sources))
        self._targets = Ragged(np.append(ids, EOS) for ids in target.encode(pairs.targets))
        self.lengths = np.stack([self._sources.lengths, self._targets.lengths], 1)

    def __len__(self) -> int:
        return len(self.pairs)

    def batch(self, indices: NDArray[np.int64], epoch: int) -> PairBatch:
        """The pairs of these indices."""
        lengths, target_lengths = torch.from_numpy(self.lengths[indices]).unbind(1)
        return PairBatch(
            torch.from_numpy(self._sources.padded(indices)),
            lengths,
            torch.from_numpy(self._targets.padded(indices)),
            torch.from_numpy(indices),
            target_lengths,
            tuple(self.pairs.targets[index] for index in indices.tolist()),
        )

    def frequencies(self, size: int) -> Int[np.ndarray, " V"]:
        """How often each id stands in the targets, EOS included."""
        return np.bincount(self._targets.flat, minlength=size)
