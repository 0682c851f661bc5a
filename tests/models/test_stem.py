import pytest
import torch

from seqtrain.models.stem import build_stem
from seqtrain.spec import Symbols, Values


def test_symbols_are_looked_up() -> None:
    stem = build_stem(Symbols(1234), embedding_size=5)
    ids = torch.tensor([[3, 0, 1233]])
    (table,) = stem.parameters()
    assert table.shape == (1234, 5)
    assert stem.out_features == (5,)
    assert torch.equal(stem(ids), table[ids])
    assert stem.describe() == "Embedding 1,234 x 5"


def test_values_are_laid_out_in_one_vector() -> None:
    stem = build_stem(Values((2, 3, 4)), embedding_size=5)
    frames = torch.arange(48.0).view(1, 2, 2, 3, 4)
    assert stem.out_features == (24,)
    assert torch.equal(stem(frames), torch.arange(48.0).view(1, 2, 24))
    assert list(stem.parameters()) == []
    assert stem.describe() == "Values 2 x 3 x 4"


@pytest.mark.parametrize("reads_maps", [False, True])
def test_bytes_stand_for_0_to_1(reads_maps: bool) -> None:
    stem = build_stem(Values((1, 2, 3)), embedding_size=5, reads_maps=reads_maps)
    levels = torch.randint(256, (4, 2, 1, 2, 3), dtype=torch.uint8)
    levels[0, 0, 0, 0, :2] = torch.tensor([0, 255])
    assert torch.equal(stem(levels).flatten(), levels.flatten() / 255)
    assert torch.equal(stem(levels.float()).flatten(), levels.flatten().float())
