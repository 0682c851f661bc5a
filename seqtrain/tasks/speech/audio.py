"""Sounds: many recordings side by side in memory, and the reading of audio files."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from seqtrain.errors import DataError

RATES_HZ = range(1_000, 1_000_001)
"""Sample rates that sounds are read in; what lies outside would be stretched beyond all bounds."""

MOST_SAMPLES = 1 << 28
"""Of one sound, over all channels: more than four hours at 16 kHz. Some formats hold that in a few bytes of silence."""

PART = 1 << 14
"""Samples of each channel that are read at a time, for what a file promises is not to be believed."""

UNKNOWN_SIZE = 0xFFFFFFFF
"""What programs that write to a pipe put where a WAV file's size should stand."""

Wave = Float[np.ndarray, " _"]
"""One channel of samples, mostly in -1..1, float32."""


@dataclass(frozen=True)
class Recordings:
    """Sounds with what was said.

    Attributes:
        samples: All sounds, one after the other.
        lengths: Samples per sound, at least 1.
        labels: What was said, one for each sound.
        speakers: Who said it, likewise.
        names: Where to look for it, likewise.
    """

    samples: Wave
    lengths: Int[np.ndarray, " N"]
    labels: Sequence[str]
    speakers: Sequence[str]
    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.lengths)


def joined(waves: Sequence[Wave], labels: Sequence[str], speakers: Sequence[str], names: Sequence[str]) -> Recordings:
    """Sounds at hand as recordings; there must be at least one."""
    lengths = np.array([len(wave) for wave in waves], np.int64)
    return Recordings(np.concatenate(waves), lengths, labels, speakers, names)


def decode(content: bytes, place: str, sample_rate_hz: int) -> Wave:
    """The sound that an audio file holds, its channels averaged, brought to a sample rate.

    Args:
        content: Of a file that libsndfile reads: WAV, FLAC, OGG, MP3 and others.
        place: What to call the file in a message.
        sample_rate_hz: Samples per second that are wanted.

    Raises:
        DataError: If it isn't audio, is cut off, holds no samples, too many, or samples that are no numbers.
    """
    # Imported where they are used: few tasks hear anything.
    import soundfile
    import soxr

    if not content:
        raise DataError(f"{place}: is empty")
    _refuse_truncated(content, place)
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            promised, rate = file.frames, file.samplerate
            if rate not in RATES_HZ:
                raise DataError(f"{place}: {rate:,} samples per second are no rate of sounds")
            parts: list[Wave] = []
            while len(part := file.read(PART, dtype="float32", always_2d=True)):  # (S, C)
                parts.append(part.mean(1))
                if len(parts) * part.size > MOST_SAMPLES:
                    raise DataError(f"{place}: holds more than {MOST_SAMPLES:,} samples; cut it into shorter ones")
    except soundfile.LibsndfileError as error:
        raise DataError(f"{place}: can't be read as audio ({error.error_string.rstrip('.')})") from None
    wave: Wave = np.concatenate([*parts, np.empty(0, np.float32)])
    if len(wave) < promised:
        raise DataError(f"{place}: is cut off: {promised:,} samples were promised and {len(wave):,} are there")
    if rate != sample_rate_hz and len(wave):
        wave = soxr.resample(wave, rate, sample_rate_hz)
    if not len(wave):
        raise DataError(f"{place}: holds no sound")
    if not np.isfinite(wave).all():
        raise DataError(f"{place}: holds samples that are infinite or not a number")
    return wave


def _refuse_truncated(content: bytes, place: str) -> None:
    """Refuses a WAV file that is shorter than it says of itself; libsndfile would read what is there."""
    size = int.from_bytes(content[4:8], "little")
    if content[:4] == b"RIFF" and size != UNKNOWN_SIZE and size + 8 > len(content):
        raise DataError(f"{place}: is cut off: {size + 8:,} bytes were promised and {len(content):,} are there")
