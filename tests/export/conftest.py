from collections.abc import Iterator

import jaxtyping
import pytest


@pytest.fixture(autouse=True)
def unknown_sizes() -> Iterator[None]:
    """While a program is traced, sizes are symbols and no whole numbers: types aren't checked here."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
