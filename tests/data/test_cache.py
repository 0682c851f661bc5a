import errno
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from seqtrain.data import cache, cache_folder, cache_size, cached, clear_cache, fingerprint
from seqtrain.data.disk import locked
from seqtrain.errors import DataError

pytestmark = pytest.mark.usefixtures("root")


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("SEQTRAIN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "seqtrain"


class Builder:
    """Writes a file, and counts how often."""

    def __init__(self, text="built"):
        self.text, self.calls = text, 0

    def __call__(self, folder):
        self.calls += 1
        (folder / "deep").mkdir()
        (folder / "deep" / "text").write_text(self.text)


def test_a_folder_is_built_once(root):
    build = Builder()
    first, again = (cached("features", {"rate": 8000, "file": "ab"}, build) for _ in range(2))
    assert first == again
    assert first.parent == root / "features"
    assert (first / "deep" / "text").read_text() == "built"
    assert build.calls == 1
    assert [path for path in first.parent.iterdir() if path.name.endswith(".tmp")] == []


KEYS = ({}, {"a": 1}, {"a": "1"}, {"a": 1.5}, {"a": None}, {"b": 1}, {"a": [1, {"c": 2}]}, {"a": [1, {"c": 3}]})


def test_another_key_or_kind_builds_anew():
    build = Builder()
    folders = {cached(kind, key, build) for kind in ("features", "frames") for key in KEYS}
    assert len(folders) == build.calls == 2 * len(KEYS)


def test_the_order_of_a_key_does_not_matter():
    assert cached("features", {"a": 1, "b": 2}, Builder()) == cached("features", {"b": 2, "a": 1}, Builder())


def test_a_newer_layout_builds_anew(monkeypatch):
    first = cached("features", {}, Builder())
    monkeypatch.setattr(cache, "FORMAT", cache.FORMAT + 1)
    assert cached("features", {}, Builder()) != first


@pytest.mark.parametrize("value", [Path("x"), float("nan"), {1, 2}])
def test_a_key_that_has_no_one_form_is_a_fault_of_ours(value):
    with pytest.raises((TypeError, ValueError)):
        cached("features", {"a": value}, Builder())


def test_another_folder_may_be_named(root, tmp_path):
    assert cached("features", {}, Builder(), tmp_path / "mine").parent == tmp_path / "mine" / "features"
    assert not root.exists()


def test_a_build_that_fails_leaves_nothing_and_raises_its_own(root):
    def fail(folder):
        (folder / "half").write_text("half")
        raise DataError("no such sound")

    with pytest.raises(DataError, match="no such sound"):
        cached("features", {}, fail)
    assert [path for path in (root / "features").iterdir() if path.is_dir()] == []
    assert (cached("features", {}, Builder()) / "deep" / "text").exists()


def test_an_error_of_the_source_is_not_taken_for_one_of_the_cache(tmp_path):
    with pytest.raises(FileNotFoundError):
        cached("features", {}, lambda _: (tmp_path / "gone").read_text())


# -------------------------------------------------------------------- killed, and several at once

KILLED = """
import os, sys
from pathlib import Path
from seqtrain.data import cached

def build(folder):
    (folder / "half").write_text("half")
    os._exit(9)

cached("features", {"a": int(sys.argv[1])}, build)
"""


def test_what_a_killed_process_left_is_never_read_and_is_swept(root):
    for number in (1, 2):
        assert subprocess.run([sys.executable, "-c", KILLED, str(number)], check=False).returncode == 9
    assert len(list((root / "features").glob(".*.tmp"))) == 2
    folder = cached("features", {"a": 1}, Builder())
    assert {path.name for path in folder.iterdir()} == {"deep"}
    assert list((root / "features").glob(".*.tmp")) == []  # the other's too


def test_what_another_is_building_is_not_swept(root):
    building = root / "features" / ".other.tmp"
    cached("features", {"a": 1}, Builder())
    building.mkdir()
    with locked(root / "features" / "other"):
        cached("features", {"a": 2}, Builder())
        assert building.is_dir()
    cached("features", {"a": 3}, Builder())
    assert not building.exists()


BUILT = """
import json, os, sys
from pathlib import Path
from seqtrain.data import cached

built = []
def build(folder):
    built.append(os.getpid())
    (folder / "who").write_text(str(os.getpid()))

folder = cached("features", {"a": 1}, build)
print(json.dumps([len(built), (folder / "who").read_text()]))
"""


def test_of_several_processes_one_builds():
    running = [subprocess.Popen([sys.executable, "-c", BUILT], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    told = [json.loads(process.communicate()[0]) for process in running]
    assert sum(calls for calls, _ in told) == 1
    assert len({who for _, who in told}) == 1


def test_who_comes_second_waits_and_says_so(tmp_path):
    waiting, order = threading.Event(), []

    def second():
        with locked(tmp_path / "file", waiting.set):
            order.append("second")

    thread = threading.Thread(target=second)
    with locked(tmp_path / "file"):
        thread.start()
        assert waiting.wait(timeout=30)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


# -------------------------------------------------------------------- a disk that refuses


def assert_tells_what_to_do(caught, why):
    said = str(caught.value)
    assert "\n" not in said
    assert f"the cache can't be written ({why}); make room or get leave there" in said
    assert said.endswith("or name another folder with $SEQTRAIN_CACHE")


def test_a_place_that_cannot_be_written_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SEQTRAIN_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError) as caught:
        cached("features", {}, Builder())
    assert_tells_what_to_do(caught, "Not a directory")


def test_a_read_only_cache_is_read_but_not_written(root):
    kept = cached("features", {"a": 1}, Builder())
    (root / "features").chmod(0o500)
    if os.access(root / "features", os.W_OK):
        pytest.skip("the superuser may write anywhere")
    try:
        assert cached("features", {"a": 1}, Builder()) == kept
        with pytest.raises(DataError) as caught:
            cached("features", {"a": 2}, Builder())
        assert_tells_what_to_do(caught, "Permission denied")
    finally:
        (root / "features").chmod(0o700)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_refuses_while_building_is_one_line(number, root):
    def fill(_):
        raise OSError(number, os.strerror(number))

    with pytest.raises(DataError) as caught:
        cached("features", {}, fill)
    assert_tells_what_to_do(caught, os.strerror(number))
    assert [path for path in (root / "features").iterdir() if path.is_dir()] == []


def test_a_folder_of_something_else_is_neither_written_nor_cleared(root):
    root.mkdir(parents=True)
    (root / "thesis.tex").write_text("")
    for ask in (lambda: cached("features", {}, Builder()), clear_cache):
        with pytest.raises(DataError, match="holds other things than seqtrain's cache"):
            ask()
    assert [path.name for path in root.iterdir()] == ["thesis.tex"]


# -------------------------------------------------------------------- where, how large


def test_the_place_is_the_systems(monkeypatch, tmp_path):
    monkeypatch.delenv("SEQTRAIN_CACHE")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "seqtrain"
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    assert cache_folder() == Path.home() / ".cache" / "seqtrain"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_folder() == Path.home() / "Library" / "Caches" / "seqtrain"


def test_the_cache_is_measured_and_cleared(root):
    assert cache_size() == clear_cache() == 0
    folder = cached("features", {}, Builder("x" * 5000))
    size = cache_size()
    assert 5000 <= size < 6000
    (root / "features" / ".half.tmp").mkdir()
    assert clear_cache() == 5000
    assert not folder.exists()
    assert [path for path in (root / "features").iterdir() if path.is_dir()] == []
    assert (root / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55")
    build = Builder()
    cached("features", {}, build)
    assert build.calls == 1


# -------------------------------------------------------------------- fingerprints


@pytest.fixture
def settled(tmp_path, monkeypatch):
    """A file that counts as large and was written long ago, and the list of times it was hashed."""
    hashed = []
    count = cache.sha256_of
    monkeypatch.setattr(cache, "sha256_of", lambda path: hashed.append(path) or count(path))
    monkeypatch.setattr(cache, "REMEMBERED_FROM_BYTES", 1)
    path = tmp_path / "large.bin"
    path.write_bytes(b"abc")
    os.utime(path, (1_000_000_000, 1_000_000_000))
    return path, hashed


ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_large_file_is_hashed_once(settled):
    path, hashed = settled
    assert fingerprint(path) == fingerprint(path) == ABC
    assert len(hashed) == 1


def test_a_changed_file_is_hashed_again(settled):
    path, hashed = settled
    fingerprint(path)
    path.write_bytes(b"abd")
    os.utime(path, (1_000_000_001, 1_000_000_001))
    assert fingerprint(path) != ABC
    path.write_bytes(b"abcd")
    os.utime(path, (1_000_000_000, 1_000_000_000))
    assert fingerprint(path) != ABC
    assert len(hashed) == 3


def test_a_file_that_is_young_or_small_is_not_remembered(root, settled, monkeypatch):
    path, _ = settled
    path.touch()
    assert fingerprint(path) == ABC
    os.utime(path, (1_000_000_000, 1_000_000_000))
    monkeypatch.setattr(cache, "REMEMBERED_FROM_BYTES", 4)
    assert fingerprint(path) == ABC
    assert not root.exists()


def test_without_a_cache_a_file_is_hashed_all_the_same(settled, monkeypatch):
    monkeypatch.setenv("SEQTRAIN_CACHE", str(settled[0]))
    assert fingerprint(settled[0]) == ABC


def test_a_file_that_changes_meanwhile_is_refused(settled, monkeypatch):
    path, _ = settled
    monkeypatch.setattr(cache, "sha256_of", lambda path: str(path.write_bytes(b"more than it was")))
    with pytest.raises(DataError, match=r"large\.bin: changed while it was read"):
        fingerprint(path)


def test_a_file_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(DataError, match=r"gone: can't be read \(No such file or directory\)"):
        fingerprint(tmp_path / "gone")
