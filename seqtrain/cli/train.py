"""`seqtrain [train] key=value ...`: composes a configuration with Hydra and trains, once or as a sweep."""

import argparse
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hydra
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from seqtrain.errors import ConfigError
from seqtrain.plugins import word_folders
from seqtrain.typos import UnknownKeyError, did_you_mean, leaves
from seqtrain.words import GROUPS, built_in, words

ASKING = ("--help", "-h", "--hydra-help", "--version", "--cfg", "-c", "--info", "-i", "--shell-completion", "-sc")
"""Flags that ask something of Hydra instead of running anything."""


FLAGS = (
    *ASKING,
    *("--multirun", "-m", "--run", "-r", "--resolve", "--package", "-p", "--experimental-rerun"),
    *("--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd"),
)
"""All that Hydra knows."""


class PluginWords(SearchPathPlugin):
    """Shows Hydra the words of installed plugins; it would find such a class by itself in `hydra_plugins` only."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Adds their folders behind ours."""
        for package, folder in word_folders().items():
            search_path.append(package, f"file://{folder}")


@dataclass
class Composed:
    """What Hydra made of a command line that asks for a single run."""

    tree: dict[str, Any]
    overrides: list[str]
    run_dir: Path


def main(arguments: list[str]) -> int:
    """Trains what the arguments describe; flags like --help and --cfg are Hydra's."""
    flags = parse_flags(arguments)
    with errors_of_hydra(flags):
        check_flags(flags)
    if flags.multirun and not flags.asks:
        from seqtrain.cli.sweep import sweep

        return sweep(flags)
    Plugins.instance().register(PluginWords)
    runs: list[Composed] = []
    refused: list[ConfigError] = []

    @hydra.main(config_path="pkg://seqtrain.conf", config_name="config", version_base="1.3")
    def job(cfg: DictConfig) -> None:
        try:
            if HydraConfig.get().mode != RunMode.RUN:
                raise ConfigError("hydra.mode=MULTIRUN: say -m, and what to try as key=a,b")
            runs.append(plain(cfg))
        except ConfigError as error:  # Hydra would add a line of its own
            refused.append(error)

    with errors_of_hydra(flags):
        sys.argv[1:] = arguments
        job()
    for error in refused:
        raise error
    for run in runs:  # after Hydra has left the stage: one run, or none where a flag only asked
        return train_here(run)
    return 0


@dataclass
class Flags:
    """What of a command line is looked at before Hydra sees it."""

    overrides: list[str]
    multirun: bool
    config_dir: Path | None
    asks: bool = False
    rest: tuple[str, ...] = ()


def parse_flags(arguments: Sequence[str]) -> Flags:
    """Reads the flags that matter to us and leaves the others to Hydra."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--multirun", "-m", action="store_true")
    parser.add_argument("--config-dir", "-cd", type=Path)
    known, rest = parser.parse_known_args(arguments)
    overrides = [argument for argument in rest if not argument.startswith("-") and re.match(r"[^=]*=|~", argument)]
    others = tuple(argument for argument in rest if argument not in overrides)
    asks = any(argument.partition("=")[0] in ASKING for argument in others)
    return Flags(overrides, known.multirun, known.config_dir, asks, others)


def check_flags(flags: Flags) -> None:
    """Finds what Hydra would take silently, or complain of only after it has made folders.

    Raises:
        ConfigError: For a file of a plugin or of --config-dir that a word of the same name hides, for hydra.run.dir,
            and for what acts on a sweep where none is asked for.
    """
    taken = {group: words(group) for group in GROUPS}
    if flags.config_dir is not None:
        for group in GROUPS:
            for file in sorted((flags.config_dir / group).glob("*.yaml")):
                if file.stem in taken[group]:
                    owner = "built in" if file.stem in built_in(group) else f"a plugin's ({taken[group][file.stem]})"
                    raise ConfigError(f"{file}: {group}={file.stem} is {owner} and would win; give it another name")
    for flag in (argument.partition("=")[0] for argument in flags.rest if argument.startswith("-")):
        if flag not in FLAGS:
            raise ConfigError(f"{flag}: no such option{did_you_mean(flag, FLAGS) or '; see seqtrain --help'}")
    for override in flags.overrides:
        if override.startswith("hydra.run.dir="):
            raise ConfigError(
                f"{override}: seqtrain makes its own run folders; say run_dir={override.partition('=')[2]}"
            )
        if not flags.multirun and re.match(r"[+~]*(sweep|launcher)[=.]", override):
            raise ConfigError(f"{override}: is of a sweep; add -m, and give some options several values")


def composed(overrides: list[str]) -> Composed:
    """What the command line would make of these overrides for a single run; in a context of `composing`."""
    cfg = hydra.compose("config", overrides=overrides, return_hydra_config=True)
    HydraConfig.instance().set_config(cfg)
    return plain(cfg)


@contextmanager
def composing(flags: Flags) -> Iterator[None]:
    """A context in which `hydra.compose` sees what the command line would."""
    GlobalHydra.instance().clear()
    Plugins.instance().register(PluginWords)
    with hydra.initialize_config_module("seqtrain.conf", version_base="1.3"):
        if flags.config_dir is not None:
            loader = GlobalHydra.instance().config_loader()
            loader.get_search_path().append("command-line", f"file://{flags.config_dir.absolute()}")
        yield


def plain(cfg: DictConfig) -> Composed:
    """Takes what Hydra composed out of Hydra's hands, resolved and plain."""
    hydra_config = HydraConfig.get()
    sweep = hydra_config.mode == RunMode.MULTIRUN
    cfg = cfg.copy()
    with open_dict(cfg):
        for of_no_run in ("hydra", "sweep", "launcher"):
            cfg.pop(of_no_run, None)
    try:
        tree = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise ConfigError(one_line(error)) from error
    assert isinstance(tree, dict)
    run_dir = tree.pop("run_dir", None)
    if not isinstance(run_dir, str):
        raise ConfigError(f"run_dir={'null' if run_dir is None else run_dir}: expected a path")
    return Composed(
        tree={str(key): value for key, value in tree.items()},
        overrides=list(hydra_config.overrides.task),
        run_dir=Path(hydra_config.runtime.output_dir if sweep else run_dir),
    )


def train_here(run: Composed) -> int:
    """Trains in this process, or in as many as are asked for."""
    from rich.console import Console

    from seqtrain.cli.resume import exit_code, go_on
    from seqtrain.runs.run import start
    from seqtrain.runs.run_folder import requeued
    from seqtrain.runs.together import start_together

    begun = requeued(run.run_dir, run.overrides)
    if begun is not None:
        return go_on(begun, [])
    code = start_together(run.tree, run.overrides, run.run_dir)
    return exit_code(start(run.tree, run.overrides, run.run_dir, Console())) if code is None else code


# -------------------------------------------------------------------- Hydra's errors in our words


@contextmanager
def errors_of_hydra(flags: Flags) -> Iterator[None]:
    """Turns what Hydra raises about a command line into a ConfigError of one line."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # raise, instead of printing and exiting
    try:
        yield
    except MissingConfigException as error:
        raise ConfigError(missing_choice(error)) from error
    except (HydraException, OmegaConfBaseException, YAMLError, ValueError) as error:
        raise refused_override(error, flags) from error


def missing_choice(error: MissingConfigException) -> str:
    """`model=bilsm: no such model; did you mean bilstm? ...` for a word that its group doesn't have."""
    group, _, word = (error.missing_cfg_file or "").rpartition("/")
    if not group or error.options is None:
        return one_line(error)
    hint = did_you_mean(word, error.options) or "."
    return f"{group}={word}: no such {group}{hint} Choose from {', '.join(error.options)}"


def refused_override(error: Exception, flags: Flags) -> ConfigError:
    """An unknown key with what was likely meant; any other complaint as Hydra words it, in one line."""
    if isinstance(error, OverrideParseException):
        return ConfigError(f"{error.override}: not an override; write key=value, and quote what the shell reads")
    found = re.search(r"Could not override '([^']+)'", str(error))
    typed = [override.lstrip("+~").partition("=")[0] for override in flags.overrides]
    if found is None or found[1] not in typed:  # a file of the user's own may be at fault
        return ConfigError(one_line(error))
    chosen = [override for override in flags.overrides if override.partition("=")[0] in GROUPS and "," not in override]
    with composing(flags):
        tree = OmegaConf.to_container(hydra.compose("config", overrides=chosen), resolve=False)
    assert isinstance(tree, dict)
    return UnknownKeyError(found[1], [*GROUPS, *leaves(tree)])


def one_line(error: Exception) -> str:
    """An error's text without its line breaks."""
    return " ".join(str(error).split())
