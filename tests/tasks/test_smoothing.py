"""Label smoothing, of every task that takes it, against its definition."""

import pytest
import torch

from seqtrain.batch import PAD, Batch
from seqtrain.config import build_word
from seqtrain.spec import Align
from seqtrain.tasks import NER, Speech, Task
from seqtrain.tasks.tagging.examples import UNSCORED
from seqtrain.words import words

WHOLE_OR_EQUAL = ("copy_memory", "fsdd", "sentiment", "sequential_mnist", "speech", "sst2")
SMOOTHABLE = dict.fromkeys(WHOLE_OR_EQUAL) | dict.fromkeys(("ner", "wnut17"), UNSCORED)
SMOOTHABLE |= dict.fromkeys(("multi30k", "text", "tiny_shakespeare", "translation"), PAD)
"""Each task word that can be smoothed, and what its targets hold at steps that are not scored."""


def build(word: str) -> Task:
    return build_word(Task, words("task")[word], "task")


@pytest.mark.parametrize("word", list(words("task")))
def test_a_task_tells_whether_it_can_be_smoothed(word):
    assert build(word).smoothable == (word in SMOOTHABLE)


@pytest.mark.parametrize("task", [NER(crf=True), Speech(target="digits")], ids=["crf", "ctc"])
def test_a_loss_over_whole_strings_is_not_smoothed(task):
    assert not task.smoothable


@pytest.mark.parametrize("word", list(SMOOTHABLE))
def test_smoothing_mixes_the_answer_with_all_symbols_alike_over_scored_steps(word):
    task, symbols, smoothing, mark = build(word), 5, 0.2, SMOOTHABLE[word]
    generator = torch.Generator().manual_seed(3)
    shape = (4,) if task.outline.align is Align.WHOLE else (4, 3)
    targets = torch.randint(1, symbols, shape, generator=generator)
    lengths = torch.tensor([3, 1, 2, 3])
    scored = torch.ones(shape, dtype=torch.bool)
    if mark is not None:
        scored = torch.arange(3) < lengths.unsqueeze(1)
        targets = targets.where(scored, mark)
    outputs = torch.randn(*shape, symbols, generator=generator).requires_grad_()
    batch = Batch(torch.zeros(4, 3, dtype=torch.long), lengths, targets, torch.arange(4), lengths)

    log_probs = outputs.log_softmax(-1)
    right = log_probs.gather(-1, targets.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    expected = -((1 - smoothing) * right + smoothing * log_probs.mean(-1))[scored].sum()
    loss = task.loss(outputs, batch, smoothing)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(task.loss(outputs, batch), -right[scored].sum())
    (gradient,) = torch.autograd.grad(loss, outputs)
    assert bool((gradient != 0).any(-1).eq(scored).all()), "padding has no gradient"
