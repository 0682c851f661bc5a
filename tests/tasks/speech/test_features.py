import cmath
import math

import numpy as np
import pytest

from seqtrain.errors import ConfigError
from seqtrain.tasks.speech.features import FLOOR, FeatureOptions, Scale

RNG = np.random.default_rng(0)
SMALL = {"sample_rate_hz": 1000, "window_ms": 25.0, "hop_ms": 10.0, "mels": 5, "range_db": None}


def spectra_by_definition(wave, options):
    """Frame by frame, bin by bin, band by band, from the definitions."""
    window = round(options.window_ms * options.sample_rate_hz / 1000)
    hop = round(options.hop_ms * options.sample_rate_hz / 1000)
    points = 1
    while points < window:
        points *= 2
    low = 2595 * math.log10(1 + options.min_hz / 700)
    top = options.sample_rate_hz / 2 if options.max_hz is None else options.max_hz
    high = 2595 * math.log10(1 + top / 700)
    edges = [700 * (10 ** ((low + i * (high - low) / (options.mels + 1)) / 2595) - 1) for i in range(options.mels + 2)]
    rows, start = [], 0
    while True:
        frame = [wave[start + n] if start + n < len(wave) else 0.0 for n in range(window)]
        frame = [x * (0.5 - 0.5 * math.cos(2 * math.pi * n / window)) for n, x in enumerate(frame)]
        power = [
            abs(sum(x * cmath.exp(-2j * math.pi * k * n / points) for n, x in enumerate(frame))) ** 2
            for k in range(points // 2 + 1)
        ]
        row = []
        for left, peak, right in zip(edges, edges[1:], edges[2:], strict=False):
            total = 0.0
            for k, strength in enumerate(power):
                hz = k * options.sample_rate_hz / points
                if left < hz <= peak:
                    total += strength * (hz - left) / (peak - left)
                elif peak < hz < right:
                    total += strength * (right - hz) / (right - peak)
            row.append(math.log(max(total, FLOOR)))
        rows.append(row)
        if start + window >= len(wave):
            return np.array(rows)
        start += hop


def cepstra_by_definition(row, count):
    size = len(row)
    return [
        math.sqrt((1 if k == 0 else 2) / size)
        * sum(x * math.cos(math.pi * k * (2 * n + 1) / (2 * size)) for n, x in enumerate(row))
        for k in range(count)
    ]


def one(steps):
    return np.ones((1, steps), bool)


def as_they_are(size):
    return Scale(np.zeros(size), np.ones(size))


@pytest.mark.parametrize("options", [{}, {"min_hz": 0.0, "max_hz": 400.0}, {"window_ms": 32.0, "hop_ms": 7.0}])
def test_spectra_are_those_of_the_definition(options):
    options = FeatureOptions(**{**SMALL, **options})
    lengths = np.array([60, 3, 25, 26, 41])
    samples = RNG.uniform(-1, 1, lengths.sum()).astype(np.float32)
    waves = np.split(samples, np.cumsum(lengths)[:-1])
    expected = [spectra_by_definition(wave, options) for wave in waves]
    assert options.frames(lengths).tolist() == [len(rows) for rows in expected]
    spectra = options.spectra(samples, lengths)
    assert spectra.dtype == np.float32
    np.testing.assert_allclose(spectra, np.concatenate(expected), rtol=1e-4, atol=1e-4)


def test_many_frames_are_those_of_few(monkeypatch):
    options = FeatureOptions(**SMALL)
    samples, lengths = RNG.uniform(-1, 1, 500).astype(np.float32), np.array([200, 300])
    whole = options.spectra(samples, lengths)
    monkeypatch.setattr("seqtrain.tasks.speech.features.CHUNK", 7)
    np.testing.assert_array_equal(options.spectra(samples, lengths), whole)


def test_silence_has_a_floor():
    options = FeatureOptions(**SMALL)
    spectra = options.spectra(np.zeros(30, np.float32), np.array([30]))
    assert np.allclose(spectra, math.log(FLOOR))
    assert np.isfinite(options.steps(spectra[None], one(len(spectra)), options.scale(spectra))).all()


def test_what_is_far_below_a_sounds_loudest_band_counts_as_silent():
    samples, lengths = RNG.uniform(-1, 1, 500).astype(np.float32), np.array([200, 300])
    samples[:50] = samples[200:250] = 0
    samples[200:] *= 0.01
    whole = FeatureOptions(**SMALL).spectra(samples, lengths)
    kept = FeatureOptions(**{**SMALL, "range_db": 10.0}).spectra(samples, lengths)
    first = FeatureOptions(**SMALL).frames(lengths)[0]
    for part in (slice(0, first), slice(first, None)):
        floor = whole[part].max() - math.log(10)
        np.testing.assert_allclose(kept[part], np.maximum(whole[part], floor), rtol=1e-6)
        assert (kept[part] > whole[part]).any()


def test_a_tone_is_loudest_in_its_band():
    options = FeatureOptions(mels=20)
    wave = np.sin(2 * np.pi * 1000 * np.arange(4000) / 8000).astype(np.float32)
    loudest = options.spectra(wave, np.array([4000])).mean(0).argmax()
    assert options.edges_hz[loudest] < 1000 < options.edges_hz[loudest + 2]


def test_cepstra_are_the_cosine_transform_of_log_mels():
    options = FeatureOptions(**SMALL, features="mfcc", mfccs=4, normalize="train")
    spectra = RNG.normal(size=(1, 3, 5)).astype(np.float32)
    expected = [cepstra_by_definition(row, 4) for row in spectra[0].tolist()]
    np.testing.assert_allclose(options.steps(spectra, one(3), as_they_are(4))[0], expected, rtol=1e-5, atol=1e-5)
    assert FeatureOptions(features="mfcc").size == 13


def test_an_utterance_is_normalised_by_its_real_frames():
    spectra = RNG.normal(3, 2, size=(2, 6, 5)).astype(np.float32)
    real = np.arange(6) < np.array([[4], [6]])
    options = FeatureOptions(**SMALL, normalize="utterance")
    steps = options.steps(spectra, real, Scale(np.ones(5), np.full(5, 3.0)))
    expected = (spectra[0, :4] - spectra[0, :4].mean(0)) / spectra[0, :4].std(0)
    np.testing.assert_allclose(steps[0, :4], expected, rtol=1e-4, atol=1e-5)
    assert (steps[0, 4:] == 0).all()
    spectra[0, 4:] = np.inf
    np.testing.assert_array_equal(options.steps(spectra, real, Scale(np.ones(5), np.full(5, 3.0))), steps)


def test_the_training_split_normalises_if_asked():
    spectra = RNG.normal(3, 2, size=(50, 5)).astype(np.float32)
    options = FeatureOptions(**SMALL, normalize="train")
    steps = options.steps(spectra[None, :7], one(7), options.scale(spectra))
    expected = (spectra[:7] - spectra.mean(0)) / spectra.std(0)
    np.testing.assert_allclose(steps[0], expected, rtol=1e-4, atol=1e-5)


def test_loudness_is_taken_away_if_asked():
    spectra = RNG.normal(3, 2, size=(50, 5)).astype(np.float32)
    options = FeatureOptions(**SMALL, normalize="loudness")
    steps = options.steps(spectra[None, :7], one(7), options.scale(spectra))
    expected = (spectra[:7] - spectra.mean(0)) / spectra.std(0)
    np.testing.assert_allclose(steps[0], expected - expected.mean(), rtol=1e-4, atol=1e-5)


def test_frames_are_stacked_and_laid_apart_again():
    options = FeatureOptions(**SMALL, normalize="train", stack_frames=3)
    spectra = RNG.normal(size=(1, 7, 5)).astype(np.float32)
    steps = options.steps(spectra, one(7), as_they_are(5))
    assert steps.shape == (1, 3, 15)
    np.testing.assert_array_equal(options.unstacked(steps[0])[:7], spectra[0])
    assert (steps[0, 2, 5:] == 0).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sample_rate_hz": 999}, "task.sample_rate_hz=999: must be at least 1000"),
        ({"window_ms": 0.0}, "task.window_ms=0.0: must be above 0"),
        ({"hop_ms": float("nan")}, "task.hop_ms=nan: must be above 0"),
        ({"range_db": 0.0}, "task.range_db=0.0: must be above 0"),
        ({"hop_ms": 0.01}, "task.hop_ms=0.01: is less than one sample"),
        ({"hop_ms": 30.0}, "task.hop_ms=30.0: must not be above task.window_ms=25.0"),
        ({"mels": 0}, "task.mels=0: must be at least 1"),
        ({"mels": 200}, "task.mels=200: some bands would fall between the frequencies that a window of 25 ms tells"),
        ({"mfccs": 0, "features": "mfcc"}, "task.mfccs=0: must be at least 1"),
        ({"mfccs": 12}, "task.mfccs=12: is about cepstra, and needs task.features=mfcc"),
        ({"mfccs": 41, "features": "mfcc"}, "task.mfccs=41: must not be above task.mels=40"),
        ({"stack_frames": 0}, "task.stack_frames=0: must be at least 1"),
        ({"min_hz": -1.0}, "task.min_hz=-1.0: must be at least 0"),
        ({"max_hz": 5000.0}, "task.max_hz=5000: must be above task.min_hz=20 and at most half of"),
        ({"max_hz": 10.0}, "task.max_hz=10: must be above task.min_hz=20 and at most half of"),
    ],
)
def test_what_cannot_be_is_refused_by_name(options, message):
    with pytest.raises(ConfigError) as caught:
        FeatureOptions(**options)
    assert str(caught.value).startswith(message)
