"""One split of recordings as a model reads it: alone or joined in strings, changed a little, as features."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray

from seqtrain.batch import Batch, Examples
from seqtrain.seeding import stream, uniform
from seqtrain.tasks.speech.augmentation import Augmentation
from seqtrain.tasks.speech.corpus import Corpus
from seqtrain.tasks.speech.features import FeatureOptions, Scale

BLANK = 0
"""The symbol that says nothing, in front of all classes, where strings are read by CTC."""


@dataclass(frozen=True)
class Strings:
    """How many recordings of one speaker are joined to one example.

    Attributes:
        shortest: The fewest.
        longest: The most.
    """

    shortest: int
    longest: int


class Utterances(Examples):
    """Each recording once an epoch, alone; or each followed by others of its speaker's, drawn anew in each epoch.

    Recordings are joined frame by frame: the silence at their ends stands between them.

    Args:
        corpus: What to read.
        labels: The class of each recording.
        kind: As what.
        scale: Of the training split.
        strings: How recordings are joined; None leaves them alone.
        augmentation: How they are changed; None leaves them as they are.
        seed: What is drawn depends on it.
        name: What is drawn depends on it, too: one for each split.
    """

    def __init__(
        self,
        corpus: Corpus,
        labels: Int[np.ndarray, " N"],
        kind: FeatureOptions,
        scale: Scale,
        strings: Strings | None,
        augmentation: Augmentation | None,
        seed: int,
        name: str,
    ) -> None:
        self.corpus = corpus
        self.labels = labels
        self._kind = kind
        self._scale = scale
        self._strings = strings
        self._augmentation = augmentation
        self._starts = np.cumsum(corpus.frames) - corpus.frames
        self._keys = [int(key) for key in stream(seed, f"speech/{name}").integers(2**63, size=3)]
        self._speakers = np.unique(np.array(corpus.speakers), return_inverse=True)[1]
        self._grouped = np.argsort(self._speakers, kind="stable")
        self._voices = np.bincount(self._speakers)
        # Strings are of other recordings in each epoch; those of the first tell the lengths well enough.
        pieces = self.pieces(np.arange(len(corpus)), 0)
        frames = np.where(pieces >= 0, corpus.frames[pieces], 0).sum(1)
        self.lengths = -(-frames // kind.stack_frames)

    def __len__(self) -> int:
        return len(self.corpus)

    def batch(self, indices: NDArray[np.int64], epoch: int) -> Batch:
        """The utterances of these indices; what is drawn depends on utterance and epoch, not on the batch."""
        pieces = self.pieces(indices, epoch)
        spectra, frames = self._read(pieces, indices, epoch)
        real = np.arange(spectra.shape[1]) < frames[:, None]
        steps = self._kind.steps(spectra, real, self._scale)
        lengths = torch.from_numpy(-(-frames // self._kind.stack_frames))
        inputs, chosen = torch.from_numpy(steps), torch.from_numpy(indices)
        labels = self.labels[pieces]
        if self._strings is None:
            return Batch(inputs, lengths, torch.from_numpy(labels[:, 0]), chosen)
        targets = torch.from_numpy(np.where(pieces >= 0, labels + 1, BLANK))
        return Batch(inputs, lengths, targets, chosen, torch.from_numpy((pieces >= 0).sum(1)))

    def pieces(self, indices: NDArray[np.int64], epoch: int) -> Int[np.ndarray, "B U"]:
        """The recordings that each utterance is joined from, in order; -1 behind the last."""
        if self._strings is None:
            return indices[:, None]
        shortest, longest = self._strings.shortest, self._strings.longest
        # How many there are is drawn once for all epochs, so that lengths change little.
        counts = shortest + (uniform(self._keys[0], 0, indices, 1) * (longest - shortest + 1)).astype(np.int64)
        speakers = self._speakers[indices][:, None]
        random = uniform(self._keys[1], epoch, indices, longest)
        within = (random * self._voices[speakers]).astype(np.int64)
        drawn = self._grouped[(np.cumsum(self._voices) - self._voices)[speakers] + within]
        drawn[:, 0] = indices
        drawn = drawn[:, : counts.max()]
        return np.where(np.arange(drawn.shape[1]) < counts, drawn, -1)

    def _read(
        self, pieces: Int[np.ndarray, "B U"], indices: NDArray[np.int64], epoch: int
    ) -> tuple[Float[np.ndarray, "B T M"], Int[np.ndarray, " B"]]:
        """The spectra of joined recordings, changed if they should be, and how many frames are real."""
        places, frames = self._places(pieces)
        if self._augmentation is None:
            return self.corpus.spectra[places], frames
        random = uniform(self._keys[2], epoch, indices, self._augmentation.draws)
        changed = self._augmentation.lengths(frames, random)
        if changed is frames:
            spectra = self.corpus.spectra[places]
        else:
            at = self._augmentation.positions(frames, changed)
            below = at.astype(np.int64)
            above = np.minimum(below + 1, frames[:, None] - 1)
            low, high = (self.corpus.spectra[np.take_along_axis(places, part, 1)] for part in (below, above))
            spectra = low + (at - below).astype(np.float32)[:, :, None] * (high - low)
        real = np.arange(spectra.shape[1]) < changed[:, None]
        return self._augmentation.changed(spectra, real, random, self._kind), changed

    def _places(self, pieces: Int[np.ndarray, "B U"]) -> tuple[Int[np.ndarray, "B T"], Int[np.ndarray, " B"]]:
        """Where in the corpus each frame of each utterance stands, and how many are real; past them, any."""
        frames = np.where(pieces >= 0, self.corpus.frames[pieces], 0)
        ends = np.cumsum(frames, 1)
        steps = np.arange(ends[:, -1].max())
        piece = (steps[None, :, None] >= ends[:, None, :-1]).sum(2)  # (B, T): which recording a frame is of
        offsets = self._starts[pieces] - (ends - frames)
        places = np.take_along_axis(offsets, piece, 1) + steps
        return np.clip(places, 0, len(self.corpus.spectra) - 1), ends[:, -1]
