import errno
import os
import subprocess
import sys
import threading
from dataclasses import replace

import pytest

from seqtrain.data import DATASETS, Connection, RemoteFile, is_present, obtain, verify
from seqtrain.data import fetch as fetching
from seqtrain.errors import DataError
from tests.data.answers import CONTENT, TO_LOCALHOST, refuse, serve, serve_in_chunks

pytestmark = pytest.mark.usefixtures("toy")

HALF = len(CONTENT) // 2
BUSY = refuse(503)


def files_in(folder) -> set[str]:
    """What lies there, but for locks."""
    return {path.name for path in folder.iterdir() if not path.name.endswith(".lock")}


def failure(data_dir, connection=TO_LOCALHOST) -> str:
    """What asking for the toy says; it must fail, in one line."""
    with pytest.raises(DataError) as caught:
        obtain("toy", data_dir, connection)
    assert "\n" not in str(caught.value)
    return str(caught.value)


GOOD = {
    "well": ([serve()], [None]),
    "broken off, then by range": ([serve(sent=HALF), serve()], [None, f"bytes={HALF}-"]),
    "broken off, ranges ignored": ([serve(sent=HALF), serve(ranges=False)], [None, f"bytes={HALF}-"]),
    "broken off twice": ([serve(sent=HALF), serve(sent=10), serve()], [None, f"bytes={HALF}-", f"bytes={HALF + 10}-"]),
    "declared too long": ([serve(declared=len(CONTENT) + 7)], [None]),
    "busy, then well": ([BUSY, refuse(429), serve()], [None, None, None]),
    "in chunks": ([serve_in_chunks(CONTENT)], [None]),
    "broken chunk": ([serve_in_chunks(CONTENT, whole=False), serve()], None),
    "redirected": ([refuse(302, Location="/elsewhere"), serve()], [None, None]),
    "busy as often as is borne": ([BUSY, BUSY, BUSY, serve(sent=5), BUSY, BUSY, BUSY, serve()], None),
}


@pytest.mark.parametrize("case", list(GOOD))
def test_a_missing_file_is_downloaded(case, server, tmp_path):
    server.answers, ranges = GOOD[case][0].copy(), GOOD[case][1]
    assert not is_present("toy", tmp_path)
    folder = obtain("toy", tmp_path, TO_LOCALHOST)
    assert (folder / "toy.bin").read_bytes() == CONTENT
    assert files_in(folder) == {"toy.bin"}
    assert is_present("toy", tmp_path)
    if ranges is not None:
        assert server.ranges == ranges


BAD = {
    "wrong bytes": ([serve(CONTENT[::-1])], "expected sha256 "),
    "too short": ([serve(CONTENT[:-1])], f"expected {len(CONTENT):,} bytes, {len(CONTENT) - 1:,} came"),
    "too short in chunks": ([serve_in_chunks(CONTENT[:9])], f"expected {len(CONTENT):,} bytes, 9 came"),
    "too long": ([serve(b"x" + CONTENT)], "expected sha256 "),
    "declared too short": ([serve(declared=HALF)], f"expected {len(CONTENT):,} bytes, {HALF:,} came"),
    "not there": ([refuse(404)], "the server answers 404 Not Found"),
    "busy for long": ([BUSY], "the server answers 503 Service Unavailable"),
    "broken for good": ([serve(sent=HALF), serve(sent=0)], f"the connection broke after {HALF:,} bytes"),
    "redirected out": ([refuse(302, Location="ftp://127.0.0.1/toy.bin")], "ftp://127.0.0.1/toy.bin is not http"),
}


@pytest.mark.parametrize("case", list(BAD))
def test_a_file_that_does_not_come_is_one_line(case, server, toy, tmp_path):
    server.answers, expected = BAD[case][0].copy(), BAD[case][1]
    said = failure(tmp_path)
    assert expected in said
    assert toy.urls[0] in said
    assert str(tmp_path / "toy" / "toy.bin") in said
    # What has come is kept only where it can be gone on with.
    assert files_in(tmp_path / "toy") == ({"toy.bin.part"} if case == "broken for good" else set())


def test_as_many_tries_are_made_as_are_allowed(server, tmp_path):
    server.answers = [BUSY]
    failure(tmp_path)
    assert len(server.ranges) == TO_LOCALHOST.tries
    failure(tmp_path, replace(TO_LOCALHOST, tries=1))
    assert len(server.ranges) == TO_LOCALHOST.tries + 1


def part_of_toy(tmp_path, content: bytes) -> None:
    """What a killed process left."""
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "toy.bin.part").write_bytes(content)


def test_what_a_killed_process_left_is_gone_on_with(server, tmp_path):
    part_of_toy(tmp_path, CONTENT[:1000])
    server.answers = [serve()]
    assert (obtain("toy", tmp_path, TO_LOCALHOST) / "toy.bin").read_bytes() == CONTENT
    assert server.ranges == ["bytes=1000-"]


def test_a_part_that_is_whole_needs_no_server(server, tmp_path):
    part_of_toy(tmp_path, CONTENT)
    assert (obtain("toy", tmp_path, TO_LOCALHOST) / "toy.bin").read_bytes() == CONTENT
    assert server.ranges == []


@pytest.mark.parametrize("left", [b"\0" * 1000, CONTENT[::-1], CONTENT + b"more"], ids=["zeros", "wrong", "longer"])
def test_a_spoilt_part_is_begun_anew(left, server, tmp_path):
    part_of_toy(tmp_path, left)
    server.answers = [serve()]
    assert (obtain("toy", tmp_path, TO_LOCALHOST) / "toy.bin").read_bytes() == CONTENT
    assert server.ranges[-1] is None


def test_a_range_the_server_does_not_have_is_begun_anew(server, tmp_path):
    part_of_toy(tmp_path, CONTENT[:1000])
    server.answers = [refuse(416), serve()]
    assert (obtain("toy", tmp_path, TO_LOCALHOST) / "toy.bin").read_bytes() == CONTENT
    assert server.ranges == ["bytes=1000-", None]


def test_another_range_than_was_asked_for_is_begun_anew(server, tmp_path):
    part_of_toy(tmp_path, CONTENT[:1000])
    server.answers = [refuse(206, **{"Content-Range": "bytes 5-9/10"}), serve()]
    assert (obtain("toy", tmp_path, TO_LOCALHOST) / "toy.bin").read_bytes() == CONTENT
    assert server.ranges == ["bytes=1000-", None]


def test_another_url_is_tried_where_one_fails(server, toy, tmp_path, monkeypatch):
    file = replace(toy, urls=(f"{server.url}/gone", *toy.urls))
    monkeypatch.setitem(DATASETS, "toy", replace(DATASETS["toy"], files=(file,)))
    server.answers = [refuse(404), serve()]
    assert (obtain("toy", tmp_path, TO_LOCALHOST) / "toy.bin").read_bytes() == CONTENT
    server.answers = [refuse(404)]
    said = failure(tmp_path / "again")
    assert f"{server.url}/gone: the server answers 404" in said
    assert f"{toy.urls[0]}: the server answers 404" in said


def test_only_https_is_spoken(server, tmp_path):
    assert "is not https" in failure(tmp_path, Connection())
    assert server.ranges == []


def test_files_that_are_there_need_no_server_and_no_lock(server, tmp_path):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "toy.bin").write_bytes(CONTENT)
    assert obtain("toy", tmp_path) == tmp_path / "toy"
    assert [path.name for path in (tmp_path / "toy").iterdir()] == ["toy.bin"]
    assert server.ranges == []


def test_a_file_of_the_wrong_size_is_named_and_not_touched(tmp_path):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "toy.bin").write_bytes(b"mine")
    said = failure(tmp_path)
    assert said.startswith(f"{tmp_path / 'toy' / 'toy.bin'}: 4 bytes, but in toy it has {len(CONTENT):,}; delete it")
    assert "seqtrain data fetch toy" in said
    assert not is_present("toy", tmp_path)
    assert (tmp_path / "toy" / "toy.bin").read_bytes() == b"mine"


def test_verify_reads_the_content(tmp_path):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "toy.bin").write_bytes(CONTENT)
    verify("toy", tmp_path)
    (tmp_path / "toy" / "toy.bin").write_bytes(CONTENT[::-1])
    assert is_present("toy", tmp_path)
    with pytest.raises(DataError, match="its content is not that of toy"):
        verify("toy", tmp_path)


# -------------------------------------------------------------------- without a connection


def two_files(toy, monkeypatch) -> tuple[RemoteFile, RemoteFile]:
    """Makes the toy a set of two files."""
    other = replace(toy, name="other.bin", urls=(toy.urls[0].replace("toy.bin", "other.bin"),))
    monkeypatch.setitem(DATASETS, "toy", replace(DATASETS["toy"], files=(toy, other)))
    return toy, other


def assert_tells_what_to_do(said, files, data_dir):
    for file in files:
        assert f"{data_dir / 'toy' / file.name} (from {file.urls[0]})" in said
    assert f"`seqtrain data fetch toy --data-dir {data_dir}`" in said
    assert "$SEQTRAIN_DATA" in said


def test_offline_by_wish_names_each_file_its_url_and_its_place(server, toy, tmp_path, monkeypatch):
    files = two_files(toy, monkeypatch)
    monkeypatch.setenv("SEQTRAIN_OFFLINE", "1")
    said = failure(tmp_path)
    assert_tells_what_to_do(said, files, tmp_path)
    assert "SEQTRAIN_OFFLINE is set" in said
    assert server.ranges == []
    assert list(tmp_path.iterdir()) == []


def test_offline_by_nature_says_the_same(toy, tmp_path, monkeypatch):
    # Nobody listens on port 1, which only the system's administrator could open.
    nowhere = replace(toy, urls=("http://127.0.0.1:1/toy.bin",))
    monkeypatch.setenv("SEQTRAIN_OFFLINE", "0")
    files = two_files(nowhere, monkeypatch)
    said = failure(tmp_path)
    assert_tells_what_to_do(said, files, tmp_path)
    assert "no connection to 127.0.0.1 (" in said


def test_only_what_is_missing_is_named_and_fetched(server, toy, tmp_path, monkeypatch):
    two_files(toy, monkeypatch)
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "toy.bin").write_bytes(CONTENT)
    monkeypatch.setenv("SEQTRAIN_OFFLINE", "1")
    assert "toy.bin (" not in failure(tmp_path)
    monkeypatch.setenv("SEQTRAIN_OFFLINE", "")
    server.answers = [serve()]
    obtain("toy", tmp_path, TO_LOCALHOST)
    assert len(server.ranges) == 1


# -------------------------------------------------------------------- a disk that refuses


def test_a_full_disk_is_one_line(server, tmp_path):
    if not os.path.exists("/dev/full"):  # noqa: PTH110 - a device, not a file of ours
        pytest.skip("no /dev/full here")
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "toy.bin.part").symlink_to("/dev/full")
    server.answers = [serve()]
    said = failure(tmp_path)
    assert f"{tmp_path / 'toy' / 'toy.bin'}: can't be written (No space left on device)" in said
    assert "data_dir=... or $SEQTRAIN_DATA" in said


def test_a_read_only_folder_is_one_line(tmp_path, monkeypatch):
    def refused(path, _):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(fetching, "locked", refused)
    assert "toy.bin: can't be written (Read-only file system); make room or get leave there" in failure(tmp_path)


def test_a_file_in_the_place_of_the_folder_is_one_line(tmp_path):
    (tmp_path / "toy").write_text("")
    assert "toy.bin: can't be written (File exists)" in failure(tmp_path)


def test_a_file_that_cannot_be_read_is_one_line(tmp_path, monkeypatch):
    def refused(_, path):
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "toy.bin").write_bytes(CONTENT)
    monkeypatch.setattr(RemoteFile, "sha256_of", refused)
    with pytest.raises(DataError, match=r"toy\.bin: can't be read \(Input/output error\)"):
        verify("toy", tmp_path)


# -------------------------------------------------------------------- several at once


def test_threads_that_ask_at_once_download_once(server, tmp_path):
    server.answers = [serve()]
    barrier, folders = threading.Barrier(4), []

    def ask():
        barrier.wait()
        folders.append(obtain("toy", tmp_path, TO_LOCALHOST))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert folders == [tmp_path / "toy"] * 4
    assert server.ranges == [None]


ASK = """
import sys
from pathlib import Path
from seqtrain.data import DATASETS, Connection, DataSet, RemoteFile, obtain
url, size, sha256, data_dir = sys.argv[1:]
DATASETS["toy"] = DataSet("toy", "", "", (RemoteFile("toy.bin", int(size), sha256, (url,)),))
print(len((obtain("toy", Path(data_dir), Connection(("http",))) / "toy.bin").read_bytes()))
"""


def test_processes_that_ask_at_once_download_once(server, toy, tmp_path):
    server.answers = [serve()]
    command = [sys.executable, "-c", ASK, toy.urls[0], str(toy.size_bytes), toy.sha256, str(tmp_path)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[0] for process in running] == [f"{len(CONTENT)}\n"] * 2
    assert server.ranges == [None]


# -------------------------------------------------------------------- what is shown


def test_off_a_terminal_each_file_and_each_new_try_is_a_line(server, tmp_path, capfd):
    server.answers = [BUSY, serve()]
    obtain("toy", tmp_path, TO_LOCALHOST)
    out, error = capfd.readouterr()
    assert out == ""
    assert error.splitlines() == [
        "downloading toy/toy.bin (256.0 kB) from 127.0.0.1",
        "the server answers 503 Service Unavailable; trying again in 0 s",
    ]


def test_on_a_terminal_there_is_a_bar(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then takes anything for a terminal
    monkeypatch.setenv("COLUMNS", "120")
    server.answers = [serve()]
    obtain("toy", tmp_path, TO_LOCALHOST)
    error = capsys.readouterr().err
    assert "toy/toy.bin" in error
    assert "256.0/256.0 kB" in error
