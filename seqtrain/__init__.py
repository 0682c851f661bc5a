"""Train, compare and ship recurrent sequence models from one command line.

From Python, likewise:

    import seqtrain

    trained = seqtrain.load("last")
    trained.model, trained.task, trained.config
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqtrain.trained import Trained, load

__all__ = ["Trained", "load"]


def __getattr__(name: str) -> Any:
    # When it is asked for: torch takes a second to load.
    if name in __all__:
        from seqtrain import trained

        return getattr(trained, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
