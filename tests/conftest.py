"""What the tests share."""

import os
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import hydra
import numpy as np
import pytest
import torch
from hydra.core.hydra_config import HydraConfig
from hypothesis import HealthCheck, settings
from workbench import Workbench

from seqtrain.cli.train import plain
from seqtrain.data import DATASETS
from seqtrain.tasks import Task
from seqtrain.words import words

REPOSITORY = Path(__file__).parents[1]

# The same examples at every call, on every machine; `pytest --hypothesis-profile=thorough` looks for others.
settings.register_profile(
    "default",
    max_examples=50,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.register_profile("thorough", settings.get_profile("default"), max_examples=200, derandomize=False)
settings.load_profile("default")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Names bytes by their argument: some hold the time of day, and every worker must collect the same tests."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data; a test that needs it is skipped where it is absent."""
    folder = Path(os.environ.get("SEQTRAIN_DATA") or REPOSITORY.parent / "shared" / "data").absolute()
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is not there, and $SEQTRAIN_DATA names no other folder")
    return folder


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Tests run side by side on every core: more threads each would only make them wait for one another."""
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that tests start


@pytest.fixture(scope="session", autouse=True)
def own_cache_and_no_network(tmp_path_factory) -> None:
    """Nothing is downloaded, and the user's cache is not touched; nor is it by the processes that tests start."""
    os.environ["SEQTRAIN_OFFLINE"] = "1"
    os.environ["SEQTRAIN_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def stand_in(monkeypatch) -> Callable[[str, Path], None]:
    """Declares small files, which a test wrote to data_dir/NAME, to be those of the real data set."""

    def declared(name: str, data_dir: Path) -> None:
        real = DATASETS[name]
        paths = {file: data_dir / name / file.name for file in real.files}
        files = [
            replace(file, size_bytes=file.size_of(path), sha256=file.sha256_of(path)) for file, path in paths.items()
        ]
        monkeypatch.setitem(DATASETS, name, replace(real, files=tuple(files)))

    return declared


@pytest.fixture
def compose() -> Iterator[Callable[..., dict[str, Any]]]:
    """Composes a tree from overrides, as the command line does."""
    with hydra.initialize_config_module("seqtrain.conf", version_base="1.3"):

        def composed(*overrides: str) -> dict[str, Any]:
            cfg = hydra.compose("config", overrides=list(overrides), return_hydra_config=True)
            HydraConfig.instance().set_config(cfg)
            return plain(cfg).tree

        yield composed


@pytest.fixture
def trainer_of(tmp_path) -> Iterator[Workbench]:
    """Makes trainers on a task that takes no time."""
    workbench = Workbench(tmp_path)
    yield workbench
    for log in workbench.logs:
        log.close()


@pytest.fixture
def tree(compose) -> dict[str, Any]:
    """What `seqtrain` alone would run."""
    return compose()


@pytest.fixture(scope="session")
def trees() -> dict[str, dict[str, Any]]:
    """What the words of models and tasks compose to; each is composed once."""
    return {}


@pytest.fixture
def small(request, trees):
    """Composes a word with a small model."""

    def composed(choice: str) -> dict[str, Any]:
        if choice not in trees:
            compose = request.getfixturevalue("compose")
            trees[choice] = compose(choice, "model.hidden_size=16", "model.dropout=0")
        return deepcopy(trees[choice])

    return composed


@pytest.fixture(params=list(words("task")))
def task_tree(request, small) -> dict[str, Any]:
    """Each word of a task in turn, with little data where that can be chosen."""
    tree = small(f"task={request.param}")
    if "train_size" in tree["task"]:
        tree["task"].update(train_size=64, val_size=64, test_size=64)
    elif request.param == "series":  # a user's own data
        path = request.getfixturevalue("tmp_path") / "own.csv"
        rows = np.random.default_rng(0).normal(size=(300, 2)).cumsum(0)
        np.savetxt(path, rows, delimiter=",", header="a,b", comments="")
        tree["task"]["path"] = str(path)
    else:  # real data
        tree["data_dir"] = str(request.getfixturevalue("data_dir"))
    if "steps" in tree["task"]:
        tree["task"].update(steps=6)  # a small model learns no long chunk of text by heart
    return tree


@pytest.fixture(scope="session")
def prepared() -> dict[str, Task]:
    """The tasks whose data has been read already, by their words."""
    return {}
