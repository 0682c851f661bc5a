import io

import numpy as np
import pytest
import soundfile

from seqtrain.errors import DataError
from seqtrain.tasks.speech.audio import decode, joined


def tone(hz, rate, seconds=0.5):
    return np.sin(2 * np.pi * hz * np.arange(round(rate * seconds)) / rate).astype(np.float32)


def encoded(samples, rate=8000, kind="WAV", subtype="PCM_16"):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, subtype, format=kind)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["WAV", "FLAC"])
def test_a_sound_comes_back_as_it_was_written(kind):
    wave = 0.5 * tone(440, 8000)
    heard = decode(encoded(wave, kind=kind), "a", 8000)
    assert heard.dtype == np.float32
    assert np.abs(heard - wave).max() < 2**-15


def test_channels_are_averaged():
    left, right = 0.5 * tone(300, 8000), 0.25 * tone(500, 8000)
    heard = decode(encoded(np.stack([left, right], 1)), "a", 8000)
    assert np.abs(heard - (left + right) / 2).max() < 2**-14


@pytest.mark.parametrize("rate", [44_100, 16_000, 6000])
def test_another_rate_is_brought_to_the_one_wanted(rate):
    heard = decode(encoded(0.5 * tone(440, rate), rate), "a", 8000)
    assert len(heard) == 4000
    middle = slice(400, -400)  # a filter has rims
    assert np.abs(heard - 0.5 * tone(440, 8000))[middle].max() < 1e-3


def test_what_a_lower_rate_cannot_hold_is_filtered_out():
    heard = decode(encoded(0.5 * tone(6000, 44_100), 44_100), "a", 8000)
    assert np.abs(heard[400:-400]).max() < 1e-3


def test_a_size_that_was_never_filled_in_is_no_truncation():
    content = bytearray(encoded(tone(440, 8000)))
    content[4:8] = b"\xff" * 4
    assert len(decode(bytes(content), "a", 8000)) == 4000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "x/a.wav: is empty"),
        (b"hello, this is no sound at all" * 10, "x/a.wav: can't be read as audio (Format not recognised)"),
        (encoded(np.zeros(0, np.float32)), "x/a.wav: holds no sound"),
        (encoded(np.zeros(0, np.float32), 44_100), "x/a.wav: holds no sound"),
        (encoded(tone(440, 8000))[:5000], "x/a.wav: is cut off: 8,044 bytes were promised and 5,000 are there"),
        (
            encoded(np.array([0, np.nan, 0], np.float32), subtype="FLOAT"),
            "x/a.wav: holds samples that are infinite or not a number",
        ),
    ],
)
def test_what_is_no_sound_is_refused_by_name(content, message):
    with pytest.raises(DataError) as caught:
        decode(content, "x/a.wav", 8000)
    assert str(caught.value) == message


def test_a_flac_file_that_is_cut_off_is_refused():
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 30_000).astype(np.float32)
    with pytest.raises(DataError, match=r"^a\.flac: (is cut off|can't be read as audio)"):
        decode(encoded(noise, kind="FLAC")[:20_000], "a.flac", 8000)


def test_a_flac_file_that_promises_billions_of_samples_takes_no_room_for_them():
    content = bytearray(encoded(tone(440, 8000), kind="FLAC"))
    content[21] |= 0x0F
    content[22:26] = b"\xff" * 4
    with pytest.raises(DataError, match=r"^a\.flac: (is cut off: 68,719,476,735 samples|can't be read as audio)"):
        decode(bytes(content), "a.flac", 8000)


@pytest.mark.parametrize("rate", [1, 999, 1_000_001])
def test_what_is_no_rate_of_sounds_is_refused(rate):
    with pytest.raises(DataError, match=rf"^a\.wav: {rate:,} samples per second are no rate of sounds$"):
        decode(encoded(tone(440, 8000), rate), "a.wav", 8000)


def test_a_sound_that_would_fill_the_memory_is_refused(monkeypatch):
    monkeypatch.setattr("seqtrain.tasks.speech.audio.PART", 100)
    monkeypatch.setattr("seqtrain.tasks.speech.audio.MOST_SAMPLES", 4000)
    assert len(decode(encoded(tone(440, 8000)), "a.wav", 8000)) == 4000
    with pytest.raises(DataError, match=r"^a\.wav: holds more than 4,000 samples; cut it into shorter ones$"):
        decode(encoded(np.stack([tone(440, 8000)] * 2, 1)), "a.wav", 8000)


def test_sounds_are_laid_one_after_the_other():
    recordings = joined([np.ones(2, np.float32), np.zeros(3, np.float32)], ["a", "b"], ["", ""], ["x", "y"])
    assert recordings.samples.tolist() == [1, 1, 0, 0, 0]
    assert recordings.lengths.tolist() == [2, 3]
    assert len(recordings) == 2
