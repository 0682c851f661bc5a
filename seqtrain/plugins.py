"""Installed packages that extend seqtrain: which there are, and the folders of words that they bring. Imports none.

A package declares itself by an entry point of the group `seqtrain.plugins`; its classes may then be named by
`_target_`. The YAML files of a folder `conf` in it are words, as those of seqtrain's own conf are.
"""

from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

PLUGINS = "seqtrain.plugins"
"""The entry-point group in which a package declares itself."""


def plugins() -> list[str]:
    """The names of the packages that declare themselves."""
    return sorted({entry.module.partition(".")[0] for entry in entry_points(group=PLUGINS)})


@cache  # looking through all that is installed takes some milliseconds, and every group of words asks
def word_folders() -> dict[str, Path]:
    """The folder of words of each package that has one."""
    found = {}
    for package in plugins():
        spec = find_spec(package)
        for place in (spec and spec.submodule_search_locations) or ():
            if (Path(place) / "conf").is_dir():
                found[package] = Path(place) / "conf"
    return found
