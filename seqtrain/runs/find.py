"""Which folder a name of a run means. Imports no torch: the command line asks before it loads anything."""

from pathlib import Path

from seqtrain.errors import CheckpointError


def find_run(name: str) -> Path:
    """The run folder of this name; `last` is the newest below `outputs`.

    Raises:
        CheckpointError: If there is none.
    """
    if name != "last":
        if not Path(name).is_dir():
            raise CheckpointError(f"{name}: no such run folder")
        return Path(name).absolute()
    runs = [path.parent for path in Path("outputs").rglob("config.yaml")]
    if not runs:
        raise CheckpointError("last: no run below outputs here; train one first, or name its folder")
    return max(runs, key=lambda folder: (folder / "config.yaml").stat().st_mtime_ns).absolute()
