"""A cache of what is made from data: built once, whole or not there, safe to throw away.

It lies in `$SEQTRAIN_CACHE`, or where the system keeps a user's caches, as seqtrain/<kind>/<key>.
"""

import errno
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from seqtrain.data.datasets import sha256_of
from seqtrain.data.disk import lock_of, locked, reason, sync
from seqtrain.errors import DataError

FORMAT = 1
"""Version of the cache's layout, a part of every key."""

PLACE = "SEQTRAIN_CACHE"
"""The environment variable that names the folder in which the cache's own folder lies."""

TAG, SIGNATURE = "CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n"
"""The file by which backup programs, and `clear_cache`, know a cache: bford.info/cachedir."""

REMEMBERED_FROM_BYTES = 1 << 25
"""A smaller file is hashed faster than its hash is looked up and kept safely."""

SETTLED_SECONDS = 2.0
"""A file younger than this may change once more without another time of change: its hash is not kept."""

FULL_OR_READ_ONLY = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}


class CacheError(DataError):
    """A cache that can't be written."""


def cached(kind: str, key: Mapping[str, object], build: Callable[[Path], object], folder: Path | None = None) -> Path:
    """A folder that holds what `build` wrote into it, once for each key.

    Several processes may ask at once: one builds, the others wait. A build that fails or is killed
    leaves nothing that would ever be read.

    Args:
        kind: What is kept, a plain word: the name of a folder.
        key: All that the content depends on, in plain values: fingerprints, options, a format number of
            the builder's own. Changed keys build anew; nothing is ever overwritten.
        build: Writes into the empty folder that it is given. What it raises is raised.
        folder: Another cache than the user's.

    Returns:
        The folder. It is shared: read it, don't change it.

    Raises:
        DataError: If the cache can't be written.
    """
    assert kind.isidentifier(), kind
    root = folder or cache_folder()
    entry = root / kind / digest(kind, key)
    if not entry.is_dir():
        with refused_by_disk(root, entry.parent):
            tag(root)
            entry.parent.mkdir(exist_ok=True)
            with locked(entry):
                if not entry.is_dir():
                    build_whole(entry, build)
                    sweep(entry.parent)
    return entry


def fingerprint(path: Path, folder: Path | None = None) -> str:
    """The sha256 of a file's content; a large file's is remembered by its path, size and time of change.

    Args:
        path: The file.
        folder: Another cache than the user's.

    Raises:
        DataError: If the file can't be read, or changes meanwhile.
    """
    try:
        before = path.stat()
        young = abs(time.time() - before.st_mtime) < SETTLED_SECONDS
        if before.st_size < REMEMBERED_FROM_BYTES or young:
            return unchanged_sha256(path, before)
        key = {"path": str(path.resolve()), "size": before.st_size, "mtime_ns": before.st_mtime_ns}
        try:
            kept = cached(
                "fingerprint", key, lambda new: (new / "sha256").write_text(unchanged_sha256(path, before)), folder
            )
        except CacheError:
            return unchanged_sha256(path, before)
        return (kept / "sha256").read_text()
    except OSError as error:
        raise DataError(f"{path}: can't be read ({reason(error)})") from error


def cache_folder() -> Path:
    """The user's cache of this program; it need not exist."""
    named = os.environ.get(PLACE)
    if named:
        return Path(named).absolute() / "seqtrain"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "seqtrain"
    place = os.environ.get("LOCALAPPDATA" if os.name == "nt" else "XDG_CACHE_HOME", "")
    # The standard of XDG has relative paths ignored.
    return (Path(place) if Path(place).is_absolute() else Path.home() / ".cache") / "seqtrain"


def cache_size(folder: Path | None = None) -> int:
    """The bytes of all files in the cache."""
    root = folder or cache_folder()
    if not (root / TAG).is_file():
        return 0
    size = 0
    for place, _, names in os.walk(root):
        for name in names:
            with suppress(FileNotFoundError):  # another process renamed or removed it
                size += Path(place, name).stat().st_size
    return size


def clear_cache(folder: Path | None = None) -> int:
    """Removes all that is kept, waiting for what is being built; empty lock files stay. Returns the bytes freed.

    Raises:
        DataError: If the folder isn't a cache of ours, or can't be written.
    """
    root = folder or cache_folder()
    before = cache_size(root)
    if not root.exists():
        return 0
    with refused_by_disk(root, root):
        tag(root)
        for kind in [path for path in root.iterdir() if path.is_dir()]:
            for entry in [path for path in kind.iterdir() if path.is_dir() and not path.name.startswith(".")]:
                with locked(entry):
                    if entry.is_dir():
                        discard(entry)
            sweep(kind)
    return before - cache_size(root)


# -------------------------------------------------------------------- entries


def digest(kind: str, key: Mapping[str, object]) -> str:
    """The name of an entry: a hash of its key as JSON in one fixed form."""
    told = {"format": FORMAT, "kind": kind, "key": dict(key)}
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def build_whole(entry: Path, build: Callable[[Path], object]) -> None:
    """Builds in a folder beside the entry, and renames it once all of it is on the disk."""
    temporary = temporary_of(entry)
    shutil.rmtree(temporary, ignore_errors=True)  # of a process that was killed, for the lock is ours
    temporary.mkdir()
    try:
        build(temporary)
        for path in [*temporary.rglob("*"), temporary]:
            sync(path)
        temporary.replace(entry)
        sync(entry.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def discard(entry: Path) -> None:
    """Removes an entry so that no reader ever sees half of it. Its lock is held."""
    temporary = temporary_of(entry)
    shutil.rmtree(temporary, ignore_errors=True)
    entry.replace(temporary)
    shutil.rmtree(temporary)


def temporary_of(entry: Path) -> Path:
    """Where an entry is built; only whoever holds the entry's lock may touch it."""
    return entry.with_name(f".{entry.name}.tmp")


def sweep(kind: Path) -> None:
    """Removes what killed processes left half-built: every temporary folder whose lock nobody holds."""
    for temporary in kind.glob(".*.tmp"):
        entry = temporary.with_name(temporary.name[1:].removesuffix(".tmp"))
        lock = FileLock(lock_of(entry))
        try:
            with lock.acquire(timeout=0):
                shutil.rmtree(temporary, ignore_errors=True)
        except Timeout:
            continue


def tag(root: Path) -> None:
    """Makes the cache's folder and marks it as one; a folder that holds something else is refused."""
    mark = root / TAG
    if mark.is_file():
        return
    root.mkdir(parents=True, exist_ok=True)
    if any(path.name != TAG for path in root.iterdir()) and not mark.is_file():
        raise CacheError(f"{root}: holds other things than seqtrain's cache; name another folder with ${PLACE}")
    mark.write_text(SIGNATURE + "# What seqtrain made from data; `seqtrain data clear-cache` empties it.\n")


@contextmanager
def refused_by_disk(root: Path, place: Path) -> Iterator[None]:
    """Turns what the disk refuses below a place into one line; other errors of a build pass."""
    try:
        yield
    except OSError as error:
        below = isinstance(error.filename, str | os.PathLike) and Path(error.filename).is_relative_to(root)
        if not (below or error.errno in FULL_OR_READ_ONLY or (type(error) is OSError and error.errno is None)):
            raise
        raise CacheError(
            f"{place}: the cache can't be written ({reason(error)}); make room or get leave there, "
            f"or name another folder with ${PLACE}"
        ) from error


def unchanged_sha256(path: Path, before: os.stat_result) -> str:
    """The sha256 of a file that is the same before and after it is read."""
    found = sha256_of(path)
    after = path.stat()
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise DataError(f"{path}: changed while it was read; try again once it is written")
    return found
