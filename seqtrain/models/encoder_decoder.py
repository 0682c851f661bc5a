"""Models that read one sequence and write another: the encoder-decoder, with attention or without."""

from collections.abc import Iterator
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqtrain.batch import BOS, Batch, length_mask
from seqtrain.model import Model, State
from seqtrain.models.by_step import read_by_step
from seqtrain.models.core import Core
from seqtrain.models.decoder import Decoder, Encoded
from seqtrain.models.decoder_spec import DecoderSpec
from seqtrain.models.padded import RealSteps
from seqtrain.models.stem import Stem, unit_range
from seqtrain.models.writing import search, write
from seqtrain.spec import Align, TaskSpec


@final
class EncoderDecoder(Model):
    """Reads a sequence, then writes from what it remembers of it  (Sutskever 2014, arXiv 1409.3215).

    Symbols: the decoder is told BOS first, then in training and in scoring the true symbols, and by itself those that
    it wrote, until it writes EOS. Values: it is told the last step read, then its own forecasts, or in training the
    truth where teacher forcing has it so.

    Attributes:
        stem: Elements to features, step by step.
        core: The encoder.
        decoder: What writes.
    """

    def __init__(
        self, stem: Stem, core: Core, decoder: Decoder, task: TaskSpec, spec: DecoderSpec, dropout: float
    ) -> None:
        super().__init__()
        self.stem = stem
        self.core = core
        self.decoder = decoder
        self.task = task
        self.spec = spec
        self.forcing = spec.forcing(task, 0)
        self.dropout = nn.Dropout(dropout)

    def ends(self) -> tuple[nn.Module, ...]:
        return self.stem, self.decoder.stem, self.decoder.readout

    def at_step(self, step: int) -> None:
        self.forcing = self.spec.forcing(self.task, step)

    def forward(self, batch: Batch, state: State | None = None) -> tuple[Float[Tensor, "B U ..."], State]:
        encoded, state = self.encode(batch, state)
        outputs, _ = self._answer(batch, encoded, state)
        return outputs, state

    @property
    def by_step_refusal(self) -> str | None:
        """Its encoder tells."""
        return self.core.by_step_refusal

    def read_by_step(self, batch: Batch) -> tuple[Float[Tensor, "B U ..."], list[State]]:
        real, features = self._features(batch)
        steps, states = read_by_step(self.core, features, batch.lengths)
        outputs, _ = self._answer(batch, Encoded(steps, real), states[-1])
        return outputs, states

    def gates(self, batch: Batch) -> dict[str, Float[Tensor, "B T *D"]]:
        _, features = self._features(batch)
        return {f"core.{name}": gate for name, gate in self.core.gates(features, batch.lengths).items()}

    def inside(self, batch: Batch) -> dict[str, Float[Tensor, "B T *D"]]:
        _, features = self._features(batch)
        return {f"core.{name}": part for name, part in self.core.inside(features, batch.lengths).items()}

    def generate(self, batch: Batch) -> Int[Tensor, "B U"]:
        assert self.task.align is Align.FREE, "forecasts are answers, not symbols to write"
        encoded, state = self.encode(batch)

        def step(said: Tensor, state: State) -> tuple[Tensor, State]:
            ones = torch.ones(len(said), dtype=torch.long)
            written = self.decoder(said.unsqueeze(1), ones, state, encoded)
            return written.outputs[:, 0], written.state

        first = torch.full((len(batch),), BOS, device=batch.inputs.device)
        begun, spec = self.decoder.begin(state), self.spec
        if spec.beams > 1:
            return search(step, first, begun, self.task.horizon, beams=spec.beams, length_penalty=spec.length_penalty)
        drawn = spec.temperature or (1.0 if spec.top_k or spec.top_p else None)
        logits, begun = step(first, begun)
        return write(step, logits, begun, self.task.horizon, temperature=drawn, spec=spec)

    def write(self, batch: Batch) -> Iterator[Int[Tensor, " B"]]:
        yield from self.generate(batch).unbind(1)  # a beam settles nothing before its end

    def attention_weights(self, batch: Batch, state: State | None = None) -> tuple[Float[Tensor, "B N U T"], ...]:
        encoded, state = self.encode(batch, state)
        _, queries = self._answer(batch, encoded, state)
        found = self.decoder.weights(queries, encoded)
        if batch.target_lengths is None:
            return found
        asked = length_mask(batch.target_lengths, queries.shape[1], queries.device)
        return tuple(part * asked[:, None, :, None] for part in found)

    def _features(self, batch: Batch) -> tuple[RealSteps, Float[Tensor, "B T *F"]]:
        """What the encoder reads, and which steps of it are real."""
        real = RealSteps(batch.lengths, batch.inputs.shape[1], batch.inputs.device)
        return real, self.dropout(self.stem(real.zero_padding(batch.inputs)))

    def encode(self, batch: Batch, state: State | None = None) -> tuple[Encoded, State]:
        """Reads a batch: what the decoder can look at, and the encoder's memory, from which it begins."""
        real, features = self._features(batch)
        steps, state = self.core(features, batch.lengths, state)
        return Encoded(steps, real), state

    def _answer(self, batch: Batch, encoded: Encoded, state: State) -> tuple[Tensor, Tensor]:
        """The outputs, and the decoder core's outputs behind them, from what was read and the encoder's state."""
        begun = self.decoder.begin(state)
        if self.task.align is Align.FREE:
            assert batch.target_lengths is not None, "sequences of their own length say how long they are"
            lengths = batch.target_lengths
            first = torch.full_like(batch.targets[:, :1], BOS)
            truth = RealSteps(lengths, batch.targets.shape[1], first.device).zero_padding(batch.targets)
            forcing = self.forcing if self.training else 1.0
        else:
            lengths = torch.full_like(batch.lengths, self.task.horizon)
            first = unit_range(encoded.real.last(batch.inputs)).unsqueeze(1)
            truth = unit_range(batch.targets) if self.training else first
            forcing = self.forcing if self.training else 0.0
        if forcing == 1:
            written = self.decoder(torch.cat([first, truth[:, :-1]], 1), lengths, begun, encoded)
            return written.outputs, written.queries
        steps = int(lengths.max()) if self.task.align is Align.FREE else self.task.horizon
        return self._say(first, truth, forcing, steps, begun, encoded)

    def _say(
        self, said: Tensor, truth: Tensor, forcing: float, steps: int, state: State, encoded: Encoded
    ) -> tuple[Tensor, Tensor]:
        """Answers one step after the other, each told the truth by chance, else what was answered before."""
        ones = torch.ones(said.shape[0], dtype=torch.long)
        outputs, queries = [], []
        for u in range(steps):
            written = self.decoder(said, ones, state, encoded)
            state = written.state
            outputs.append(written.outputs)
            queries.append(written.queries)
            said = written.outputs.argmax(-1) if self.task.align is Align.FREE else written.outputs
            if forcing > 0:
                told = torch.rand(len(said), 1, device=said.device) < forcing
                told = told.view(-1, *[1] * (said.dim() - 1))
                said = torch.where(told, truth[:, u : u + 1].to(said.dtype), said)
        return torch.cat(outputs, 1), torch.cat(queries, 1)
