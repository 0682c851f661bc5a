import numpy as np

from seqtrain.batch import PAD
from seqtrain.tasks.ragged import Ragged


def test_a_selection_is_padded_to_its_own_longest():
    ragged = Ragged([[5, 6, 7], [8], [9, 10], [11, 12, 13, 14]])
    assert len(ragged) == 4
    assert ragged.lengths.tolist() == [3, 1, 2, 4]
    assert ragged.padded(np.array([2, 0, 1])).tolist() == [[9, 10, PAD], [5, 6, 7], [8, PAD, PAD]]
    assert ragged.padded(np.array([3, 3])).tolist() == [[11, 12, 13, 14]] * 2
    assert ragged.padded(np.array([1])).tolist() == [[8]]


def test_empty_sequences_and_empty_selections():
    assert Ragged([[], [4]]).padded(np.array([0, 1])).tolist() == [[PAD], [4]]
    assert Ragged([[4]]).padded(np.array([], np.int64)).shape == (0, 0)
    assert len(Ragged([])) == 0
