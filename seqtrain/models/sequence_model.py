"""Models that answer from what they read: stem, core, attention if there is one, readout."""

from collections.abc import Iterator
from typing import assert_never, final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqtrain.batch import Batch
from seqtrain.model import Model, State
from seqtrain.models.attention import Attention, AttentionPooling
from seqtrain.models.by_step import read_by_step
from seqtrain.models.chain import ChainReadout
from seqtrain.models.core import Core
from seqtrain.models.decoder_spec import DecoderSpec, writes
from seqtrain.models.model_spec import Pooling
from seqtrain.models.padded import RealSteps
from seqtrain.models.readout import MapReadout, Readout
from seqtrain.models.self_attention import SelfAttention
from seqtrain.models.stem import Stem
from seqtrain.models.writing import Step, said_one_by_one
from seqtrain.spec import TaskSpec


@final
class SequenceModel(Model):
    """Reads a batch through stem, core, attention if it has one, and readout.

    Attributes:
        stem: Elements to features, step by step.
        core: Features to features, along the sequence.
        attention: What looks at the core's outputs before they are pooled or read out, or pools them itself.
        readout: Features to elements.
        pooling: How a sequence becomes one vector before the readout; None where each step is read out, or
            attention has made one.
    """

    def __init__(
        self,
        stem: Stem,
        core: Core,
        attention: AttentionPooling | Attention | None,
        readout: Readout | MapReadout | ChainReadout,
        pooling: Pooling | None,
        dropout: float,
        task: TaskSpec,
        decoder: DecoderSpec,
    ) -> None:
        super().__init__()
        self.stem = stem
        self.core = core
        self.attention = attention
        self.readout = readout
        self.pooling = pooling
        self.dropout = nn.Dropout(dropout)
        self.task = task
        self.decoder = decoder

    def ends(self) -> tuple[nn.Module, ...]:
        return self.stem, self.readout

    def at_step(self, step: int) -> None: ...

    def forward(self, batch: Batch, state: State | None = None) -> tuple[Float[Tensor, "B ..."], State]:
        real, features = self._features(batch)
        outputs, state = self.core(features, batch.lengths, state)
        return self._answer(outputs, batch, state, real), state

    @property
    def by_step_refusal(self) -> str | None:
        """Its core tells."""
        return self.core.by_step_refusal

    def read_by_step(self, batch: Batch) -> tuple[Float[Tensor, "B ..."], list[State]]:
        real, features = self._features(batch)
        outputs, states = read_by_step(self.core, features, batch.lengths)
        return self._answer(outputs, batch, states[-1], real), states

    def gates(self, batch: Batch) -> dict[str, Float[Tensor, "B T *D"]]:
        _, features = self._features(batch)
        return {f"core.{name}": gate for name, gate in self.core.gates(features, batch.lengths).items()}

    def inside(self, batch: Batch) -> dict[str, Float[Tensor, "B T *D"]]:
        _, features = self._features(batch)
        return {f"core.{name}": part for name, part in self.core.inside(features, batch.lengths).items()}

    def attention_weights(self, batch: Batch, state: State | None = None) -> tuple[Float[Tensor, "B N Q T"], ...]:
        real, features = self._features(batch)
        if isinstance(self.core, SelfAttention):
            return self.core.weights(features, batch.lengths)
        if self.attention is None:
            return ()
        outputs, state = self.core(features, batch.lengths, state)
        if isinstance(self.attention, AttentionPooling):
            return (self.attention.weights(outputs, real),)
        if self.pooling == "last":
            last = self.core.last(outputs, batch.lengths, state)
            return (self.attention.weights(outputs, real, last.unsqueeze(1)),)
        weights = self.attention.weights(outputs, real)
        return (real.zero_padding(weights.transpose(1, 2)).transpose(1, 2),)

    def generate(self, batch: Batch) -> Int[Tensor, "B U"]:
        return torch.stack(list(self.write(batch)), 1)

    def write(self, batch: Batch) -> Iterator[Int[Tensor, " B"]]:
        assert writes(self.task), "outputs of this task are no next inputs"
        temperature = 1.0 if self.decoder.temperature is None else self.decoder.temperature
        outputs, state = self(batch)
        logits = RealSteps(batch.lengths, outputs.shape[1], outputs.device).last(outputs)
        step = self._go_on if self.core.remembers and self.attention is None else self._reader(batch)
        yield from said_one_by_one(step, logits, state, self.task.horizon, temperature=temperature, spec=self.decoder)

    def _go_on(self, said: Int[Tensor, " B"], state: State) -> tuple[Float[Tensor, "B V"], State]:
        """The next symbol's logits by a core that remembers all that it needs of the symbols before."""
        ones = torch.ones(len(said), dtype=torch.long)
        outputs, state = self(Batch(said.unsqueeze(1), ones, said, ones), state)
        return outputs[:, 0], state

    def _reader(self, batch: Batch) -> Step:
        """The same for a model that looks at earlier steps themselves: it reads all of them again each time."""
        text, lengths = batch.inputs, batch.lengths

        def step(said: Tensor, _: State) -> tuple[Tensor, State]:
            nonlocal text, lengths
            text = nn.functional.pad(text, (0, 1))
            text[torch.arange(len(text)), lengths.to(text.device)] = said
            lengths = lengths + 1
            outputs, _ = self(Batch(text, lengths, said, lengths))
            return RealSteps(lengths, outputs.shape[1], outputs.device).last(outputs), ()

        return step

    def _features(self, batch: Batch) -> tuple[RealSteps, Float[Tensor, "B T *F"]]:
        """What the core reads, and which steps of it are real."""
        real = RealSteps(batch.lengths, batch.inputs.shape[1], batch.inputs.device)
        return real, self.dropout(self.stem(real.zero_padding(batch.inputs)))

    def _answer(self, outputs: Tensor, batch: Batch, state: State, real: RealSteps) -> Tensor:
        """What is made of the core's outputs, and of its state after them."""
        last = self.core.last(outputs, batch.lengths, state) if self.pooling == "last" else None
        answer: Tensor = self.readout(self.dropout(self._summarise(outputs, last, real)))
        return answer

    def _summarise(self, outputs: Tensor, last: Tensor | None, real: RealSteps) -> Tensor:
        """What is read out: of each step, or of the whole sequence in one vector.

        Args:
            outputs: Of the core.
            last: Its output where all has been read; needed for pooling=last only.
            real: Which steps are real.
        """
        if isinstance(self.attention, AttentionPooling):
            vector: Tensor = self.attention(outputs, real)
            return vector
        attended = outputs if last is None else last
        if self.attention is not None:
            queries = None if last is None else last.unsqueeze(1)
            attended = self.attention(outputs, real, queries)
            attended = attended if last is None else attended.squeeze(1)
        match self.pooling:
            case None | "last":
                return attended
            case "mean":
                return real.mean(attended)
            case "max":
                return real.max(attended)
            case _:
                assert_never(self.pooling)
