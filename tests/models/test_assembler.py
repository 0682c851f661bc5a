import re

import pytest
import torch
from torch import nn

from seqtrain.batch import Batch
from seqtrain.errors import ConfigError, LengthError
from seqtrain.models import ModelSpec, RecurrentSpec, SequenceModel, build_model, parts
from seqtrain.spec import Align, Element, Symbols, TaskSpec, Values

LENGTHS = [5, 2, 3]
INPUTS = {"symbols": Symbols(11), "values": Values((3,)), "image": Values((2, 3, 4))}
OUTPUTS = {"symbols": Symbols(6), "values": Values((2,)), "image": Values((1, 2, 2))}


def batch_for(element: Element, lengths: list[int] = LENGTHS, steps: int = 5) -> Batch:
    size = (len(lengths), steps)
    inputs = torch.randint(element.size, size) if isinstance(element, Symbols) else torch.randn(*size, *element.shape)
    return Batch(inputs, torch.tensor(lengths), torch.zeros(len(lengths)), torch.arange(len(lengths)))


def spoil(batch: Batch) -> Batch:
    """The same batch with the worst that can stand on padding."""
    inputs = batch.inputs.clone()
    for sequence, length in zip(inputs, batch.lengths.tolist(), strict=True):
        sequence[length:] = torch.nan if inputs.is_floating_point() else -(2**40)
    return Batch(inputs, batch.lengths, batch.targets, batch.indices)


@pytest.mark.parametrize("spec", [RecurrentSpec(cell="gru", hidden_size=4), RecurrentSpec(cell="lstm", hidden_size=4)])
@pytest.mark.parametrize("align", [Align.WHOLE, Align.EACH, Align.AHEAD])
@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("entry", INPUTS)
def test_every_alignment_of_every_element(spec: ModelSpec, entry: str, output: str, align: Align) -> None:
    task = TaskSpec(INPUTS[entry], OUTPUTS[output], align, horizon=4)
    model = build_model(spec, task)
    batch = batch_for(task.input)
    answers, state = model(batch)

    lead = {Align.WHOLE: (3,), Align.EACH: (3, 5), Align.AHEAD: (3, 4)}[align]
    element = (task.output.size,) if isinstance(task.output, Symbols) else task.output.shape
    assert answers.shape == (*lead, *element)
    assert {part.shape for part in state} == {(1, 3, 4)}
    again, _ = model(spoil(batch))
    assert torch.equal(again, answers)

    (answers**2).mean().backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name
        assert weight.grad.any(), name


@pytest.mark.parametrize("pooling", [None, "last", "mean", "max"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_pooling_against_a_loop(pooling: str | None, bidirectional: bool) -> None:
    spec = RecurrentSpec(cell="lstm", hidden_size=4, bidirectional=bidirectional, pooling=pooling)
    model = build_model(spec, TaskSpec(Values((3,)), Values((2,)), Align.WHOLE))
    batch = batch_for(Values((3,)))
    answers, _ = model(batch)
    for b, length in enumerate(LENGTHS):
        outputs, _ = model.core(batch.inputs[b : b + 1, :length], torch.tensor([length]))
        forward, backward = outputs[0, :, :4], outputs[0, :, 4:]
        vector = {
            "last": torch.cat([forward[-1], backward[0]]) if bidirectional else forward[-1],
            "mean": outputs[0].mean(0),
            "max": outputs[0].amax(0),
        }[pooling or "last"]
        torch.testing.assert_close(answers[b], model.readout(vector))


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
def test_the_padding_of_a_batch_does_not_matter(pooling: str) -> None:
    spec = RecurrentSpec(cell="lstm", hidden_size=4, bidirectional=True, num_layers=2, pooling=pooling)
    model = build_model(spec, TaskSpec(Symbols(11), Values((2,)), Align.WHOLE))
    batch = batch_for(Symbols(11))
    longer = Batch(nn.functional.pad(batch.inputs, (0, 7), value=9), batch.lengths, batch.targets, batch.indices)
    torch.testing.assert_close(model(longer)[0], model(batch)[0])


def test_a_state_is_resumed() -> None:
    model = build_model(RecurrentSpec(cell="lstm", hidden_size=4), TaskSpec(Symbols(11), Symbols(11), Align.EACH))
    batch = batch_for(Symbols(11), [5, 5])
    whole, _ = model(batch)
    first, state = model(Batch(batch.inputs[:, :2], torch.tensor([2, 2]), batch.targets, batch.indices))
    second, _ = model(Batch(batch.inputs[:, 2:], torch.tensor([3, 3]), batch.targets, batch.indices), state)
    torch.testing.assert_close(torch.cat([first, second], 1), whole)


def model_with_dropout(num_layers: int = 1) -> SequenceModel:
    spec = RecurrentSpec(cell="lstm", hidden_size=64, dropout=0.5, num_layers=num_layers)
    return build_model(spec, TaskSpec(Values((64,)), Values((2,)), Align.EACH))


def zeros_at_readout_and_core(model: SequenceModel) -> tuple[float, float]:
    """Which fractions of the features that enter core and readout are zero."""
    seen: dict[str, float] = {}
    for name in ("core", "readout"):
        part = getattr(model, name)
        part.register_forward_pre_hook(
            lambda _, args, name=name: seen.__setitem__(name, (args[0] == 0).double().mean().item())
        )
    model(batch_for(Values((64,)), [5, 5, 5]))
    return seen["core"], seen["readout"]


def test_dropout_acts_around_a_single_layer_in_training_only() -> None:
    model = model_with_dropout()
    assert zeros_at_readout_and_core(model) == pytest.approx((0.5, 0.5), abs=0.1)
    assert zeros_at_readout_and_core(model.eval()) == (0, 0)


def test_embedding_size_is_the_models_or_the_hidden_size() -> None:
    task = TaskSpec(Symbols(11), Values((2,)), Align.WHOLE)
    assert build_model(RecurrentSpec(cell="gru", hidden_size=4), task).stem.out_features == (4,)
    assert build_model(RecurrentSpec(cell="gru", hidden_size=4, embedding_size=9), task).stem.out_features == (9,)


def test_a_refused_pair_is_not_built() -> None:
    sentence = "the model doesn't fit the task: it reads later steps, which an output of this task may not see"
    with pytest.raises(ConfigError, match=f"^{re.escape(sentence)}$"):
        build_model(
            RecurrentSpec(cell="lstm", bidirectional=True), TaskSpec(Symbols(9), Symbols(9), Align.EACH, causal=True)
        )


def test_sizes_have_to_be_read_before_building() -> None:
    with pytest.raises(AssertionError, match="sizes still to be read"):
        build_model(RecurrentSpec(cell="lstm"), TaskSpec(Symbols(), Symbols(2), Align.WHOLE))


def test_a_bad_length_is_refused() -> None:
    model = build_model(RecurrentSpec(cell="gru", hidden_size=4), TaskSpec(Symbols(11), Symbols(2), Align.WHOLE))
    with pytest.raises(LengthError, match="a sequence of length 6 in a batch of 5 steps"):
        model(batch_for(Symbols(11), [5, 6, 1]))


def test_parts_are_those_built_and_count_every_parameter() -> None:
    spec = RecurrentSpec(cell="lstm", hidden_size=128, num_layers=2, bidirectional=True)
    model = build_model(spec, TaskSpec(Symbols(1234), Symbols(2), Align.WHOLE))
    lstm = nn.LSTM(128, 128, 2, bidirectional=True)
    weights, biases = (sum(w.numel() for w in lstm.parameters() if w.dim() == axes) for axes in (2, 1))
    assert parts(model) == [
        ("stem", "Embedding 1,234 x 128", 1234 * 128, 0),
        ("core", "LSTM 128 -> 256, 2 layers, both directions (concat)", weights + biases, weights),
        ("readout", "Linear 256 -> 2", 256 * 2 + 2, 256 * 2),
    ]
    assert sum(part.parameters for part in parts(model)) == sum(weight.numel() for weight in model.parameters())
