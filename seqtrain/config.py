"""From a composed configuration to the objects it describes, with every key and type checked.

A node with a `_target_` becomes a call of that class; the class's own signature says which keys there
are and of which type. Nothing else knows the options, so YAML and code can't drift apart.
"""

import inspect
import types
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from importlib import import_module
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from omegaconf import OmegaConf

from seqtrain import limits
from seqtrain.errors import ConfigError
from seqtrain.models.decoder_spec import DecoderSpec
from seqtrain.models.model_spec import ModelSpec
from seqtrain.optimizer import OptimizerSpec
from seqtrain.plugins import PLUGINS, plugins
from seqtrain.scheduler import SchedulerSpec
from seqtrain.tasks.task import Task
from seqtrain.training.trainer_config import TrainerConfig
from seqtrain.typos import UnknownKeyError, did_you_mean, join, leaves

Tree = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Seeds:
    """What each kind of randomness comes from; null takes the run's seed.

    Attributes:
        init: The weights that training begins with.
        order: The order of the training data.
        dropout: What dropout leaves out, and when a decoder is told the truth.
        data: Generated data, and augmentation.
    """

    init: int | None = None
    order: int | None = None
    dropout: int | None = None
    data: int | None = None

    def __post_init__(self) -> None:
        limits.at_least("seeds", 0, **vars(self))


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything that a run is made from."""

    seed: int
    seeds: Seeds = Seeds()
    deterministic: bool = False
    device: str
    data_dir: Path
    model_name: str
    task_name: str
    model: ModelSpec
    task: Task
    decoder: DecoderSpec
    optimizer: OptimizerSpec
    scheduler: SchedulerSpec
    trainer: TrainerConfig

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ConfigError(f"seed={self.seed}: must be at least 0")

    def seed_of(self, part: str) -> int:
        """The seed of one kind of randomness, by its name in `Seeds`."""
        own: int | None = getattr(self.seeds, part)
        return self.seed if own is None else own


def build_config(tree: Tree) -> RunConfig:
    """Checks a whole tree and builds what it describes; nothing is read yet.

    Raises:
        ConfigError: For the first key that is unknown or missing, or value of the wrong type; names it
            by its path and, for a typo, what was likely meant.
    """
    try:
        config = construct(RunConfig, tree, "")
    except UnknownKeyError as error:
        raise UnknownKeyError(error.path, [*error.known, *leaves(tree)]) from None
    assert isinstance(config, RunConfig)
    return config


def build_word(kind: type[T], file: Traversable, path: str) -> T:
    """What one YAML file of conf describes, as it stands there."""
    tree = OmegaConf.to_container(OmegaConf.create(file.read_text(encoding="utf-8")))
    assert isinstance(tree, dict)
    built = construct(kind, {str(key): value for key, value in tree.items()}, path)
    assert isinstance(built, kind)
    return built


def construct(kind: type, tree: Tree, path: str) -> Any:
    """Calls the class that a node names, or `kind` where it names none, with the node's keys."""
    if "_target_" in tree:
        target = resolve(tree["_target_"], f"{path}._target_")
        if not issubclass(target, kind):
            raise ConfigError(f"{path}._target_={tree['_target_']}: not a {kind.__name__}")
        kind = target
    if inspect.isabstract(kind):
        raise ConfigError(f"{join(path, '_target_')}: should name a class that is a {kind.__name__}, and more")
    parameters = inspect.signature(kind).parameters
    hints = get_type_hints(kind)
    values = {}
    for key, value in tree.items():
        where = join(path, key)
        if key == "_target_":
            continue
        if key not in parameters:
            raise UnknownKeyError(where, [join(path, name) for name in parameters])
        values[key] = convert(hints.get(key, Any), value, where)
    for name, parameter in parameters.items():
        if name not in values and parameter.default is inspect.Parameter.empty:
            raise ConfigError(f"{join(path, name)}: is required; give it by {join(path, name)}=VALUE")
    return kind(**values)


def resolve(target: object, path: str) -> type:
    """The class behind a dotted name, of seqtrain or of a package that declares itself a plugin of it."""
    package, _, name = str(target).rpartition(".")
    root = package.partition(".")[0]
    if root != "seqtrain" and root not in plugins():
        raise ConfigError(
            f"{path}={target}: only classes of seqtrain and of installed packages that declare "
            f"an entry point in {PLUGINS!r} are built"
        )
    try:
        found = getattr(import_module(package), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{path}={target}: can't be imported ({error})") from error
    if not isinstance(found, type):
        raise ConfigError(f"{path}={target}: not a class")
    return found


def convert(hint: Any, value: Any, path: str) -> Any:
    """The value as its annotation wants it."""
    if isinstance(value, str) and "${" in value:
        raise ConfigError(f"{path}={value}: holds ${{, which config.yaml would take for a reference to another key")
    options = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    if value is None and types.NoneType in options:
        return None
    for option in options:
        fits, converted = match(option, value, path)
        if fits:
            return converted
    wanted = " or ".join(describe(option) for option in options)
    shown = "null" if value is None else value
    raise ConfigError(f"{path}={shown}: expected {wanted}{did_you_mean(str(value), choices(options))}")


def match(hint: Any, value: Any, path: str) -> tuple[bool, Any]:
    """Whether a value fits one alternative of an annotation, and what it becomes."""
    if hint is Any:
        return True, value
    if hint in (int, bool, str):
        return type(value) is hint, value
    if hint is float:
        return match_float(value)
    if hint is Path:
        return isinstance(value, str) and value != "", Path(str(value)).expanduser().absolute()
    if get_origin(hint) is Literal:
        return value in get_args(hint), value
    if get_origin(hint) in (tuple, list) and isinstance(value, list):
        return match_sequence(hint, value, path)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return value in [member.value for member in hint], hint(value) if value in list(hint) else None
    if isinstance(hint, type) and hint is not types.NoneType and isinstance(value, dict):
        return True, construct(hint, {str(key): each for key, each in value.items()}, path)
    return False, None


def match_float(value: Any) -> tuple[bool, float | None]:
    """A whole number is a number as well, unless it is larger than any."""
    if type(value) not in (int, float):
        return False, None
    try:
        return True, float(value)
    except OverflowError:
        return False, None


def match_sequence(hint: Any, value: list[Any], path: str) -> tuple[bool, Any]:
    """A list of YAML as the list or tuple that an annotation wants."""
    kind, items = get_origin(hint), get_args(hint)
    if kind is list or items[-1] is Ellipsis:
        items = items[:1] * len(value)
    if len(items) != len(value):
        return False, None
    pairs = enumerate(zip(items, value, strict=True))
    converted = [convert(item, each, f"{path}[{i}]") for i, (item, each) in pairs]
    return True, kind(converted)


def describe(hint: Any) -> str:
    """An annotation in the words of a user who writes YAML."""
    words: dict[Any, str] = {
        int: "a whole number",
        float: "a number",
        bool: "true or false",
        str: "text",
        Path: "a path",
        types.NoneType: "null",
    }
    if found := choices([hint]):
        return "one of " + ", ".join(found)
    if hint in words:
        return words[hint]
    if get_origin(hint) in (tuple, list):
        return "a list like [" + ", ".join(describe(item) for item in get_args(hint) if item is not Ellipsis) + "]"
    return f"a group of keys ({getattr(hint, '__name__', hint)})"


def choices(options: Iterable[Any]) -> list[str]:
    """The words that annotations of a fixed choice allow."""
    found: list[str] = []
    for option in options:
        if get_origin(option) is Literal:
            found += [str(word) for word in get_args(option)]
        elif isinstance(option, type) and issubclass(option, Enum):
            found += [str(member.value) for member in option]
    return found


def pin_paths(tree: Tree, built: Any) -> Tree:
    """The tree with every path made absolute, so that it means the same from any folder."""
    pinned = dict(tree)
    for key, value in tree.items():
        option = getattr(built, key, None)
        if isinstance(option, Path):
            pinned[key] = str(option)
        elif isinstance(value, dict):
            pinned[key] = pin_paths(value, option)
    return pinned
