"""Every model word with inputs at the edge of what is allowed: it works, or says by name what is wrong."""

from dataclasses import replace

import pytest
import torch

from seqtrain.batch import Batch
from seqtrain.config import build_word
from seqtrain.errors import ConfigError, LengthError
from seqtrain.models import ModelSpec, build_model
from seqtrain.spec import Align, Symbols, TaskSpec, Values
from seqtrain.words import words

WORDS = words("model")


@pytest.fixture(params=list(WORDS))
def model(request):
    """A small model of each word that answers whole sequences of images or vectors."""
    spec = replace(build_word(ModelSpec, WORDS[request.param], "model"), hidden_size=8)
    torch.manual_seed(0)
    shape = (1, 4, 3) if spec.reads_maps else (3,)
    return build_model(spec, TaskSpec(Values(shape), Values((2,)), Align.WHOLE)).double().eval()


def batch_for(model, lengths: list[int], steps: int) -> Batch:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(len(lengths), steps, *model.task.input.shape, generator=generator, dtype=torch.float64)
    return Batch(inputs, torch.tensor(lengths), torch.zeros(len(lengths)), torch.arange(len(lengths)))


@pytest.mark.parametrize(("lengths", "steps"), [([1], 1), ([5], 5), ([1, 1, 1], 1), ([1, 5], 5)])
def test_single_steps_and_single_sequences_answer_as_in_any_batch(model, lengths, steps):
    batch = batch_for(model, lengths, steps)
    together, _ = model(batch)
    for b, length in enumerate(lengths):
        only = slice(b, b + 1)
        parts = (batch.inputs[only, :length], batch.lengths[only], batch.targets[only], batch.indices[only])
        alone, _ = model(Batch(*parts))
        torch.testing.assert_close(alone[0], together[b], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("length", [0, -1, 6])
def test_lengths_outside_the_batch_are_refused(model, length):
    with pytest.raises(LengthError, match=f"a sequence of length {length} in a batch of 5 steps: must be in 1..5"):
        model(batch_for(model, [5, length], 5))


def test_nan_stays_in_its_own_sequence(model):
    batch = batch_for(model, [5, 3, 4], 5)
    clean, _ = model(batch)
    batch.inputs[1, 2] = torch.nan
    found, _ = model(batch)
    assert found[1].isnan().any()
    assert torch.equal(found[[0, 2]], clean[[0, 2]])


def test_inputs_need_not_be_contiguous(model):
    batch = batch_for(model, [5, 3], 5)
    strided = batch.inputs.transpose(0, -1).contiguous().transpose(0, -1)
    assert not strided.is_contiguous()
    torch.testing.assert_close(model(replace(batch, inputs=strided))[0], model(batch)[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_near(model, dtype):
    batch = batch_for(model, [5, 3], 5)
    precise, _ = model(batch)
    found, _ = model.to(dtype)(replace(batch, inputs=batch.inputs.to(dtype)))
    assert found.dtype == dtype
    torch.testing.assert_close(found.double(), precise, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("word", list(WORDS))
@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("hidden_size", 0, "must be at least 1"),
        ("num_layers", 0, "must be at least 1"),
        ("embedding_size", -1, "must be at least 1"),
        ("dropout", 1.0, "must be at least 0 and below 1"),
        ("dropout", -0.1, "must be at least 0 and below 1"),
    ],
)
def test_sizes_and_chances_outside_their_range_are_refused(word, option, value, message):
    with pytest.raises(ConfigError, match=rf"^model\.{option}={value}: {message}$"):
        replace(build_word(ModelSpec, WORDS[word], "model"), **{option: value})


@pytest.mark.parametrize("word", list(WORDS))
def test_no_model_sees_later_steps_where_the_task_is_causal(word):
    spec = build_word(ModelSpec, WORDS[word], "model")
    task = TaskSpec(Symbols(9), Symbols(9), Align.EACH, causal=True)
    if spec.refusal(task) is not None:
        with pytest.raises(ConfigError, match="the model doesn't fit the task"):
            build_model(spec, task)
        return
    model = build_model(replace(spec, hidden_size=8), task).double().eval()
    ids = torch.randint(9, (2, 6))
    batch = Batch(ids, torch.tensor([6, 6]), ids, torch.arange(2))
    changed = replace(batch, inputs=torch.cat([ids[:, :3], 8 - ids[:, 3:]], 1))
    assert torch.equal(model(batch)[0][:, :3], model(changed)[0][:, :3])
