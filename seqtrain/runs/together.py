"""Runs that ask for several processes: composed and checked once, then trained by processes that read the folder."""

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from seqtrain.config import Tree, build_config
from seqtrain.distributed.launcher import in_team, launch
from seqtrain.logs.runlog import SUMMARY
from seqtrain.runs.resuming import changed
from seqtrain.runs.run import DRY_RUN_DONE, check
from seqtrain.runs.run_folder import read_finished, read_tree, reserve, write_config

REFUSED = 2
"""The exit code of a process that was given what can't be used."""


def start_together(tree: Tree, overrides: list[str], folder: Path) -> int | None:
    """Trains a new run in as many processes as it asks for.

    Args:
        tree: The composed configuration, resolved.
        overrides: What the user typed.
        folder: Where the run should live; a number is appended if that is taken.

    Returns:
        The exit code; None if one process is asked for, or this is one of several already.
    """
    config = build_config(tree)
    devices = config.trainer.devices
    if devices == 1 or in_team():
        return None
    check(config)
    if not config.trainer.dry_run:
        folder = reserve(folder.absolute())
        write_config(folder, config, tree, overrides)
        code = launch(["resume", str(folder)], devices)
        if code == REFUSED and not (folder / SUMMARY).exists():
            shutil.rmtree(folder)  # it never came to train, and its reason has been told
        return code
    with TemporaryDirectory(prefix="seqtrain-") as scratch:
        write_config(Path(scratch), config, tree, overrides)
        code = launch(["resume", scratch], devices)
    if code == 0:
        sys.stdout.write(f"{DRY_RUN_DONE}\n")
    return code


def resume_together(folder: Path, overrides: list[str]) -> int | None:
    """Goes on with a run in as many processes as it asks for; None as of `start_together`."""
    if in_team() or (read_finished(folder) and not overrides):
        return None
    config = build_config(changed(read_tree(folder), overrides))
    devices = config.trainer.devices
    if devices == 1:
        return None
    check(config)
    return launch(["resume", str(folder), *overrides], devices)
