"""Training utterances that sound a little different in each epoch, made from their spectra."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from seqtrain import limits
from seqtrain.errors import ConfigError
from seqtrain.tasks.speech.features import FeatureOptions, mel

MASK_WIDTH = 8
"""Bands or frames that a mask hides at most, unless told otherwise."""

Uniform = Float[np.ndarray, "B K"]
"""Numbers in [0, 1), one row for each utterance."""


@dataclass(frozen=True)
class Augmentation:
    """How far training utterances may be changed; nothing of it touches validation or test.

    Attributes:
        speed: Utterances are spoken faster or slower by at most this share.
        warp: Frequencies are moved up or down by at most this share, as by a shorter or longer vocal tract
            (Jaitly & Hinton 2013).
        freq_masks: Ranges of bands that are replaced by their mean (SpecAugment; Park et al. 2019).
        freq_mask_width: The most bands that a mask hides; None is 8.
        time_masks: Ranges of frames that are replaced by the mean spectrum.
        time_mask_width: The most frames that a mask hides, and never more than half of them; None is 8.
        added_noise: How loud white noise may be that is added, as a share of the utterance's own mean power.
    """

    speed: float = 0.0
    warp: float = 0.0
    freq_masks: int = 0
    freq_mask_width: int | None = None
    time_masks: int = 0
    time_mask_width: int | None = None
    added_noise: float = 0.0

    def __post_init__(self) -> None:
        limits.decay("task", speed=self.speed, warp=self.warp)
        limits.at_least("task", 0, freq_masks=self.freq_masks, time_masks=self.time_masks, added_noise=self.added_noise)
        limits.at_least("task", 1, freq_mask_width=self.freq_mask_width, time_mask_width=self.time_mask_width)
        for kind in ("freq", "time"):
            width, masks = getattr(self, f"{kind}_mask_width"), getattr(self, f"{kind}_masks")
            if width is not None and masks == 0:
                raise ConfigError(f"task.{kind}_mask_width={width}: does nothing without task.{kind}_masks")

    @property
    def draws(self) -> int:
        """Random numbers that one utterance needs."""
        return 3 + 2 * (self.freq_masks + self.time_masks)

    def lengths(self, lengths: Int[np.ndarray, " B"], random: Uniform) -> Int[np.ndarray, " B"]:
        """Frames of each utterance at its new speed, at least 1."""
        if not self.speed:
            return lengths
        rates = 1 + self.speed * (2 * random[:, 0] - 1)
        changed: Int[np.ndarray, " B"] = np.maximum(1, np.round(lengths / rates)).astype(np.int64)
        return changed

    def positions(self, lengths: Int[np.ndarray, " B"], new_lengths: Int[np.ndarray, " B"]) -> Float[np.ndarray, "B T"]:
        """Where in the utterance each frame of its new version lies; what stands past its length means nothing."""
        stride = (lengths - 1) / np.maximum(new_lengths - 1, 1)
        steps = np.arange(new_lengths.max())
        places: Float[np.ndarray, "B T"] = np.minimum(steps * stride[:, None], lengths[:, None] - 1.0)
        return places

    def changed(
        self, spectra: Float[np.ndarray, "B T M"], real: Bool[np.ndarray, "B T"], random: Uniform, kind: FeatureOptions
    ) -> Float[np.ndarray, "B T M"]:
        """The spectra warped, under noise, and masked."""
        if self.warp:
            spectra = self._warped(spectra, 1 + self.warp * (2 * random[:, 1] - 1), kind)
        if self.added_noise:
            spectra = self._noisy(spectra, real, self.added_noise * random[:, 2])
        hidden = self._hidden(real, spectra.shape[2], random[:, 3:])
        if hidden is None:
            return spectra
        mean = np.where(real[:, :, None], spectra, 0).sum(1) / real.sum(1)[:, None]
        return np.where(hidden, mean[:, None].astype(np.float32), spectra)

    @staticmethod
    def _warped(
        spectra: Float[np.ndarray, "B T M"], factors: Float[np.ndarray, " B"], kind: FeatureOptions
    ) -> Float[np.ndarray, "B T M"]:
        """Each band takes what lies at its own frequency times a factor, between its two nearest bands."""
        peaks = kind.edges_hz[1:-1]
        first, width = mel(peaks[0]), (mel(peaks[-1]) - mel(peaks[0])) / max(kind.mels - 1, 1)
        places = np.clip((mel(peaks * factors[:, None]) - first) / max(width, 1e-9), 0, kind.mels - 1)  # (B, M)
        shares = np.maximum(0, 1 - np.abs(np.arange(kind.mels)[:, None] - places[:, None]))  # (B, M, M), from and to
        warped: Float[np.ndarray, "B T M"] = spectra @ shares.astype(np.float32)
        return warped

    @staticmethod
    def _noisy(
        spectra: Float[np.ndarray, "B T M"], real: Bool[np.ndarray, "B T"], shares: Float[np.ndarray, " B"]
    ) -> Float[np.ndarray, "B T M"]:
        """Adds the same power to every band and frame."""
        power = np.exp(spectra)
        mean = np.where(real[:, :, None], power, 0).sum((1, 2)) / (real.sum(1) * spectra.shape[2])
        noisy: Float[np.ndarray, "B T M"] = np.log(power + (shares * mean).astype(np.float32)[:, None, None])
        return noisy

    def _hidden(self, real: Bool[np.ndarray, "B T"], bands: int, random: Uniform) -> Bool[np.ndarray, "B T M"] | None:
        """What the masks hide; None if there are none."""
        if not self.freq_masks + self.time_masks:
            return None
        frames = real.sum(1)
        split = 2 * self.freq_masks
        width = min(self.freq_mask_width or MASK_WIDTH, bands)
        in_bands = _ranges(random[:, :split], np.full(len(real), width), np.full(len(real), bands), bands)
        most = np.minimum(self.time_mask_width or MASK_WIDTH, frames // 2)
        in_frames = _ranges(random[:, split:], most, frames, real.shape[1])
        hidden: Bool[np.ndarray, "B T M"] = in_bands[:, None, :] | in_frames[:, :, None]
        return hidden


def _ranges(
    random: Uniform, widest: Int[np.ndarray, " B"], ends: Int[np.ndarray, " B"], size: int
) -> Bool[np.ndarray, "B S"]:
    """True inside the ranges that pairs of numbers choose: a width of 0..widest, then a start that leaves room."""
    widths = np.floor(random[:, 0::2] * (widest[:, None] + 1))
    starts = np.floor(random[:, 1::2] * (ends[:, None] - widths + 1))
    places = np.arange(size)
    inside = (places >= starts[:, :, None]) & (places < (starts + widths)[:, :, None])  # (B, K, S)
    covered: Bool[np.ndarray, "B S"] = inside.any(1)
    return covered
