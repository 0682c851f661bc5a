"""Every model word with every task word: it is refused by name, or it works. There is no list to edit."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import Tensor

from seqtrain.batch import Batch
from seqtrain.config import RunConfig, build_config
from seqtrain.errors import ConfigError
from seqtrain.models import EncoderDecoder, SequenceModel, build_model, refusal
from seqtrain.runs.run import check_pair
from seqtrain.spec import Align, TaskSpec
from seqtrain.tasks import Split, Task
from seqtrain.words import words

EXAMPLES = 8


@dataclass
class Pair:
    spec: TaskSpec
    task: Task
    model: SequenceModel | EncoderDecoder
    batch: Batch

    def outputs(self, batch: Batch) -> Tensor:
        outputs, _ = self.model(batch)
        return outputs


@pytest.fixture(params=list(words("model")))
def config(request, small, task_tree) -> RunConfig:
    model = small(f"model={request.param}")
    return build_config({**task_tree, "model": model["model"], "model_name": request.param})


@pytest.fixture
def pair(config, prepared) -> Pair:
    if refusal(config.model, config.decoder, config.task.outline) is not None:
        pytest.skip("a senseless pair, refused by name")
    if config.task_name not in prepared:
        config.task.prepare(config.data_dir, seed=0)
        prepared[config.task_name] = config.task
    task = prepared[config.task_name]
    torch.manual_seed(0)
    model = build_model(config.model, task.spec)
    batch = task.examples(Split.TRAIN).batch(np.arange(EXAMPLES), 0)
    return Pair(task.spec, task, model, batch)


def test_a_pair_is_built_or_refused_by_name_before_data_is_read(config):
    if refusal(config.model, config.decoder, config.task.outline) is None:
        check_pair(config)
        return
    with pytest.raises(ConfigError) as refused:
        check_pair(config)
    assert f"model={config.model_name} doesn't fit task={config.task_name}: " in str(refused.value)
    assert "models that fit: " in str(refused.value)


def test_every_parameter_learns_and_one_batch_is_fitted(pair):
    optimizer = torch.optim.Adam(pair.model.parameters(), lr=0.02)
    losses, untouched = [], {name for name, _ in pair.model.named_parameters()}
    for _ in range(60):
        loss = pair.task.loss(pair.outputs(pair.batch), pair.batch) / pair.task.count(pair.batch)
        optimizer.zero_grad()
        loss.backward()
        untouched -= {name for name, p in pair.model.named_parameters() if p.grad is not None and p.grad.any()}
        optimizer.step()
        losses.append(loss.item())
        if losses[-1] < 0.5 * losses[0] and not untouched:
            break
    assert untouched == set()
    assert losses[-1] < 0.5 * losses[0]


def precise(inputs: Tensor) -> Tensor:
    """Symbols as they are; values in double precision, bytes as what they stand for."""
    if inputs.dtype == torch.uint8:
        return inputs.double() / 255
    return inputs.double() if inputs.is_floating_point() else inputs


def test_more_padding_changes_nothing(pair):
    pair.model.double().eval()
    inputs = precise(pair.batch.inputs)
    steps = torch.arange(inputs.shape[1])
    garbage = inputs[:, -1:].expand(-1, 5, *inputs.shape[2:]) + 1 if inputs.is_floating_point() else inputs[:, :5]
    longer = torch.cat([inputs, garbage], 1)
    short, long = (pair.outputs(replace(pair.batch, inputs=each)) for each in (inputs, longer))
    if pair.spec.align is Align.EACH:
        real = steps < pair.batch.lengths.unsqueeze(1)
        short, long = short[real], long[:, : inputs.shape[1]][real]
    assert torch.allclose(short, long, rtol=1e-12, atol=1e-12)


def test_reading_by_step_answers_alike_or_is_refused(pair):
    pair.model.double().eval()
    batch = replace(pair.batch, inputs=precise(pair.batch.inputs))
    if pair.model.by_step_refusal is not None:
        pytest.skip(f"a model that {pair.model.by_step_refusal}")
    outputs, states = pair.model.read_by_step(batch)
    assert len(states) == batch.inputs.shape[1]
    assert torch.allclose(outputs, pair.outputs(batch), rtol=1e-10, atol=1e-10)


def test_a_causal_pair_never_sees_a_later_input(config, request):
    if not config.task.outline.causal:
        pytest.skip("the task isn't causal")
    pair = request.getfixturevalue("pair")
    pair.model.double().eval()
    inputs = precise(pair.batch.inputs)
    changed = inputs.clone()
    changed[:, 3:] = inputs[:, 3:].flip(0)
    before, after = (pair.outputs(replace(pair.batch, inputs=each))[:, :3] for each in (inputs, changed))
    assert torch.equal(before, after)
