import numpy as np
import pytest

from seqtrain.seeding import stream, uniform


def test_the_first_number_is_that_of_the_published_mixer():
    def splitmix64(state):
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        state = (state ^ state >> 27) * 0x94D049BB133111EB % 2**64
        return state ^ state >> 31

    assert splitmix64(0) == 0xE220A8397B1DCDAF
    key = splitmix64(splitmix64(splitmix64(splitmix64(3) + 1) + 4) + 5)
    assert uniform(3, 1, np.array([4]), 6)[0, 5] == (key >> 11) / 2**53


def test_numbers_are_spread_evenly_over_the_unit_interval():
    numbers = uniform(0, 0, np.arange(1000), 100)
    assert numbers.shape == (1000, 100)
    assert 0 <= numbers.min() < 1e-3
    assert 1 - 1e-3 < numbers.max() < 1
    counts, _ = np.histogram(numbers, 10, (0, 1))
    assert np.abs(counts - 10_000).max() < 500


@pytest.mark.parametrize("other", [(1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)])
def test_seed_epoch_index_and_position_each_change_the_numbers(other):
    seed, epoch, index, position = other
    indices = np.arange(200)
    one = uniform(0, 0, indices, 51)[:, :50].ravel()
    two = uniform(seed, epoch, indices + index * 1000, 51)[:, position : 50 + position].ravel()
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.05


def test_an_example_has_its_numbers_in_any_company():
    alone = uniform(5, 2, np.array([7]), 10)
    among = uniform(5, 2, np.array([3, 7, 9]), 30)
    assert np.array_equal(alone[0], among[1, :10])


def test_streams_are_told_apart_by_seed_and_name():
    assert stream(0, "a").integers(1 << 40) == stream(0, "a").integers(1 << 40)
    assert len({int(stream(seed, name).integers(1 << 40)) for seed in (0, 1) for name in "ab"}) == 4
