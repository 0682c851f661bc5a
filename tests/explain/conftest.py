"""The tiny runs that the commands of trained models are tested on."""

from tests.trained.conftest import run_of

__all__ = ["run_of"]
