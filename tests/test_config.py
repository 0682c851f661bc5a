import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from seqtrain.config import build_config, construct, pin_paths
from seqtrain.errors import ConfigError
from seqtrain.tasks import Task


@dataclass
class Inner:
    size: int = 1


@dataclass
class Options:
    count: int
    rate: float = 0.1
    flag: bool = False
    word: Literal["one", "two"] = "one"
    pair: tuple[float, float] = (1.0, 2.0)
    names: list[str] | None = None
    path: Path | None = None
    inner: Inner | None = None


def test_values_arrive_as_their_annotations_want_them():
    built = construct(
        Options,
        {
            "count": 3,
            "rate": 1,
            "word": "two",
            "pair": [1, 2.5],
            "names": ["a"],
            "path": "here",
            "inner": {"size": 2},
        },
        "group",
    )
    assert built == Options(3, 1.0, False, "two", (1.0, 2.5), ["a"], Path.cwd() / "here", Inner(2))
    assert isinstance(built.rate, float)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": "abc"}, "group.count=abc: expected a whole number"),
        ({"count": 1.5}, "group.count=1.5: expected a whole number"),
        ({"count": True}, "group.count=True: expected a whole number"),
        ({"count": None}, "group.count=null: expected a whole number"),
        ({"rate": "fast"}, "group.rate=fast: expected a number"),
        ({"flag": 1}, "group.flag=1: expected true or false"),
        ({"word": "tow"}, "group.word=tow: expected one of one, two; did you mean two?"),
        ({"pair": [1]}, r"group.pair=[1]: expected a list like [a number, a number]"),
        ({"names": [1]}, "group.names[0]=1: expected text"),
        ({"inner": 3}, "group.inner=3: expected a group of keys (Inner) or null"),
        ({"inner": {"sise": 3}}, "group.inner.sise: unknown key; did you mean group.inner.size?"),
        ({"cuont": 3}, "group.cuont: unknown key; did you mean group.count?"),
        # What follows was found by random trees.
        ({"rate": 10**400}, f"group.rate={10**400}: expected a number"),
        ({"names": {}}, "group.names={}: expected a list like [text] or null"),
        ({"inner": {7: 3}}, "group.inner.7: unknown key; did you mean group.inner.size?"),
        ({"path": "a${b"}, "group.path=a${b: holds ${, which config.yaml would take for a reference to another key"),
        ({"word": "a\nb"}, r"group.word=a\nb: expected one of one, two"),
        ({"word": []}, "group.word=[]: expected one of one, two"),
    ],
)
def test_a_wrong_key_or_value_is_named_with_what_was_expected(change, message):
    with pytest.raises(ConfigError) as caught:
        construct(Options, {"count": 1, **change}, "group")
    assert str(caught.value) == message


def test_a_missing_key_is_named():
    with pytest.raises(ConfigError, match=r"group\.count: is required"):
        construct(Options, {}, "group")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("os.system", "only classes of seqtrain"),
        ("builtins.eval", "only classes of seqtrain"),
        ("seqtrain.nothing.Here", "can't be imported"),
        ("seqtrain.config.construct", "not a class"),
        ("seqtrain.\0.Here", "can't be imported"),
        ("seqtrain.", "can't be imported"),
        ("seqtrain.optimizer.AdamW", "not a Options"),
    ],
)
def test_only_classes_of_ours_that_fit_are_built(target, message):
    with pytest.raises(ConfigError, match=message):
        construct(Options, {"_target_": target, "count": 1}, "group")


@pytest.mark.parametrize("target", [{}, {"_target_": "seqtrain.tasks.Task"}])
def test_what_stands_for_many_classes_is_not_built_itself(target):
    with pytest.raises(ConfigError, match=r"^task\._target_: should name a class that is a Task, and more$"):
        construct(Task, target, "task")


def test_an_installed_package_that_declares_itself_is_trusted(monkeypatch):
    from importlib.metadata import EntryPoint

    declared = [EntryPoint("mine", f"{__name__}:Inner", "seqtrain.plugins")]
    monkeypatch.setattr("seqtrain.plugins.entry_points", lambda **_: declared)
    assert construct(object, {"_target_": f"{__name__}.Inner", "size": 5}, "group") == Inner(5)


def test_a_key_in_the_wrong_place_is_found_elsewhere(tree):
    with pytest.raises(ConfigError) as caught:
        build_config({**tree, "lr": 0.1})
    assert str(caught.value) == "lr: unknown key; did you mean optimizer.lr?"


def test_building_leaves_the_tree_alone_and_paths_are_pinned(tree):
    tree["data_dir"] = "somewhere"
    before = copy.deepcopy(tree)
    config = build_config(tree)
    assert tree == before
    assert pin_paths(tree, config)["data_dir"] == str(Path.cwd() / "somewhere")
    assert pin_paths(tree, config)["model"] == tree["model"]
