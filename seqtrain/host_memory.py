"""How much memory this process takes, and how much it may still take without anything being swapped. Linux only.

Imports nothing of ours.
"""

from collections.abc import Iterator
from pathlib import Path

PROC, CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")


def resident(proc: Path = PROC) -> int:
    """Bytes of memory that this process has now."""
    return 1024 * _status(proc, "VmRSS")


def forget_peak(proc: Path = PROC) -> None:
    """Lets `peak` begin anew, where the system allows it; elsewhere it goes on from the process's start."""
    try:
        (proc / "self" / "clear_refs").write_text("5")
    except OSError:
        return


def peak(proc: Path = PROC) -> int:
    """The most bytes that this process had since `forget_peak`."""
    return 1024 * _status(proc, "VmHWM")


def available(proc: Path = PROC, cgroups: Path = CGROUPS) -> int:
    """Bytes that this process may still take: as the machine has them, and as its control groups allow.

    Raises:
        OSError: If this system doesn't tell.
    """
    machine = 1024 * _fields(proc / "meminfo")["MemAvailable"]
    return max(min([machine, *_headrooms(proc, cgroups)]), 0)


def _headrooms(proc: Path, cgroups: Path) -> Iterator[int]:
    """What each control group that holds this process leaves it."""
    for line in (proc / "self" / "cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            root, limit, usage, idle = cgroups, "memory.max", "memory.current", "inactive_file"
        elif "memory" in controllers.split(","):
            root, limit, usage = cgroups / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
            idle = "total_inactive_file"
        else:
            continue
        # In a container the path may be the host's; then only the root is there, and is the container's own.
        folder = root / path.lstrip("/")
        for each in [folder, *folder.parents]:
            if (each / limit).is_file() and (each / limit).read_text().strip() != "max":
                cache = _fields(each / "memory.stat").get(idle, 0)  # given back when others need it
                yield int((each / limit).read_text()) - int((each / usage).read_text()) + cache
            if each == root:
                break


def _status(proc: Path, name: str) -> int:
    return _fields(proc / "self" / "status")[name]


def _fields(path: Path) -> dict[str, int]:
    """The numbers of a file of lines like `Name: 12 kB` or `name 12`."""
    found = {}
    for line in path.read_text().splitlines():
        name, *rest = line.replace(":", " ").split()
        if rest and rest[0].isdecimal():
            found[name] = int(rest[0])
    return found
