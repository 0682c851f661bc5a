"""Ten short words said by made-up speakers: a source of pulses and noise through three moving resonators.

The resonators and their use in cascade are Klatt's (1980, Software for a cascade/parallel formant synthesizer,
equations 1 to 3). Vowels have the formants that Peterson & Barney (1952) measured.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from seqtrain.tasks.speech.audio import Recordings

PHONES = {  # formants in Hz, loudness of the voice, loudness of the breath
    "a": (730, 1090, 2440, 1.0, 0.0),
    "i": (270, 2290, 3010, 1.0, 0.0),
    "u": (300, 870, 2240, 1.0, 0.0),
    "o": (570, 840, 2410, 1.0, 0.0),
    "n": (280, 1700, 2600, 0.5, 0.0),
    "l": (360, 1050, 2600, 0.7, 0.0),
    "s": (1800, 3000, 3600, 0.0, 0.003),
    "t": (400, 1600, 2600, 0.0, 0.002),
}
WORDS = ("san", "nas", "sun", "nus", "tia", "ait", "tua", "aut", "lio", "oil")
"""Three phones each; each word has a twin that says the same phones backwards, so that order is what tells."""
BANDWIDTHS = (80.0, 100.0, 140.0)
"""Of the three resonators, in Hz."""

CONTROL_HZ = 200
"""How often a second the resonators are moved."""
TRANSITION_SECONDS = 0.05
FADE_SECONDS = 0.02
PHONE_SECONDS = (0.06, 0.14)
SILENCE_SECONDS = (0.0, 0.1)
LOUDNESS = 0.1
"""The root mean square of a word."""
CHUNK = 2000
"""Words that are made at once, to bound the memory they take."""


@dataclass(frozen=True)
class Speakers:
    """Voices, one number each per speaker.

    Attributes:
        pitch_hz: Of the voice.
        tract: What formants are multiplied by: above 1 for a short vocal tract.
        pace: What durations are multiplied by.
    """

    pitch_hz: Float[np.ndarray, " N"]
    tract: Float[np.ndarray, " N"]
    pace: Float[np.ndarray, " N"]

    def take(self, chosen: Int[np.ndarray, " W"]) -> "Speakers":
        """The voices at these places."""
        return Speakers(self.pitch_hz[chosen], self.tract[chosen], self.pace[chosen])


def synthesised(
    rng: np.random.Generator, size: int, speakers: int, sample_rate_hz: int, noise: float, variation: float
) -> Recordings:
    """Words drawn at random, each said by a speaker drawn at random.

    Args:
        rng: What everything is drawn from.
        size: How many.
        speakers: How many voices there are.
        sample_rate_hz: Samples per second.
        noise: The root mean square of the noise over that of the word.
        variation: How far speakers differ: 0 not at all, 1 from low and large to high and small.
    """
    words, chosen = rng.integers(len(WORDS), size=size), rng.integers(speakers, size=size)
    spread = variation * rng.uniform(-1, 1, (3, speakers))
    voices = Speakers(140 * 1.8 ** spread[0], 1.2 ** spread[1], 1.3 ** spread[2]).take(chosen)
    waves, lengths = [], []
    for start in range(0, size, CHUNK):
        part = np.arange(start, min(start + CHUNK, size))
        sounds, counts = _said(rng, words[part], voices.take(part), sample_rate_hz, noise)
        waves.append(sounds[np.arange(sounds.shape[1]) < counts[:, None]])
        lengths.append(counts)
    return Recordings(
        np.concatenate(waves),
        np.concatenate(lengths),
        [str(word) for word in words.tolist()],
        [f"voice {speaker}" for speaker in chosen.tolist()],
        [f"synthesised sound {index}" for index in range(size)],
    )


def _said(
    rng: np.random.Generator, words: Int[np.ndarray, " W"], voices: Speakers, sample_rate_hz: int, noise: float
) -> tuple[Float[np.ndarray, "W S"], Int[np.ndarray, " W"]]:
    """The sounds of some words, padded, and the samples of each."""
    count = len(words)
    seconds = rng.uniform(*PHONE_SECONDS, (count, 3)) * voices.pace[:, None]
    silence = rng.uniform(*SILENCE_SECONDS, (count, 2))
    ends = silence[:, :1] + np.cumsum(seconds, 1)  # (W, 3)
    lengths = np.ceil((ends[:, -1] + silence[:, 1]) * sample_rate_hz).astype(np.int64)
    times = np.arange(math.ceil(lengths.max() / sample_rate_hz * CONTROL_HZ) + 1) / CONTROL_HZ  # (K,)

    table = np.array([[PHONES[phone] for phone in word] for word in WORDS])[words]  # (W, 3, 5)
    # Each target is approached while the phones change; a short phone is left before it is reached.
    progress = np.clip((times[:, None, None] - ends[:, :2]) / TRANSITION_SECONDS + 0.5, 0, 1)  # (K, W, 2)
    tracks = table[:, 0] + np.einsum("kwp,wpf->kwf", progress, np.diff(table, axis=1))  # (K, W, 5)
    inside = np.minimum(times[:, None] - silence[:, 0], ends[:, -1] - times[:, None])
    fade = np.clip(inside / FADE_SECONDS, 0, 1)  # (K, W)
    falling = 1 - 0.2 * np.clip((times[:, None] - silence[:, 0]) / seconds.sum(1), 0, 1)

    source = _source(rng, voices.pitch_hz * falling, tracks[:, :, 3] * fade, tracks[:, :, 4] * fade, sample_rate_hz)
    sounds = _resonated(source, tracks[:, :, :3] * voices.tract[:, None], sample_rate_hz)[: lengths.max()]
    sounds *= (LOUDNESS / np.sqrt(np.einsum("sw,sw->w", sounds, sounds) / lengths)).astype(np.float32)
    sounds += LOUDNESS * noise * _white(rng, sounds.shape)
    return np.ascontiguousarray(sounds.T), lengths


def _source(
    rng: np.random.Generator,
    pitch_hz: Float[np.ndarray, "K W"],
    voice: Float[np.ndarray, "K W"],
    breath: Float[np.ndarray, "K W"],
    sample_rate_hz: int,
) -> Float[np.ndarray, "S W"]:
    """A pulse for each period of the voice, and noise."""
    hold = -(-sample_rate_hz // CONTROL_HZ)
    cycles = np.repeat((pitch_hz / sample_rate_hz).astype(np.float32), hold, axis=0)
    np.cumsum(cycles, axis=0, out=cycles)
    np.floor(cycles, out=cycles)
    cycles[1:] -= cycles[:-1].copy()  # 1 where a period begins
    cycles *= np.repeat((0.3 * voice * np.sqrt(sample_rate_hz / pitch_hz)).astype(np.float32), hold, axis=0)
    breathed = _white(rng, cycles.shape)
    breathed *= np.repeat(breath.astype(np.float32), hold, axis=0)
    cycles += breathed
    return cycles


def _white(rng: np.random.Generator, shape: tuple[int, ...]) -> Float[np.ndarray, "S W"]:
    """Noise of variance 1; uniform, which is drawn faster than Gaussian and sounds the same."""
    noise = rng.random(shape, np.float32)
    noise -= np.float32(0.5)
    noise *= np.float32(math.sqrt(12))
    return noise


def _resonated(
    source: Float[np.ndarray, "S W"], formants_hz: Float[np.ndarray, "K W 3"], sample_rate_hz: int
) -> Float[np.ndarray, "S W"]:
    """The source through three resonators in a row, sample by sample, all words side by side."""
    hold = len(source) // len(formants_hz)
    sounds = source
    for formant, bandwidth in enumerate(BANDWIDTHS):
        frequency = np.minimum(formants_hz[:, :, formant], 0.45 * sample_rate_hz)
        radius = np.exp(-np.pi * bandwidth / sample_rate_hz)
        second = np.float32(-(radius**2))
        first = (2 * radius * np.cos(2 * np.pi * frequency / sample_rate_hz)).astype(np.float32)  # (K, W)
        gain = 1 - first - second
        before = last = np.zeros(source.shape[1], np.float32)
        resonated = np.empty_like(sounds)
        for sample, heard in enumerate(sounds):
            row = sample // hold
            now = resonated[sample]
            np.multiply(gain[row], heard, out=now)
            now += first[row] * last
            now += second * before
            before, last = last, now
        sounds = resonated
    return sounds
