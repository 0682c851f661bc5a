"""What of a run may be different when it goes on, and what belongs to what it has learned."""

from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from seqtrain.config import Tree
from seqtrain.errors import ConfigError
from seqtrain.typos import UnknownKeyError, leaves
from seqtrain.words import GROUPS

FIXED = {
    "model": "the weights are of this model",
    "task": "what has been learned is of this task",
    "decoder": "the weights were trained with it",
    "seed": "the run's randomness comes from it",
    "seeds": "the run's randomness comes from them",
    "model_name": "the weights are of this model",
    "task_name": "what has been learned is of this task",
    "experiment": "it would change more than can be continued with",
    "run_dir": "a run stays in its folder",
    "trainer.batch_size": "the position in the data is counted in such batches",
    "trainer.limit_batches": "the position in the data is counted in such passes",
    "trainer.overfit_batches": "the position in the data is counted in such passes",
    "trainer.dry_run": "nothing would be kept",
    "trainer.monitor": "the best so far was judged by another metric",
    "trainer.mode": "the best so far was judged by it",
}
"""Why each of these stays what it was."""


def changed(tree: Tree, overrides: list[str]) -> Tree:
    """The configuration with `key=value` changes; a run goes on with them from its checkpoint.

    Raises:
        ConfigError: For a change that can't be continued with, and for what is no change at all.
    """
    known = list(leaves(tree))
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or key[:1] in "+~":
            raise ConfigError(f"{override}: not a change of a run; write key=value")
        reason = next((FIXED[start] for start in FIXED if key == start or key.startswith(f"{start}.")), None)
        if reason is not None:
            raise ConfigError(f"{override}: can't change in a run that goes on, since {reason}; start another run")
        if key in GROUPS or key.endswith("._target_"):
            raise ConfigError(
                f"{override}: a run that goes on keeps its {key.partition('.')[0]}; only options of it can change"
            )
        if key not in known:
            raise UnknownKeyError(key, known)
        tree = with_value(tree, key.split("."), value_of(override, text))
    return tree


def value_of(override: str, text: str) -> Any:
    """What stands right of the equals sign, read as YAML."""
    try:
        value = OmegaConf.to_container(OmegaConf.create({"value": OmegaConf.from_dotlist([f"value={text}"]).value}))
    except (OmegaConfBaseException, YAMLError) as error:
        raise ConfigError(f"{override}: {' '.join(str(error).split())}") from None
    assert isinstance(value, dict)
    return value["value"]


def with_value(tree: Tree, path: list[str], value: Any) -> Tree:
    """The tree with one value replaced."""
    key, *rest = path
    return {**tree, key: with_value(tree[key], rest, value) if rest else value}
