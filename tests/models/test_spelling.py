import torch
from torch.nn import functional as F

from seqtrain.batch import PAD, Batch
from seqtrain.models import RecurrentSpec, build_model
from seqtrain.models.spelling import LETTER_SIZE, SPELLING_SIZE, Spelling
from seqtrain.models.stem import build_stem
from seqtrain.spec import Align, Spelt, Symbols, TaskSpec

WORDS = [[5, 6, 7, 8], [9], [4, 5]]
LETTERS = torch.tensor([word + [PAD] * (4 - len(word)) for word in WORDS])


def oracle(spelling: Spelling, word: list[int]) -> torch.Tensor:
    """A convolution of one word's vectors, zeros around them, and the maximum over its letters."""
    vectors = spelling.letters(torch.tensor([word])).transpose(1, 2)
    return F.conv1d(vectors, spelling.convolution.weight, padding=1).amax(2)


def test_a_word_reads_as_by_a_convolution_of_its_own_letters() -> None:
    spelling = Spelling(10).double()
    weights = list(spelling.parameters())
    ours = spelling(LETTERS)
    expected = torch.cat([oracle(spelling, word) for word in WORDS])
    torch.testing.assert_close(ours, expected, rtol=1e-10, atol=1e-12)
    sought = torch.randn_like(expected)
    for got, wanted in zip(
        torch.autograd.grad(ours, weights, sought), torch.autograd.grad(expected, weights, sought), strict=True
    ):
        torch.testing.assert_close(got, wanted, rtol=1e-10, atol=1e-12)


def test_more_padding_of_a_word_changes_nothing() -> None:
    spelling = Spelling(10)
    with torch.no_grad():
        spelling.letters.weight[PAD] = torch.nan
    torch.testing.assert_close(spelling(F.pad(LETTERS, (0, 3), value=PAD)), spelling(LETTERS))


def test_a_word_of_no_letters_is_finite() -> None:
    spelling = Spelling(10)
    features = spelling(torch.full((2, 3), PAD))
    assert features.isfinite().all()
    assert torch.equal(features, torch.zeros(2, SPELLING_SIZE))


def test_a_words_vector_and_its_spelling_are_joined() -> None:
    stem = build_stem(Spelt(1234, 10), embedding_size=5)
    assert stem.out_features == (5 + SPELLING_SIZE,)
    inputs = torch.tensor([[[3, 5, 6], [1233, 7, PAD]]])
    features = stem(inputs)
    assert features.shape == (1, 2, 5 + SPELLING_SIZE)
    assert torch.equal(features[:, :, :5], stem.words(inputs[:, :, 0]))
    torch.testing.assert_close(features[0, :, 5:], stem.spelling(inputs[0, :, 1:]))
    assert stem.describe() == f"Embedding 1,234 x 5, letters 10 x {LETTER_SIZE} -> {SPELLING_SIZE}"


def test_a_model_reads_spelt_words_and_never_their_padding() -> None:
    task = TaskSpec(Spelt(20, 10), Symbols(3), Align.EACH)
    model = build_model(RecurrentSpec(cell="lstm", hidden_size=4, bidirectional=True), task)
    lengths = torch.tensor([3, 1])
    inputs = torch.randint(1, 10, (2, 3, 5))
    spoilt = inputs.clone()
    spoilt[1, 1:] = -(2**40)
    outputs = [model(Batch(each, lengths, torch.zeros(2), torch.arange(2)))[0] for each in (inputs, spoilt)]
    assert torch.equal(*outputs)
    outputs[0].sum().backward()
    assert all(weight.grad.isfinite().all() and weight.grad.any() for weight in model.parameters())
