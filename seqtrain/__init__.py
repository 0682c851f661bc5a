"""Train, compare and ship recurrent sequence models from one command line.

From Python:

import seqtrain

trained = seqtrain.train(["model=bilstm", "task=sentiment"])   # or seqtrain.load("last")
trained.predict(["a fine film", "a waste of time"])            # a record for each
trained.evaluate("test").metrics["accuracy"]
trained.model, trained.task, trained.config
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqtrain.cli.from_python import train
    from seqtrain.runs.trained import Scores, Trained, load

__all__ = ["Scores", "Trained", "load", "train"]

_HOMES = {"Scores": "runs.trained", "Trained": "runs.trained", "load": "runs.trained", "train": "cli.from_python"}


def __getattr__(name: str) -> Any:
    # When it is asked for: torch takes a second to load.
    if name in _HOMES:
        return getattr(import_module(f"seqtrain.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
