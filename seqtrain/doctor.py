"""What a run needs of this machine, and whether it is there: one finding for each thing that was looked at."""

import importlib.util
import os
import platform
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal

import torch
from packaging.requirements import Requirement

from seqtrain import host_memory
from seqtrain.data import DATASETS, cache_folder, cache_size, is_present
from seqtrain.device import cpu_multiplies_bf16
from seqtrain.distributed.launcher import cores
from seqtrain.errors import UserError
from seqtrain.plugins import plugins
from seqtrain.words import GROUPS, words

Status = Literal["ok", "warn", "fail"]

GIB = 2**30
LITTLE_MEMORY, LITTLE_DISK = 1 * GIB, 1 * GIB
"""Bytes free below which larger runs may come to grief."""


@dataclass(frozen=True)
class Finding:
    """What was found of one thing.

    Attributes:
        group: What kind of thing it is.
        name: Which.
        status: Whether it is as it should be, could be better, or keeps runs from working.
        detail: What was found, and what to do unless it is ok.
    """

    group: str
    name: str
    status: Status
    detail: str


def findings(data_dir: Path, tests: dict[str, Callable[[], str]]) -> Iterator[Finding]:
    """Looks at everything, one thing after the other.

    Args:
        data_dir: The folder that holds one folder per data set.
        tests: What to try in the end, by name; each returns what it did, or raises.
    """
    yield from versions(requires("seqtrain") or [])
    yield from extras(requires("seqtrain") or [])
    yield from extensions()
    yield from devices()
    yield from resources()
    yield from data(data_dir)
    for name, test in tests.items():
        yield tried(name, test)


def versions(wanted: list[str]) -> Iterator[Finding]:
    """Python, seqtrain, and what it can't do without, as its package says."""
    yield Finding("versions", "python", "ok", platform.python_version())
    yield Finding("versions", "seqtrain", "ok", version("seqtrain"))
    for line in wanted:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            there, told = met(requirement)
            remedy = f'; pip install "{requirement.name}{requirement.specifier}"'
            yield Finding("versions", requirement.name, "ok" if there else "fail", told if there else told + remedy)


def extras(wanted: list[str]) -> Iterator[Finding]:
    """What users may add, or the command that adds it; one that is there only in part is worth a warning."""
    parts: dict[str, list[tuple[bool, str]]] = {}
    for requirement in map(Requirement, wanted):
        if found := re.search(r"extra == ['\"]([\w-]+)['\"]", str(requirement.marker or "")):
            there, told = met(requirement)
            parts.setdefault(found[1], []).append((there, f"{requirement.name} {told}"))
    for extra, found_parts in parts.items():
        if extra == "dev":  # of those who work on seqtrain itself
            continue
        remedy = f'pip install "seqtrain[{extra}]"'
        if all(there for there, _ in found_parts):
            yield Finding("extras", extra, "ok", ", ".join(told for _, told in found_parts))
        elif any(there for there, _ in found_parts):
            lacking = ", ".join(told for there, told in found_parts if not there)
            yield Finding("extras", extra, "warn", f"only in part: {lacking}; {remedy}")
        else:
            yield Finding("extras", extra, "ok", f"not installed, and needed only if asked for: {remedy}")


def met(requirement: Requirement) -> tuple[bool, str]:
    """Whether a package is installed as it should be, and its version or what is wrong."""
    try:
        found = version(requirement.name)
    except PackageNotFoundError:
        return False, "not installed"
    if requirement.specifier.contains(found, prereleases=True):
        return True, found
    return False, f"{found}, but {requirement.specifier} is needed"


def extensions() -> Iterator[Finding]:
    """The plugins that packages declare, and whether their words can be had."""
    for package in plugins():
        if importlib.util.find_spec(package) is None:
            yield Finding("plugins", package, "fail", "declared, but can't be imported; uninstall or reinstall it")
        else:
            yield Finding("plugins", package, "ok", "its classes may be named by _target_, and its words")
    try:
        for group in GROUPS:
            words(group)
    except UserError as error:
        yield Finding("plugins", "words", "fail", str(error))


def devices() -> Iterator[Finding]:
    """What runs can compute on; `device=auto` takes the first that isn't the CPU."""
    for index in range(torch.cuda.device_count()):
        try:
            free, total = torch.cuda.mem_get_info(index)
            precision = "bf16" if torch.cuda.is_bf16_supported() else "fp16, without bf16"
            told = f"{torch.cuda.get_device_name(index)}, {gib(free)} of {gib(total)} free, {precision}"
            yield Finding("devices", f"cuda:{index}", "ok", told)
        except RuntimeError as error:
            yield Finding("devices", f"cuda:{index}", "fail", f"doesn't answer: {first_line(error)}")
    if torch.version.cuda is not None and not torch.cuda.is_available() and Path("/dev/nvidia0").exists():
        told = f"a GPU is here, but torch (for CUDA {torch.version.cuda}) can't use it; see nvidia-smi for its driver"
        yield Finding("devices", "cuda", "warn", told)
    if torch.backends.mps.is_available():
        yield Finding("devices", "mps", "ok", "Apple's GPU, float32")
    fast = "multiplies in bf16, which wide models use" if cpu_multiplies_bf16() else "float32: bf16 would be slower"
    yield Finding("devices", "cpu", "ok", f"{platform.processor() or platform.machine()}, {cores()} cores, {fast}")


def resources() -> Iterator[Finding]:
    """Threads, memory, and room on the disk for runs."""
    threads, available = torch.get_num_threads(), cores()
    asked = f" (OMP_NUM_THREADS={os.environ['OMP_NUM_THREADS']})" if "OMP_NUM_THREADS" in os.environ else ""
    told = f"{threads} for {available} cores{asked}"
    if threads > available:
        yield Finding(
            "resources", "threads", "warn", f"{told}: they wait for one another; set OMP_NUM_THREADS={available}"
        )
    else:
        yield Finding("resources", "threads", "ok", told)
    try:
        free = host_memory.available()
        little = "; close what you don't need, or lower trainer.batch_size" if free < LITTLE_MEMORY else ""
        yield Finding("resources", "memory", "warn" if little else "ok", f"{gib(free)} free{little}")
    except OSError:
        yield Finding("resources", "memory", "ok", "this system doesn't tell how much is free")
    yield room("runs", Path("outputs") if Path("outputs").is_dir() else Path())


def data(data_dir: Path) -> Iterator[Finding]:
    """The real data sets that are here, and the cache of what is made from them."""
    here = [name for name in DATASETS if is_present(name, data_dir)]
    others = [name for name in DATASETS if name not in here]
    if broken := [name for name in others if (data_dir / name).is_dir() and any((data_dir / name).iterdir())]:
        remedy = f"seqtrain data fetch {' '.join(broken)} --data-dir {data_dir}"
        yield Finding("data", "incomplete", "warn", f"{', '.join(broken)} in {data_dir}; {remedy}")
    told = f"{len(here)} of {len(DATASETS)} in {data_dir}" + (f": {', '.join(here)}" if here else "")
    yield Finding("data", "data sets", "ok", told + ("; seqtrain data list tells of the others" if others else ""))
    folder = cache_folder()
    found = room("cache", folder)
    size = f"{gib(cache_size())} in {folder}, " if folder.is_dir() else f"empty so far, {folder}, "
    yield Finding("data", "cache", found.status, size + found.detail)


def room(name: str, folder: Path) -> Finding:
    """Whether a folder, or the one that it would be made in, can be written and has room."""
    place = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.is_dir())
    free = shutil.disk_usage(place).free
    told = f"{gib(free)} free on the disk"
    if not os.access(place, os.W_OK):
        remedy = "set SEQTRAIN_CACHE to a folder that can" if name == "cache" else "run seqtrain from one that can"
        return Finding("resources", name, "warn", f"{told}, but {place} can't be written; {remedy}")
    if free < LITTLE_DISK:
        return Finding("resources", name, "warn", f"{told} of {place}; make room")
    return Finding("resources", name, "ok", told)


def tried(name: str, test: Callable[[], str]) -> Finding:
    """What came of a test, whatever came of it."""
    try:
        return Finding("self-test", name, "ok", test())
    except Exception as error:  # that is what is to be found out
        reason = first_line(error) or type(error).__name__
        return Finding("self-test", name, "fail", f"{reason}; `seqtrain {name} --debug` tells where")


def gib(size: int) -> str:
    """Bytes in units that fit."""
    return f"{size / GIB:.1f} GiB" if size >= GIB / 10 else f"{size / 2**20:.1f} MiB"


def first_line(error: Exception) -> str:
    """What an error says first."""
    return next(iter(str(error).strip().splitlines()), "")
