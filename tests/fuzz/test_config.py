"""Any tree of YAML is built, and comes back from a run folder as it was, or is refused in one line."""

import copy
import math
from typing import Any

import hydra
import pytest
from hydra.core.hydra_config import HydraConfig
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seqtrain.cli.train import composing, errors_of_hydra, parse_flags, plain
from seqtrain.config import build_config, pin_paths
from seqtrain.errors import UserError
from seqtrain.runs.run_folder import read_tree, write_config
from seqtrain.typos import leaves
from tests.fuzz.damage import refusal_of

NUMBERS = st.integers() | st.floats() | st.sampled_from([0, -1, 10**400, 2**63, 1e308, math.nan, math.inf])
WORDS = st.text(max_size=12) | st.sampled_from(
    ["null", "true", "1e3", "1_000", "1:30", "~", "${seed}", "${", "\0", "~nobody/x", "a\nb", "\ud800", "x" * 5000]
)
TARGETS = st.sampled_from(
    [
        "seqtrain.tasks.Task",
        "seqtrain.tasks.task.Task",
        "seqtrain.models.model_spec.ModelSpec",
        "seqtrain.tasks.Adding",
        "seqtrain.optimizer.OptimizerSpec",
        "seqtrain.__main__.main",
        "seqtrain..x",
        "seqtrain.\0.x",
        "seqtrain",
        "os.system",
        "",
        ".",
    ]
)
SCALARS = st.none() | st.booleans() | NUMBERS | WORDS | TARGETS
KEYS = st.text(max_size=8) | st.sampled_from(["_target_", "path", "lr", "seed", "size"]) | st.integers()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
)


def changed(tree: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """The tree with another value at a path, which may be a new one."""
    tree = copy.deepcopy(tree)
    *groups, key = path.split(".")
    node = tree
    for group in groups:
        node = node[group]
    node[key] = value
    return tree


PAIRS = [
    ("sine", "lstm"), ("sentiment", "attention_lstm"), ("text", "rnn"), ("translation", "seq2seq_attention"),
    ("ner", "bilstm"), ("speech", "gru"), ("moving_mnist", "convlstm"), ("series", "self_attention"),
]  # fmt: skip


@pytest.fixture(scope="module")
def trees() -> list[dict[str, Any]]:
    """What some command lines would run; between them, nearly every option there is."""
    found = []
    with hydra.initialize_config_module("seqtrain.conf", version_base="1.3"):
        for task, model in PAIRS:
            cfg = hydra.compose("config", [f"task={task}", f"model={model}"], return_hydra_config=True)
            HydraConfig.instance().set_config(cfg)
            found.append(plain(cfg).tree)
    return found


@given(data=st.data())
def test_a_value_anywhere_is_taken_or_refused(trees, data: st.DataObject):
    tree = data.draw(st.sampled_from(trees))
    path = data.draw(st.sampled_from(list(leaves(tree))))
    value = data.draw(VALUES)
    refusal_of(lambda: build_config(changed(tree, path, value)), "")


@given(data=st.data())
def test_a_key_anywhere_is_taken_or_refused(trees, data: st.DataObject):
    tree = data.draw(st.sampled_from(trees))
    group = data.draw(st.sampled_from(["", "model.", "task.", "trainer.", "optimizer."]))
    key = data.draw(st.text(max_size=12).filter(lambda text: "." not in text) | st.integers())
    node = changed(tree, f"{group}x", 1)
    inner = node[group[:-1]] if group else node
    inner[key if group else str(key)] = inner.pop("x")
    refusal_of(lambda: build_config(node), "")


WORDS_OF_OVERRIDES = [
    "model", "task", "seed", "optimizer.lr", "trainer", "hydra.run.dir", "=", "=", ".", ",", "+", "~", "@", "lstm",
    "sine", "null", "1e-3", "[", "]", "{", "}", "(", ")", "'", '"', "\\", "${", "}", ":", " ", "#", "range(1,3)",
    "choice(", "\0", "\u00fc",
]  # fmt: skip


@settings(max_examples=6)  # composing is slow
@given(parts=st.lists(st.sampled_from(WORDS_OF_OVERRIDES), max_size=8))
@example(parts=["task", "=", "sine"])
@example(parts=["optimizer.lr", "=", "${", "seed", "}"])
def test_any_override_is_composed_or_refused(parts: list[str]):
    override = "".join(parts)

    def run() -> None:
        flags = parse_flags([override])
        with errors_of_hydra(flags), composing(flags):
            cfg = hydra.compose("config", overrides=flags.overrides, return_hydra_config=True)
            HydraConfig.instance().set_config(cfg)
            build_config(plain(cfg).tree)

    refusal_of(run, "")


@given(tree=st.dictionaries(KEYS.map(str), VALUES, max_size=5))
@example(tree={"_target_": "seqtrain.tasks.Adding"})
def test_any_tree_is_refused(tree):
    assert refusal_of(lambda: build_config(tree), "") is not None


@given(data=st.data())
def test_what_is_taken_comes_back_from_the_run_folder(trees, data: st.DataObject, tmp_path_factory):
    tree = data.draw(st.sampled_from(trees))
    path = data.draw(st.sampled_from(list(leaves(tree))))
    tree = changed(tree, path, data.draw(SCALARS))
    try:
        config = build_config(tree)
    except UserError:
        return
    folder = tmp_path_factory.mktemp("run")
    write_config(folder, config, tree, ["an=override"])
    again = read_tree(folder)
    assert repr(again) == repr(pin_paths(tree, config))
    assert repr(build_config(again)) == repr(build_config(tree))
