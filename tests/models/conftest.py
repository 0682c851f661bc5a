import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """Small layers on as many threads as there are cores spend their time waiting, more so under pytest-xdist."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)
