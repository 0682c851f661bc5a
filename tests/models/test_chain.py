import pytest
import torch

from seqtrain.models import RecurrentSpec, build_model
from seqtrain.models.chain import ChainReadout
from seqtrain.models.readout import Readout
from seqtrain.spec import Align, Symbols, TaskSpec

TASK = TaskSpec(Symbols(9), Symbols(4, chained=True), Align.EACH)


def test_each_symbol_is_scored_after_each() -> None:
    readout = build_model(RecurrentSpec(cell="gru", hidden_size=3), TASK).readout
    assert isinstance(readout, ChainReadout)
    for weight in readout.parameters():
        torch.nn.init.normal_(weight)
    features = torch.randn(2, 5, 3)
    scores = readout(features)
    assert scores.shape == (2, 5, 4, 4)
    emissions = readout.linear(features)
    for step in range(5):
        for i in range(4):
            for j in range(4):
                before = readout.transitions[i, j] if step else readout.start[j]
                torch.testing.assert_close(scores[:, step, i, j], emissions[:, step, j] + before)
    assert readout.multiply_adds() == 3 * 4
    assert readout.describe() == "Linear 3 -> 4, chained"


def test_outputs_that_stand_alone_are_not_chained() -> None:
    alone = TaskSpec(Symbols(9), Symbols(4), Align.EACH)
    assert isinstance(build_model(RecurrentSpec(cell="gru", hidden_size=3), alone).readout, Readout)


def test_only_outputs_at_every_step_have_neighbours() -> None:
    with pytest.raises(AssertionError, match="only outputs at every step"):
        ChainReadout((3,), TaskSpec(Symbols(9), Symbols(4, chained=True), Align.WHOLE))
