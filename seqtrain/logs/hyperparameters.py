"""The options of a run that are worth a column in a table of runs."""

from collections.abc import Iterable, Iterator
from typing import Any

Value = int | float | str

ALWAYS = (
    "model",
    "task",
    "optimizer",
    "seed",
    "model.hidden_size",
    "optimizer.lr",
    "trainer.batch_size",
)
"""Shown whether the user typed them or not, where there are such. TensorBoard shows the first five by alphabet unasked;
these are few, so that those are the ones that most often differ."""
WORDS = {"model_name": "model", "task_name": "task"}
NEVER = ("run_dir", "data_dir", "device", "resume")
"""What has a value of its own in every run, or changes no result; as those options of the loop that say how often it
tells, draws and saves."""
NEVER_OF_LOOP = ("num_workers", "log_every", "watch_every", "pictures_every", "checkpoint_", "on_save_error")


def hyperparameters(tree: dict[str, Any], overrides: Iterable[str]) -> dict[str, Value]:
    """Columns by dotted names as a user types them: those that always matter, and those typed.

    What is null has no value to show and is left out; lists and the like are shown as text.

    Args:
        tree: The resolved configuration.
        overrides: What the user typed: `optimizer.lr=0.01`, `+model=lstm`.
    """
    flat = dict(_leaves(tree))
    flat |= {shown: flat[name] for name, shown in WORDS.items() if name in flat}
    flat |= {
        name.removesuffix("._target_"): str(target).rpartition(".")[2]
        for name, target in flat.items()
        if name.endswith("._target_") and name.removesuffix("._target_") not in WORDS.values()
    }
    typed = [override.partition("=")[0].lstrip("+~") for override in overrides]
    passed_over = tuple(f"trainer.{option}" for option in NEVER_OF_LOOP)
    shown = (name for name in typed if name not in NEVER and not name.startswith(passed_over))
    names = dict.fromkeys([*ALWAYS, *shown])
    return {name: _plain(flat[name]) for name in names if flat.get(name) is not None}


def _leaves(tree: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _plain(value: Any) -> Value:
    if isinstance(value, bool):
        return str(value).lower()  # TensorBoard's writer takes it for a number
    return value if isinstance(value, int | float | str) else str(value)
