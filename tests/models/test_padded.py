import pytest
import torch

from seqtrain.errors import LengthError
from seqtrain.models.padded import RealSteps

LENGTHS = [3, 1, 4]


def sequences(*shape: int) -> torch.Tensor:
    return torch.arange(1.0, 1 + torch.Size(shape).numel(), dtype=torch.float64).view(shape)


def real_steps(lengths: list[int], steps: int) -> RealSteps:
    return RealSteps(torch.tensor(lengths), steps, torch.device("cpu"))


def garbage(x: torch.Tensor, lengths: list[int], value: float) -> torch.Tensor:
    spoilt = x.clone()
    for sequence, length in zip(spoilt, lengths, strict=True):
        sequence[length:] = value
    return spoilt


@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 2), (3, 4, 2, 3, 3)])
@pytest.mark.parametrize("lengths", [LENGTHS, [4, 3, 4], [4, 4, 4]])
def test_each_reading_against_a_loop(shape: tuple[int, ...], lengths: list[int]) -> None:
    x = garbage(sequences(*shape), lengths, torch.nan)
    real = real_steps(lengths, 4)
    for b, length in enumerate(lengths):
        own = x[b, :length]
        torch.testing.assert_close(real.zero_padding(x)[b, :length], own)
        assert (real.zero_padding(x)[b, length:] == 0).all()
        torch.testing.assert_close(real.reverse(x)[b, :length], own.flip(0))
        assert real.reverse(x)[b, length:].isnan().all()
        torch.testing.assert_close(real.last(x)[b], own[-1])
        torch.testing.assert_close(real.mean(x)[b], own.mean(0))
        torch.testing.assert_close(real.max(x)[b], own.amax(0))


def test_maximum_of_negative_steps_is_not_the_padding() -> None:
    assert real_steps(LENGTHS, 4).max(-sequences(3, 4, 1)).flatten().tolist() == [-1, -5, -9]


@pytest.mark.parametrize("reading", ["zero_padding", "last", "mean", "max"])
def test_padding_gets_no_gradient(reading: str) -> None:
    x = garbage(sequences(3, 4, 2), LENGTHS, 1e30).requires_grad_()
    getattr(real_steps(LENGTHS, 4), reading)(x).sum().backward()
    assert x.grad is not None
    for b, length in enumerate(LENGTHS):
        assert (x.grad[b, length:] == 0).all()
        assert (x.grad[b, length - 1] != 0).all()


def test_symbols_and_views_are_read_too() -> None:
    ids = torch.arange(12).view(4, 3).T  # (B, T), not contiguous
    real = real_steps(LENGTHS, 4)
    assert real.zero_padding(ids).tolist() == [[0, 3, 6, 0], [1, 0, 0, 0], [2, 5, 8, 11]]
    assert real.reverse(ids).tolist() == [[6, 3, 0, 9], [1, 4, 7, 10], [11, 8, 5, 2]]


@pytest.mark.parametrize("length", [0, -1, 5])
def test_a_length_outside_the_batch_is_named(length: int) -> None:
    with pytest.raises(LengthError, match=rf"a sequence of length {length} in a batch of 4 steps: must be in 1\.\.4"):
        real_steps([2, length], 4)


def test_one_sequence_of_one_step() -> None:
    x = sequences(1, 1, 2)
    real = real_steps([1], 1)
    assert not real.ragged
    for reading in (real.last, real.mean, real.max):
        torch.testing.assert_close(reading(x), x[:, 0])
