import numpy as np
import pytest
import torch

from seqtrain.seeding import uniform
from seqtrain.tasks.images.bouncing import Bouncing
from seqtrain.tasks.images.digits import draw_digits
from seqtrain.tasks.images.patches import fold, unfold

DEFAULTS = {"frames_in": 4, "frames_out": 3, "digits_per_frame": 1, "size": 40, "speed": 3.0, "patch": 1}


def bouncing(films=50, seed=0, images=None, **options):
    solid = np.full((1, 28, 28), 200, np.uint8) if images is None else images
    return Bouncing(solid, films, seed, **{**DEFAULTS, **options})


def corners(films):
    """The upper left corner of the one solid digit of each frame, (B, T, 2)."""
    return np.stack([films.any(3).argmax(2), films.any(2).argmax(2)], -1)


def by_loops(examples, indices, epoch):
    """The same films, frame by frame and digit by digit."""
    films = np.zeros((len(indices), 7, 64, 64), np.uint8)
    for b, index in enumerate(indices):
        drawn = uniform(11, epoch, np.array([index]), 8).reshape(2, 4)
        for t in range(7):
            for which, row, column, turn in drawn:
                image = examples.images[int(which * len(examples.images))]
                place = []
                for start, step in ((row, np.sin(2 * np.pi * turn)), (column, np.cos(2 * np.pi * turn))):
                    x = start * 36 + t * 9.0 * step
                    while not 0 <= x <= 36:
                        x = -x if x < 0 else 72 - x
                    place.append(round(x))
                y, x = place
                part = films[b, t, y : y + 28, x : x + 28]
                part[:] = np.maximum(part, image)
    return films


def test_films_against_loops():
    images = draw_digits(np.random.default_rng(0), 20).images
    examples = bouncing(seed=11, images=images, digits_per_frame=2, size=64, speed=9.0)
    indices = np.array([4, 17, 0, 31])
    assert (examples.films(indices, 2) == by_loops(examples, indices, 2)).all()


def test_a_digit_is_whole_in_every_frame_and_moves_by_its_speed():
    films = bouncing(size=200, speed=5.0).films(np.arange(50), 0)
    assert ((films > 0).sum((2, 3)) == 28 * 28).all()
    steps = np.diff(corners(films), axis=1)
    straight = (np.sign(steps) == np.sign(steps[:, :1])).all((1, 2))
    assert straight.sum() > 10
    lengths = np.hypot(*np.moveaxis(steps[straight].sum(1), -1, 0))
    assert np.abs(lengths - 6 * 5.0).max() < 1.5  # places are rounded to pixels


def test_digits_start_anywhere_and_leave_in_every_direction():
    places = corners(bouncing(2000).films(np.arange(2000), 0))
    assert np.bincount(places[:, 0, 0], minlength=13).min() > 40
    assert set(np.unique(places)) == set(range(13))
    first = np.sign(places[:, 1] - places[:, 0]).mean(0)
    assert np.abs(first).max() < 0.1


def test_a_frame_as_small_as_the_digit_holds_it_still():
    films = bouncing(size=28).films(np.arange(5), 0)
    assert (films == 200).all()


def test_no_speed_is_no_motion():
    films = bouncing(speed=0.0).films(np.arange(5), 0)
    assert (films == films[:, :1]).all()


def test_where_digits_meet_the_brighter_is_seen():
    images = np.stack([np.full((28, 28), level, np.uint8) for level in (90, 200)])
    films = bouncing(200, images=images, digits_per_frame=2).films(np.arange(200), 0)
    both = [film for film in films if {90, 200} <= set(np.unique(film).tolist())]
    assert len(both) > 50
    assert all(((film == 200).sum((1, 2)) == 28 * 28).all() for film in both)


def test_an_example_hangs_on_seed_epoch_and_index_alone():
    examples = bouncing()
    whole = examples.batch(np.arange(50), 1)
    some = examples.batch(np.array([9, 3]), 1)
    assert torch.equal(some.inputs, whole.inputs[[9, 3]])
    assert torch.equal(some.targets, whole.targets[[9, 3]])
    assert some.indices.tolist() == [9, 3]
    assert not torch.equal(examples.batch(np.arange(50), 0).inputs, whole.inputs)
    assert not torch.equal(bouncing(seed=1).batch(np.arange(50), 1).inputs, whole.inputs)


def test_a_batch_is_cut_where_prediction_begins_and_folded():
    examples = bouncing(patch=4)
    batch = examples.batch(np.arange(3), 0)
    assert batch.inputs.shape == (3, 4, 16, 10, 10)
    assert batch.targets.shape == (3, 3, 16, 10, 10)
    assert batch.inputs.dtype == batch.targets.dtype == torch.uint8
    assert batch.lengths.tolist() == [4, 4, 4]
    films = torch.cat([unfold(batch.inputs, 4), unfold(batch.targets, 4)], 1)[:, :, 0]
    assert (films.numpy() == examples.films(np.arange(3), 0)).all()


@pytest.mark.parametrize(("channels", "patch"), [(1, 1), (1, 4), (3, 2)])
def test_patches_become_channels_and_come_back(channels, patch):
    frames = torch.arange(2 * 3 * channels * 8 * 12).view(2, 3, channels, 8, 12)
    folded = fold(frames, patch)
    assert folded.shape == (2, 3, channels * patch**2, 8 // patch, 12 // patch)
    assert torch.equal(folded, torch.nn.functional.pixel_unshuffle(frames, patch))
    assert torch.equal(unfold(folded, patch), frames)
