import itertools

import numpy as np
import pytest
import torch

from seqtrain.batch import PAD
from seqtrain.tasks.language.chunks import EvaluationChunks, TrainingChunks
from seqtrain.training.loader import eval_loader, train_loader

IDS = np.arange(10, 133).astype(np.uint8)  # 123 ids that tell their places


def training(steps=10, seed=0, carried=True):
    return TrainingChunks(IDS, steps, seed, carried=carried)


def test_each_symbol_is_answered_by_the_next_and_each_chunk_by_its_successor():
    chunks = training()
    batch = chunks.batch(np.arange(12), 0)
    assert len(chunks) == 12
    assert batch.inputs.shape == batch.targets.shape == (12, 10)
    assert batch.inputs.dtype == batch.targets.dtype == batch.lengths.dtype == torch.int64
    assert (batch.lengths == 10).all()
    stream = torch.cat([batch.inputs.flatten(), batch.targets[-1, -1:]])
    assert torch.equal(batch.targets.flatten(), stream[1:])
    assert ((stream[1:] - stream[:-1]) % 123 == 1).all()  # a ring: the last is followed by the first


def test_an_epoch_asks_for_no_symbol_twice():
    targets = training().batch(np.arange(12), 3).targets.flatten().tolist()
    assert len(set(targets)) == 120


def test_borders_move_with_the_epoch_and_the_seed_and_with_nothing_else():
    first = [int(training(seed=seed).batch(np.arange(2), epoch).inputs[0, 0]) for seed in (0, 1) for epoch in range(5)]
    assert len(set(first)) > 7
    again = training().batch(np.array([7, 3]), 2)
    whole = training().batch(np.arange(12), 2)
    assert torch.equal(again.inputs, whole.inputs[[7, 3]])
    assert again.indices.tolist() == [7, 3]


def test_carried_chunks_are_streams_and_others_are_shuffled():
    batches = [batch.indices.tolist() for batch in train_loader(training(), 3, seed=0, epoch=0)]
    assert batches == [[0, 4, 8], [1, 5, 9], [2, 6, 10], [3, 7, 11]]
    shuffled = [batch.indices.tolist() for batch in train_loader(training(carried=False), 3, seed=0, epoch=0)]
    assert sorted(itertools.chain(*shuffled)) == list(range(12))
    assert shuffled != batches


@pytest.mark.parametrize("size", [2, 10, 11, 12, 21, 22, 123])
@pytest.mark.parametrize("streams", [1, 2, 3, None])
def test_every_symbol_after_the_first_is_asked_for_once(size, streams):
    chunks = EvaluationChunks(IDS[:size], 10, streams)
    asked = []
    for batch in eval_loader(chunks, 4):
        real = torch.arange(batch.inputs.shape[1]) < batch.lengths.unsqueeze(1)
        assert (batch.targets[~real] == PAD).all()
        assert (batch.inputs[~real] == PAD).all()
        assert torch.equal(batch.inputs[real] + 1, batch.targets[real])
        asked += batch.targets[real].tolist()
    assert sorted(asked) == IDS[1:size].tolist()


def test_evaluation_goes_on_from_batch_to_batch():
    before = None
    for batch in eval_loader(EvaluationChunks(IDS, 10, 3), 64):
        assert len(batch) <= 3
        if before is not None:
            assert torch.equal(batch.inputs[:, 0], before.targets[: len(batch), -1])
        before = batch
    assert not EvaluationChunks(IDS, 10, None).successive
