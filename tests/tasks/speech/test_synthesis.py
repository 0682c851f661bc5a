import numpy as np
import pytest

from seqtrain.tasks.speech.features import FeatureOptions
from seqtrain.tasks.speech.synthesis import WORDS, Speakers, _resonated, _said, synthesised


def made(size=40, speakers=4, rate=8000, noise=0.1, variation=1.0, seed=0):
    return synthesised(np.random.default_rng(seed), size, speakers, rate, noise, variation)


def said(word, noise=0.0):
    voice = Speakers(np.array([120.0]), np.ones(1), np.ones(1))
    sounds, _ = _said(np.random.default_rng(0), np.array([WORDS.index(word)]), voice, 8000, noise)
    options = FeatureOptions(mels=30)
    spectra = options.spectra(sounds[0], np.array([sounds.shape[1]]))
    return sounds[0], spectra, options


def test_sounds_are_as_many_and_as_long_as_they_say():
    recordings = made()
    assert len(recordings) == len(recordings.labels) == len(recordings.speakers) == 40
    assert recordings.lengths.sum() == len(recordings.samples)
    assert recordings.samples.dtype == np.float32
    assert np.isfinite(recordings.samples).all()
    assert 0.1 * 8000 < recordings.lengths.min() < recordings.lengths.max() < 0.9 * 8000
    assert set(recordings.speakers) == {f"voice {i}" for i in range(4)}
    assert {"0", "9"} < set(made(500).labels) == {str(i) for i in range(10)}


def test_the_seed_decides():
    assert np.array_equal(made().samples, made().samples)
    assert not np.array_equal(made().samples[:1000], made(seed=1).samples[:1000])


def test_every_word_has_its_twin():
    assert {word[::-1] for word in WORDS} == set(WORDS)
    assert len(set(WORDS)) == 10


def test_words_are_equally_loud_and_noise_has_its_size():
    quiet, noisy = made(noise=0.0), made(noise=2.0)
    for recordings, loudness in ((quiet, 0.1), (noisy, 0.1 * 5**0.5)):
        waves = np.split(recordings.samples, np.cumsum(recordings.lengths)[:-1])
        assert [float(np.sqrt(np.mean(wave**2))) for wave in waves] == pytest.approx([loudness] * 40, rel=0.1)


def test_a_rate_is_honoured():
    seconds = [made(rate=rate).lengths.mean() / rate for rate in (8000, 16_000)]
    assert seconds[1] == pytest.approx(seconds[0], rel=0.01)


def test_without_variation_all_speak_alike():
    def spread(variation):
        recordings = made(400, 50, variation=variation)
        means = [recordings.lengths[np.array(recordings.speakers) == name].mean() for name in set(recordings.speakers)]
        return np.std(means)

    assert spread(1.0) > 2 * spread(0.0)


def test_vowels_ring_where_their_formants_are():
    sounds, _, _ = said("lio")
    loud = sounds[2000:2320] * np.hanning(320)  # within the o, whose formants are at 570 and 840 Hz
    spectrum = np.abs(np.fft.rfft(loud))
    assert 400 < spectrum.argmax() * 8000 / 320 < 1000


def test_a_word_and_its_twin_sound_alike_but_for_their_order():
    (_, one, _), (_, other, _) = said("tia"), said("ait")
    assert np.corrcoef(one.mean(0), other.mean(0))[0, 1] > 0.9
    steps = min(len(one), len(other))
    assert np.corrcoef(one[:steps].ravel(), other[:steps].ravel())[0, 1] < 0.7


def test_a_resonator_rings_at_its_frequency():
    impulse = np.zeros((800, 1), np.float32)
    impulse[0] = 1
    formants = np.full((20, 1, 3), 1000.0)
    heard = _resonated(impulse, formants, 8000)[:, 0]
    assert abs(np.fft.rfft(heard).__abs__().argmax() * 10 - 1000) <= 20
    # Klatt's equation 2: a gain of 1 for what doesn't swing.
    assert _resonated(np.ones_like(impulse), formants, 8000)[-1, 0] == pytest.approx(1, rel=1e-3)
