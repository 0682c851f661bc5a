import subprocess
import sys
from pathlib import Path

import pytest

from seqtrain import host_memory

GIGA = 1 << 30


@pytest.fixture
def fake(tmp_path):
    """A machine with 8 GiB left; makes its control groups."""
    proc, groups = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "self").mkdir(parents=True)
    (proc / "meminfo").write_text("MemTotal: 16000000 kB\nMemAvailable: 8388608 kB\nHugePages_Total: 0\n")
    (proc / "self" / "status").write_text("Name:\tpython\nVmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\n")
    (proc / "self" / "cgroup").write_text("")
    groups.mkdir()
    return proc, groups


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content)


def test_a_machine_without_control_groups_has_what_it_has(fake):
    assert host_memory.available(*fake) == 8 * GIGA


def test_a_control_group_leaves_its_limit_less_what_is_used_but_for_idle_cache(fake):
    proc, groups = fake
    (proc / "self" / "cgroup").write_text("0::/jobs/7\n")
    write(groups / "jobs" / "7", memory__max=f"{4 * GIGA}\n", memory__current=f"{3 * GIGA}\n")
    write(groups / "jobs" / "7", memory__stat=f"anon {2 * GIGA}\ninactive_file {GIGA}\n")
    assert host_memory.available(proc, groups) == 2 * GIGA


def test_a_group_above_may_leave_less(fake):
    proc, groups = fake
    (proc / "self" / "cgroup").write_text("0::/jobs/7\n")
    write(groups / "jobs" / "7", memory__max="max\n", memory__current="5\n", memory__stat="")
    write(groups / "jobs", memory__max=f"{3 * GIGA}\n", memory__current=f"{2 * GIGA}\n", memory__stat="")
    assert host_memory.available(proc, groups) == GIGA


@pytest.mark.parametrize("path", ["/docker/12ab", "/"])
def test_control_groups_of_the_first_version_in_a_container(fake, path):
    proc, groups = fake
    (proc / "self" / "cgroup").write_text(f"9:cpu,cpuacct:/x\n4:memory:{path}\n0::/\n")
    write(groups / "memory", memory__limit_in_bytes=f"{2 * GIGA}", memory__usage_in_bytes=f"{GIGA + GIGA // 2}")
    write(groups / "memory", memory__stat=f"cache 5\ntotal_inactive_file {GIGA // 4}\n")
    assert host_memory.available(proc, groups) == 3 * GIGA // 4


def test_more_used_than_allowed_leaves_nothing(fake):
    proc, groups = fake
    (proc / "self" / "cgroup").write_text("0::/\n")
    write(groups, memory__max="5", memory__current="9", memory__stat="")
    assert host_memory.available(proc, groups) == 0


def test_what_a_process_has_is_read_in_bytes(fake):
    proc, _ = fake
    assert host_memory.resident(proc) == 1 << 20
    assert host_memory.peak(proc) == 2 << 20
    host_memory.forget_peak(proc / "absent")


GROW = """
import numpy
from seqtrain import host_memory

host_memory.forget_peak()
before = host_memory.peak()
values = numpy.ones(64 << 20, dtype=numpy.uint8)
del values
assert host_memory.peak() - before > 50 << 20
assert host_memory.available() > 0
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells")
def test_the_peak_of_a_process_is_what_it_had_at_most():
    subprocess.run([sys.executable, "-c", GROW], check=True)  # this one may free what other tests left
