import numpy as np
import pytest

from seqtrain.tasks.speech.augmentation import Augmentation
from seqtrain.tasks.speech.corpus import Corpus
from seqtrain.tasks.speech.features import FeatureOptions, Scale
from seqtrain.tasks.speech.utterances import BLANK, Strings, Utterances

KIND = FeatureOptions(mels=3, normalize="train", window_ms=25.0)
FRAMES = np.array([4, 6, 5, 7, 4, 8])
LABELS = np.array([0, 1, 2, 0, 1, 2])
SPEAKERS = ["me", "you"] * 3


def utterances(strings=None, augmentation=None, seed=0, name="train", kind=KIND, count=6):
    """Recordings of which every frame holds its own number, in tens of thousands, and the recording's in ones."""
    frames = np.tile(FRAMES, -(-count // 6))[:count]
    labels, speakers = np.resize(LABELS, count), (SPEAKERS * count)[:count]
    flat = 10_000 * np.arange(frames.sum()) + np.repeat(np.arange(count), frames)
    corpus = Corpus(np.repeat(flat[:, None], 3, 1).astype(np.float32), frames, [], speakers, [])
    scale = Scale(np.zeros(3), np.ones(3))
    return Utterances(corpus, labels, kind, scale, strings, augmentation, seed, name)


def heard(batch, row):
    """The recordings that the frames of one utterance are of."""
    values = batch.inputs[row, : batch.lengths[row], 0].numpy()
    return (values % 10_000).astype(int).tolist()


def test_recordings_are_read_alone_and_padded():
    batch = utterances().batch(np.array([3, 0]), 0)
    assert batch.inputs.shape == (2, 7, 3)
    assert batch.lengths.tolist() == [7, 4]
    assert heard(batch, 0) == [3] * 7
    assert heard(batch, 1) == [0] * 4
    assert (batch.inputs[1, 4:] == 0).all()
    assert batch.targets.tolist() == [0, 0]
    assert batch.indices.tolist() == [3, 0]
    assert batch.target_lengths is None


def test_steps_are_as_many_as_stacks():
    examples = utterances(kind=FeatureOptions(mels=3, stack_frames=3, normalize="train"))
    assert examples.lengths.tolist() == [2, 2, 2, 3, 2, 3]
    batch = examples.batch(np.arange(6), 0)
    assert batch.lengths.tolist() == [2, 2, 2, 3, 2, 3]
    assert batch.inputs.shape == (6, 3, 9)


def test_a_string_begins_with_its_recording_and_goes_on_with_the_same_speaker():
    examples = utterances(Strings(2, 4), count=60)
    pieces = examples.pieces(np.arange(60), 0)
    counts = (pieces >= 0).sum(1)
    assert set(counts.tolist()) == {2, 3, 4}
    assert (pieces[:, 0] == np.arange(60)).all()
    for row, count in zip(pieces, counts, strict=True):
        assert (row[count:] == -1).all()
        assert len({examples.corpus.speakers[piece] for piece in row[:count]}) == 1
    assert len(set(pieces[:, 1].tolist())) > 25


def test_a_string_is_its_recordings_one_after_the_other():
    examples = utterances(Strings(1, 4), count=60)
    indices = np.arange(60)
    pieces, batch = examples.pieces(indices, 0), examples.batch(indices, 0)
    for row in range(60):
        mine = pieces[row][pieces[row] >= 0]
        assert heard(batch, row) == np.repeat(mine, examples.corpus.frames[mine]).tolist()
        assert batch.targets[row, : len(mine)].tolist() == (examples.labels[mine] + 1).tolist()
        assert (batch.targets[row, len(mine) :] == BLANK).all()
        assert batch.target_lengths[row] == len(mine)
    assert examples.lengths.tolist() == batch.lengths.tolist()


def test_strings_differ_from_epoch_to_epoch_but_not_in_how_many_they_join():
    examples = utterances(Strings(2, 5), count=60)
    one, other = (examples.pieces(np.arange(60), epoch) for epoch in (0, 1))
    assert ((one >= 0) == (other >= 0)).all()
    assert (one != other).any()
    alone = utterances(Strings(3, 3), count=60)
    assert (alone.pieces(np.arange(60), 0) >= 0).sum(1).tolist() == [3] * 60


@pytest.mark.parametrize("strings", [None, Strings(1, 3)])
def test_what_is_drawn_depends_on_seed_split_epoch_and_index_alone(strings):
    augmentation = Augmentation(speed=0.3, warp=0.2, freq_masks=1, time_masks=1, added_noise=0.1)
    kind = FeatureOptions(mels=12, normalize="train")
    rng = np.random.default_rng(0)

    def examples(seed=0, name="train"):
        corpus = Corpus(np.random.default_rng(0).normal(size=(34, 12)).astype(np.float32), FRAMES, [], SPEAKERS, [])
        return Utterances(corpus, LABELS, kind, Scale(np.zeros(12), np.ones(12)), strings, augmentation, seed, name)

    whole = examples().batch(np.arange(6), 3)
    for indices in (rng.permutation(6), np.array([4]), np.array([5, 1])):
        part = examples().batch(indices, 3)
        for row, index in enumerate(indices):
            length = int(part.lengths[row])
            assert length == whole.lengths[index]
            # Sums over more padding may round otherwise.
            np.testing.assert_allclose(part.inputs[row, :length], whole.inputs[index, :length], rtol=1e-4, atol=1e-4)
    others = [
        examples().batch(np.arange(6), 4),
        examples(1).batch(np.arange(6), 3),
        examples(0, "val").batch(np.arange(6), 3),
    ]
    for other in others:
        assert other.inputs.shape != whole.inputs.shape or not np.allclose(other.inputs, whole.inputs)


def test_speed_reads_between_frames():
    examples = utterances(augmentation=Augmentation(speed=0.5), count=600)
    batch = examples.batch(np.arange(600), 0)
    ratio = batch.lengths.numpy() / examples.corpus.frames
    assert 0.5 < ratio.min() < 0.75 < 1.6 < ratio.max() <= 2.0
    for row in (0, 1, 2, 3):
        real = batch.inputs[row, : batch.lengths[row], 0].double()
        first = examples.corpus.frames[:row].sum() * 10_000 + row
        assert real[0] == first
        assert real[-1] == first + 10_000 * (examples.corpus.frames[row] - 1)
        np.testing.assert_allclose(np.diff(real), np.diff(real).mean(), rtol=1e-2)
