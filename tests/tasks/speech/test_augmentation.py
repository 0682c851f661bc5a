import numpy as np
import pytest

from seqtrain.errors import ConfigError
from seqtrain.tasks.speech.augmentation import Augmentation
from seqtrain.tasks.speech.features import FeatureOptions

KIND = FeatureOptions(mels=30)


def random(options, size=200, seed=0):
    return np.random.default_rng(seed).random((size, options.draws))


def spectra(size=200, frames=20):
    """Utterances that differ from frame to frame and band to band, and how long they are."""
    values = np.random.default_rng(1).normal(size=(size, frames, KIND.mels)).astype(np.float32)
    lengths = np.random.default_rng(2).integers(5, frames + 1, size)
    return values, np.arange(frames) < lengths[:, None]


def test_nothing_asked_changes_nothing():
    options = Augmentation()
    values, real = spectra()
    assert options.changed(values, real, random(options), KIND) is values
    lengths = real.sum(1)
    assert options.lengths(lengths, random(options)) is lengths


def test_speed_changes_lengths_by_at_most_its_share():
    options = Augmentation(speed=0.2)
    lengths = np.full(200, 100)
    changed = options.lengths(lengths, random(options))
    assert 83 <= changed.min() < 88 < 118 < changed.max() <= 125
    assert (options.lengths(np.ones(200, np.int64), random(options)) >= 1).all()
    places = options.positions(lengths, changed)
    assert (places[:, 0] == 0).all()
    last = places[np.arange(200), changed - 1]
    np.testing.assert_allclose(last, 99)


def test_warping_moves_a_peak_by_the_factor():
    options = Augmentation(warp=0.2)
    peaks = KIND.edges_hz[1:-1]
    values = np.exp(-(((peaks - 1000) / 200) ** 2)).astype(np.float32)[None, None].repeat(2, 0)
    extremes = np.array([[0, 0.0, 0], [0, 1 - 1e-9, 0]])
    slow, fast = options.changed(values, np.ones((2, 1), bool), extremes, KIND)
    # Each band hears what lies at its frequency times 0.8, or times 1.2.
    assert peaks[slow[0].argmax()] == pytest.approx(1000 / 0.8, rel=0.08)
    assert peaks[fast[0].argmax()] == pytest.approx(1000 / 1.2, rel=0.08)
    middle = options.changed(values, np.ones((2, 1), bool), np.full((2, 3), 0.5), KIND)
    np.testing.assert_allclose(middle, values, atol=1e-5)


def test_masks_hide_ranges_of_bands_behind_their_mean():
    options = Augmentation(freq_masks=2, freq_mask_width=4)
    values, real = spectra()
    hidden = (options.changed(values, real, random(options), KIND) != values).any(1)
    assert hidden.sum(1).max() <= 8
    assert 3 < hidden.sum(1).mean() < 4.1
    assert hidden.any(0).all()
    one = options.changed(values, real, random(options), KIND)[0]
    band = hidden[0].argmax()
    np.testing.assert_allclose(one[:, band], values[0, real[0], band].mean(), rtol=1e-4, atol=1e-6)


def test_masks_hide_ranges_of_frames_but_never_more_than_half():
    options = Augmentation(time_masks=1, time_mask_width=8)
    values, real = spectra()
    hidden = (options.changed(values, real, random(options), KIND) != values).any(2)
    assert not hidden[~real].any()
    assert (hidden.sum(1) <= np.minimum(8, real.sum(1) // 2)).all()
    assert hidden.sum(1).max() == 8
    starts = np.diff(hidden.astype(int), axis=1, prepend=0)
    assert ((starts == 1).sum(1) <= 1).all()


def test_widths_have_a_default():
    values, real = spectra()
    for name, axis in (("freq", 1), ("time", 2)):
        options = Augmentation(**{f"{name}_masks": 1})
        given = Augmentation(**{f"{name}_masks": 1, f"{name}_mask_width": 8})
        changed = options.changed(values, real, random(options), KIND)
        np.testing.assert_array_equal(changed, given.changed(values, real, random(options), KIND))
        assert (changed != values).any(axis).sum(1).max() == 8


def test_noise_fills_silence_first():
    options = Augmentation(added_noise=0.5)
    values = np.zeros((200, 4, KIND.mels), np.float32)
    values[:, 2:] = -20
    noisy = options.changed(values, np.ones((200, 4), bool), random(options), KIND)
    # The mean power is 1/2, of which at most half is added to each band.
    assert 0 <= noisy[:, :2].min() < noisy[:, :2].max() <= np.log(1.25) + 1e-5
    assert -6 < np.median(noisy[:, 2:]) < np.log(0.25)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"speed": 1.0}, "task.speed=1.0: must be at least 0 and below 1"),
        ({"warp": -0.1}, "task.warp=-0.1: must be at least 0 and below 1"),
        ({"freq_masks": -1}, "task.freq_masks=-1: must be at least 0"),
        ({"time_masks": -1}, "task.time_masks=-1: must be at least 0"),
        ({"added_noise": -1.0}, "task.added_noise=-1.0: must be at least 0"),
        ({"freq_masks": 1, "freq_mask_width": 0}, "task.freq_mask_width=0: must be at least 1"),
        ({"freq_mask_width": 4}, "task.freq_mask_width=4: does nothing without task.freq_masks"),
        ({"time_mask_width": 4}, "task.time_mask_width=4: does nothing without task.time_masks"),
    ],
)
def test_what_cannot_be_is_refused_by_name(options, message):
    with pytest.raises(ConfigError) as caught:
        Augmentation(**options)
    assert str(caught.value) == message
