"""What the tests share."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import hydra
import pytest
import torch
from hydra.core.hydra_config import HydraConfig
from hypothesis import HealthCheck, settings

from seqtrain.cli.train import plain
from seqtrain.data import DATASETS

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
def tree(compose) -> dict[str, Any]:
    """What `seqtrain` alone would run."""
    return compose()
