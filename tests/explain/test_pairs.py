"""Every model word with every task word has a page, of the sections that it has something for."""

from pathlib import Path

import pytest
import torch

from seqtrain.config import RunConfig, build_config
from seqtrain.explain import explain
from seqtrain.models import build_model, refusal
from seqtrain.runs.trained import Trained
from seqtrain.tasks import Split
from seqtrain.words import words

pytestmark = pytest.mark.slow


@pytest.fixture(params=list(words("model")))
def config(request, small, task_tree) -> RunConfig:
    model = small(f"model={request.param}")
    return build_config({**task_tree, "model": model["model"], "model_name": request.param})


def test_a_pair_is_explained(config, prepared, tmp_path: Path):
    if refusal(config.model, config.decoder, config.task.outline) is not None:
        pytest.skip("a senseless pair, refused by name")
    task = prepared.setdefault(config.task_name, config.task)
    if task is config.task:
        task.prepare(config.data_dir, seed=0)
    torch.manual_seed(0)
    model = build_model(config.model, task.spec).eval()
    trained = Trained(tmp_path, config, task, model, torch.device("cpu"), 0)
    trained._prepared = True
    page, notes = explain(trained)
    assert notes == []
    assert "<h2>What it answers</h2>" in page
    weights = model.attention_weights(task.examples(Split.VAL).batch(torch.arange(1).numpy(), 0))
    assert ("<h2>Where it looks</h2>" in page) == bool(weights)
    assert ("<h2>How far back it learns</h2>" in page) == (model.by_step_refusal is None)
    assert ("<h2>Inside a unit</h2>" in page) == (config.model_name != "self_attention")
    assert len(page) < 2_000_000
