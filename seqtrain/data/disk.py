"""Files that are whole or not there, one writer at a time."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


def sync(path: Path) -> None:
    """Waits until a file's content, or a folder's list of names, is on the disk."""
    if os.name == "nt" and path.is_dir():
        return  # Windows knows no such thing for folders
    descriptor = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Holds the lock of a path: a hidden file beside it, which stays, since to remove it would break the lock.

    Args:
        path: What the lock is for; its folder exists.
        waiting: Called once if another process or thread holds the lock.
    """
    lock = FileLock(lock_of(path))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        waiting()
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def lock_of(path: Path) -> Path:
    """The lock file of a path."""
    return path.with_name(f".{path.name}.lock")


def reason(error: OSError) -> str:
    """What the system says went wrong, in its few words."""
    return error.strerror or str(error) or type(error).__name__
