"""From sounds to what a model reads: log-mel spectra or cepstra, normalised, a few frames to a step."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from seqtrain import limits
from seqtrain.errors import ConfigError

FLOOR = 1e-10
"""The least power of a band that is told from silence; full scale is of the order of 1."""
CHUNK = 8192
"""Frames that are transformed at once, to bound the memory they take."""
MFCCS = 13
"""Cepstral coefficients unless told otherwise."""
EPSILON = 1e-5
"""What a feature that never changes is divided by."""

Kind = Literal["logmel", "mfcc"]
Normalization = Literal["train", "loudness", "utterance"]
Spectra = Float[np.ndarray, "R M"]
"""The log-mel spectra of R frames, natural logarithms of power."""


@dataclass(frozen=True)
class Scale:
    """What features are centred on and divided by, each (F,), where the training split tells it."""

    mean: Float[np.ndarray, " F"]
    deviation: Float[np.ndarray, " F"]


@dataclass(frozen=True)
class FeatureOptions:
    """How sounds become the steps that a model reads.

    Attributes:
        features: "logmel" spectra, or their cosine transform, "mfcc".
        sample_rate_hz: What sounds are brought to before anything else.
        window_ms: Milliseconds that a frame covers.
        hop_ms: Milliseconds from one frame to the next.
        mels: Bands of the spectrum.
        mfccs: Cepstral coefficients, from the zeroth; None is 13. For "mfcc" only.
        min_hz: Where the lowest band begins.
        max_hz: Where the highest band ends; None is half the sample rate.
        range_db: Decibels below a sound's loudest band, under which a band counts as silent: it is raised to there.
            Makes recordings with noise and without it alike; of joined ones, each is held to its own loudest band.
            None leaves all as it is.
        normalize: "train" centres each feature and divides it by its standard deviation, as the training split has
            them; "loudness" takes one mean over the features of each utterance away instead, and "utterance" each
            feature's own, so that only changes within the utterance are left.
        stack_frames: Frames laid side by side in one step, which makes sequences as many times shorter.
    """

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
    stack_frames: int = 1

    def __post_init__(self) -> None:
        limits.at_least("task", 1000, sample_rate_hz=self.sample_rate_hz)
        limits.above_zero("task", window_ms=self.window_ms, hop_ms=self.hop_ms, range_db=self.range_db)
        limits.at_least("task", 1, mels=self.mels, mfccs=self.mfccs, stack_frames=self.stack_frames)
        limits.at_least("task", 0, min_hz=self.min_hz)
        for name, samples in (("window_ms", self.window), ("hop_ms", self.hop)):
            if samples < 1:
                raise ConfigError(f"task.{name}={getattr(self, name)}: is less than one sample")
        if self.hop > self.window:
            raise ConfigError(f"task.hop_ms={self.hop_ms}: must not be above task.window_ms={self.window_ms}")
        if not self.min_hz < self.top_hz <= self.sample_rate_hz / 2:
            raise ConfigError(
                f"task.max_hz={self.top_hz:g}: must be above task.min_hz={self.min_hz:g} and at most half of "
                f"task.sample_rate_hz={self.sample_rate_hz}"
            )
        if self.mfccs is not None and self.features != "mfcc":
            raise ConfigError(f"task.mfccs={self.mfccs}: is about cepstra, and needs task.features=mfcc")
        if self.mfccs is not None and self.mfccs > self.mels:
            raise ConfigError(f"task.mfccs={self.mfccs}: must not be above task.mels={self.mels}")
        if not self.filters.any(0).all():
            raise ConfigError(
                f"task.mels={self.mels}: some bands would fall between the frequencies that a window of "
                f"{self.window_ms:g} ms tells apart; ask for fewer, or for a longer task.window_ms"
            )

    @property
    def window(self) -> int:
        """Samples that a frame covers."""
        return round(self.window_ms * self.sample_rate_hz / 1000)

    @property
    def hop(self) -> int:
        """Samples from one frame to the next."""
        return round(self.hop_ms * self.sample_rate_hz / 1000)

    @property
    def points(self) -> int:
        """The length of the Fourier transform: the power of two that holds a window."""
        return 1 << (self.window - 1).bit_length()

    @property
    def top_hz(self) -> float:
        """Where the highest band ends."""
        return self.sample_rate_hz / 2 if self.max_hz is None else self.max_hz

    @property
    def size(self) -> int:
        """Features of one frame."""
        return self.mels if self.features == "logmel" else self.mfccs or MFCCS

    @cached_property
    def edges_hz(self) -> Float[np.ndarray, " E"]:
        """Where each band begins, peaks and ends: band m at m, m + 1 and m + 2."""
        return hertz(np.linspace(mel(self.min_hz), mel(self.top_hz), self.mels + 2))

    @cached_property
    def filters(self) -> Float[np.ndarray, "K M"]:
        """How much each frequency of the transform adds to each band: triangles of height 1."""
        frequencies = np.arange(self.points // 2 + 1)[:, None] * self.sample_rate_hz / self.points
        left, peak, right = self.edges_hz[:-2], self.edges_hz[1:-1], self.edges_hz[2:]
        rising, falling = (frequencies - left) / (peak - left), (right - frequencies) / (right - peak)
        triangles: Float[np.ndarray, "K M"] = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
        return triangles

    @cached_property
    def cosines(self) -> Float[np.ndarray, "M F"]:
        """The cosine transform from bands to cepstra: type II, orthonormal."""
        bands, orders = np.arange(self.mels)[:, None], np.arange(self.size)
        table = math.sqrt(2 / self.mels) * np.cos(np.pi * orders * (bands + 0.5) / self.mels)
        table[:, 0] /= math.sqrt(2)
        return np.asarray(table, np.float32)

    def frames(self, lengths: Int[np.ndarray, " N"]) -> Int[np.ndarray, " N"]:
        """Frames that sounds of so many samples have: as many as leave no sample out, the last filled with zeros."""
        counts: Int[np.ndarray, " N"] = 1 + np.maximum(0, -(-(lengths - self.window) // self.hop))
        return counts

    def spectra(self, samples: Float[np.ndarray, " S"], lengths: Int[np.ndarray, " N"]) -> Spectra:
        """The log-mel spectra of sounds that stand one after the other, frame by frame in the same order.

        Args:
            samples: All sounds.
            lengths: Samples of each, at least 1.
        """
        counts = self.frames(lengths)
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        starts = np.repeat(np.cumsum(lengths) - lengths, counts) + within * self.hop
        left = np.repeat(lengths, counts) - within * self.hop  # samples from a frame's start to its sound's end
        hann = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.window) / self.window)).astype(np.float32)
        padded = np.concatenate([samples.astype(np.float32), np.zeros(self.window, np.float32)])
        windows = np.lib.stride_tricks.sliding_window_view(padded, self.window)
        spectra = np.empty((len(starts), self.mels), np.float32)
        for start in range(0, len(starts), CHUNK):
            part = slice(start, start + CHUNK)
            framed = windows[starts[part]] * hann
            framed[np.arange(self.window) >= left[part, None]] = 0
            transformed = np.fft.rfft(framed, self.points)
            power = (transformed.real**2 + transformed.imag**2).astype(np.float32)
            spectra[part] = np.log(np.maximum(power @ self.filters, FLOOR))
        if self.range_db is not None:
            loudest = np.maximum.reduceat(spectra.max(1), np.cumsum(counts) - counts)
            silent = loudest - np.float32(self.range_db * math.log(10) / 10)
            np.maximum(spectra, np.repeat(silent, counts)[:, None], out=spectra)
        return spectra

    def scale(self, spectra: Spectra) -> Scale:
        """What the frames of the training split say of each feature."""
        features = self._transformed(spectra)
        return Scale(features.mean(0, np.float64), features.std(0, dtype=np.float64))

    def steps(
        self, spectra: Float[np.ndarray, "B T M"], real: Bool[np.ndarray, "B T"], scale: Scale
    ) -> Float[np.ndarray, "B S F"]:
        """What a model reads of some utterances: features, normalised, stacked; zeros past the last frame.

        Args:
            spectra: Of each utterance, padded; what stands on padding is not read.
            real: Where there is a frame.
            scale: Of the training split.
        """
        center, deviation = scale.mean.astype(np.float32), np.maximum(scale.deviation, EPSILON).astype(np.float32)
        features = (self._transformed(spectra) - center) / deviation
        if self.normalize != "train":
            axes = 1 if self.normalize == "utterance" else (1, 2)
            features = features - features.mean(axes, keepdims=True, where=real[:, :, None])
        if self.normalize == "utterance":
            features = features / np.maximum(features.std(1, keepdims=True, where=real[:, :, None]), EPSILON)
        return self._stacked(np.where(real[:, :, None], features, np.float32(0)))

    def unstacked(self, steps: Float[np.ndarray, "S F"]) -> Float[np.ndarray, "T D"]:
        """The frames that one utterance's steps were stacked from, to look at."""
        return steps.reshape(-1, self.size)

    def _transformed(self, spectra: Float[np.ndarray, "... M"]) -> Float[np.ndarray, "... F"]:
        return spectra @ self.cosines if self.features == "mfcc" else spectra

    def _stacked(self, features: Float[np.ndarray, "B T D"]) -> Float[np.ndarray, "B S F"]:
        batch, frames, size = features.shape
        missing = -frames % self.stack_frames
        filled = np.pad(features, ((0, 0), (0, missing), (0, 0)))
        return filled.reshape(batch, -1, self.stack_frames * size)


def mel(hz: Float[np.ndarray, "..."] | float) -> Float[np.ndarray, "..."] | float:
    """Pitch as heard, in mels: 2595 log10(1 + f / 700) (O'Shaughnessy 1987)."""
    return 2595 * np.log10(1 + np.asarray(hz) / 700)


def hertz(mels: Float[np.ndarray, "..."] | float) -> Float[np.ndarray, "..."]:
    """The frequency of a pitch in mels."""
    return np.asarray(700 * (10 ** (np.asarray(mels) / 2595) - 1))
