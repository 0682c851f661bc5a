import pytest
import torch

from seqtrain.models.readout import Readout
from seqtrain.spec import Align, Element, Symbols, TaskSpec, Values

HORIZON = 4


@pytest.mark.parametrize(
    ("align", "output", "lead", "shape", "words"),
    [
        (Align.WHOLE, Symbols(1500), (2,), (1500,), "Linear 3 -> 1,500"),
        (Align.WHOLE, Values((1, 2, 2)), (2,), (1, 2, 2), "Linear 3 -> 1 x 2 x 2"),
        (Align.EACH, Symbols(7), (2, 5), (7,), "Linear 3 -> 7"),
        (Align.EACH, Values((2,)), (2, 5), (2,), "Linear 3 -> 2"),
        (Align.AHEAD, Symbols(7), (2,), (HORIZON, 7), "Linear 3 -> 4 x 7"),
        (Align.AHEAD, Values((1, 2, 2)), (2,), (HORIZON, 1, 2, 2), "Linear 3 -> 4 x 1 x 2 x 2"),
    ],
)
def test_one_affine_map_laid_out_as_the_task_asks(
    align: Align, output: Element, lead: tuple[int, ...], shape: tuple[int, ...], words: str
) -> None:
    readout = Readout(3, TaskSpec(Values((1,)), output, align, horizon=HORIZON))
    features = torch.randn(*lead, 3)
    expected = features @ readout.linear.weight.T + readout.linear.bias
    torch.testing.assert_close(readout(features), expected.view(*lead, *shape))
    assert readout.describe() == words
