import itertools

import numpy as np
import pytest
import torch

from seqtrain.batch import Batch, Examples
from seqtrain.tasks import SST2, Sentiment, Split
from seqtrain.training.loader import eval_loader, eval_plan, train_loader, train_plan


class Lines(Examples):
    """Examples that say which they are and in which epoch they were asked for."""

    def __init__(self, lengths, size=None):
        self.lengths = lengths
        self._size = len(lengths) if size is None else size

    def __len__(self):
        return self._size

    def batch(self, indices, epoch):
        chosen = torch.from_numpy(indices)
        lengths = torch.ones_like(chosen) if self.lengths is None else torch.from_numpy(self.lengths[indices])
        inputs = chosen.unsqueeze(1).expand(-1, int(lengths.max()))
        return Batch(inputs, lengths, torch.full_like(chosen, epoch), chosen)


@pytest.fixture
def lines():
    return Lines(np.random.default_rng(0).geometric(0.1, 1003))


def drawn(loader):
    return [batch.indices.tolist() for batch in loader]


def padding(loader):
    batches = list(loader)
    return 1 - sum(int(batch.lengths.sum()) for batch in batches) / sum(batch.inputs.numel() for batch in batches)


@pytest.mark.parametrize("bucketed", [True, False])
def test_an_epoch_holds_every_example_once_and_no_batch_is_dropped(lines, bucketed):
    if not bucketed:
        lines = Lines(None, 1003)
    batches = drawn(train_loader(lines, 10, seed=0, epoch=0))
    assert sorted(itertools.chain(*batches)) == list(range(1003))
    assert sorted(map(len, batches)) == [3] + [10] * 100


def test_the_length_is_the_number_of_batches(lines):
    assert len(train_loader(lines, 10, seed=0, epoch=0)) == 101
    assert len(train_loader(lines, 10, seed=0, epoch=0, skip=100)) == 1
    assert len(train_loader(lines, 10, seed=0, epoch=0, skip=101)) == 0
    assert len(eval_loader(lines, 10)) == 101


def test_successive_examples_are_read_as_streams_side_by_side(lines):
    lines.successive = True
    batches = drawn(train_loader(lines, 10, seed=0, epoch=1))
    assert sorted(itertools.chain(*batches)) == list(range(1003))
    for before, after in itertools.pairwise(batches):
        assert after == [index + 1 for index in before[: len(after)]]
    assert len(batches) == len(drawn(eval_loader(lines, 10))) == 101
    lines.max_streams = 1
    assert drawn(eval_loader(lines, 10)) == [[index] for index in range(1003)]
    assert drawn(train_loader(lines, 10, seed=0, epoch=1)) == batches


@pytest.mark.parametrize("bucketed", [True, False])
def test_seed_and_epoch_alone_decide_the_order(lines, bucketed):
    if not bucketed:
        lines = Lines(None, 1003)
    first = drawn(train_loader(lines, 10, seed=0, epoch=0))
    torch.manual_seed(99)
    assert drawn(train_loader(lines, 10, seed=0, epoch=0)) == first
    assert drawn(train_loader(lines, 10, seed=0, epoch=1)) != first
    assert drawn(train_loader(lines, 10, seed=1, epoch=0)) != first


def test_different_epochs_put_different_examples_together(lines):
    together = [set(map(frozenset, drawn(train_loader(lines, 10, seed=0, epoch=epoch)))) for epoch in (0, 1)]
    assert not together[0] & together[1]


def test_skipping_gives_the_tail_of_the_plan(lines):
    whole = drawn(train_loader(lines, 10, seed=3, epoch=2))
    assert drawn(train_loader(lines, 10, seed=3, epoch=2, skip=40)) == whole[40:]


def test_batches_are_not_read_in_the_order_of_length(lines):
    longest = [int(batch.lengths.max()) for batch in train_loader(lines, 10, seed=0, epoch=0)]
    assert abs(np.corrcoef(longest, np.arange(len(longest)))[0, 1]) < 0.4
    rises = np.mean(np.diff(longest) > 0)
    assert 0.3 < rises < 0.7


def test_the_epoch_reaches_the_examples(lines):
    assert all((batch.targets == 7).all() for batch in train_loader(lines, 10, seed=0, epoch=7))
    assert all((batch.targets == 0).all() for batch in eval_loader(lines, 10))


def test_evaluation_reads_every_example_once_the_longest_first(lines):
    batches = list(eval_loader(lines, 10))
    lengths = torch.cat([batch.lengths for batch in batches]).tolist()
    assert lengths == sorted(lengths, reverse=True)
    assert sorted(itertools.chain(*drawn(batches))) == list(range(1003))
    assert drawn(eval_loader(lines, 10)) == drawn(batches)


def test_evaluation_of_equal_lengths_keeps_the_order():
    assert drawn(eval_loader(Lines(None, 5), 2)) == [[0, 1], [2, 3], [4]]


def test_no_number_is_taken_from_the_global_generator(lines):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    drawn(train_loader(lines, 10, seed=0, epoch=0))
    drawn(eval_loader(lines, 10))
    assert torch.equal(torch.get_rng_state(), before)


def test_workers_change_nothing(tmp_path):
    task = Sentiment(train_size=100, val_size=2, test_size=2, word_dropout=0.3)
    task.prepare(tmp_path, 0)
    examples = task.examples(Split.TRAIN)
    state = torch.get_rng_state()
    here = list(train_loader(examples, 16, seed=0, epoch=1, skip=2))
    there = list(train_loader(examples, 16, seed=0, epoch=1, skip=2, num_workers=2))
    assert torch.equal(torch.get_rng_state(), state)
    assert len(here) == len(there) == 5
    for one, other in zip(here, there, strict=True):
        for name in ("inputs", "lengths", "targets", "indices"):
            assert torch.equal(getattr(one, name), getattr(other, name))


def test_little_of_a_batch_of_generated_reviews_is_padding(tmp_path):
    task = Sentiment(train_size=5000)
    task.prepare(tmp_path, 0)
    assert padding(train_loader(task.examples(Split.TRAIN), 64, seed=0, epoch=0)) < 0.1


@pytest.mark.real
def test_little_of_a_batch_of_sst2_is_padding(data_dir):
    task = SST2()
    task.prepare(data_dir, 0)
    for epoch in range(3):
        assert padding(train_loader(task.examples(Split.TRAIN), 64, seed=0, epoch=epoch)) < 0.1


def test_examples_of_two_lengths_are_bucketed_by_both():
    rng = np.random.default_rng(0)
    first = rng.integers(2, 30, 8000)
    both = np.stack([first, np.maximum(1, first + rng.integers(-6, 7, 8000))], 1)

    def waste(plan, side):
        chosen = [both[indices, side] for indices in plan]
        return 1 - sum(each.sum() for each in chosen) / sum(each.max() * len(each) for each in chosen)

    plan = train_plan(Lines(both), 32, seed=0, epoch=0)
    assert sorted(itertools.chain(*plan)) == list(range(8000))
    assert max(waste(plan, side) for side in (0, 1)) < 0.13
    assert waste(train_plan(Lines(both[:, 0]), 32, seed=0, epoch=0), 1) > 0.2
    longest_first = eval_plan(Lines(both), 32)
    assert both[longest_first[0]].max() == both.max()
    assert max(waste(longest_first, side) for side in (0, 1)) < 0.05
