"""The one data set that is packed here: from a zip made on demand, by members alone."""

import io
import zipfile
from dataclasses import replace

import pytest

from seqtrain.data import DATASETS, DataSet, RemoteFile, is_present, obtain, verify
from seqtrain.data.packing import BadArchiveError, Packing
from seqtrain.errors import DataError
from tests.data.answers import TO_LOCALHOST, serve, serve_in_chunks

WAVES = {f"recordings/{digit}_ann_0.wav": bytes([digit]) * 100 for digit in (2, 0, 1)}
pytestmark = pytest.mark.usefixtures("waves")

PACKING = Packing("recordings", ".wav", count=3, limit_bytes=10_000)


def zipped(members: dict[str, bytes], top: str = "repository-1a2b/", **options) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        archive.writestr(f"{top}README.md", "of no use")
        for name, content in members.items():
            archive.writestr(top + name, content)
    return buffer.getvalue()


@pytest.fixture
def waves(server, monkeypatch, tmp_path):
    """A set that is packed from the server's zip."""
    (tmp_path / "hand.zip").write_bytes(zipped(WAVES, top=""))
    sha256 = PACKING.sha256(tmp_path / "hand.zip")
    file = RemoteFile("waves.zip", 300, sha256, (f"{server.url}/archive.zip",), PACKING)
    monkeypatch.setitem(DATASETS, "waves", DataSet("waves", "Waves", "none", (file,)))
    return file


@pytest.mark.parametrize("level", [1, 9])
@pytest.mark.parametrize("answer", [serve, serve_in_chunks])
def test_the_packed_zip_holds_the_members_and_is_the_same_whatever_came(answer, level, server, tmp_path):
    server.answers = [answer(zipped(WAVES, compresslevel=level))]
    packed = obtain("waves", tmp_path, TO_LOCALHOST) / "waves.zip"
    with zipfile.ZipFile(packed) as archive:
        assert archive.namelist() == sorted(WAVES)
        assert {name: archive.read(name) for name in WAVES} == WAVES
    server.answers = [answer(zipped(dict(reversed(WAVES.items())), top="another/"))]
    again = obtain("waves", tmp_path / "again", TO_LOCALHOST) / "waves.zip"
    assert again.read_bytes() == packed.read_bytes()
    assert {path.name for path in packed.parent.iterdir()} <= {"waves.zip", ".waves.zip.lock"}
    verify("waves", tmp_path)


def test_a_zip_packed_by_hand_will_do(tmp_path):
    (tmp_path / "waves").mkdir()
    (tmp_path / "hand.zip").rename(tmp_path / "waves" / "waves.zip")
    assert is_present("waves", tmp_path)
    verify("waves", tmp_path)


def test_a_zip_made_on_demand_is_never_resumed(server, tmp_path):
    content = zipped(WAVES)
    server.answers = [serve(content, sent=50), serve(content)]
    obtain("waves", tmp_path, TO_LOCALHOST)
    assert server.ranges == [None, None]


OTHER = {**WAVES, "recordings/1_ann_0.wav": b"\7" * 100}
BAD = {
    "other bytes": (zipped(OTHER), "expected sha256 "),
    "another name": (zipped({name.replace("2_", "3_"): wave for name, wave in WAVES.items()}), "expected sha256 "),
    "one less": (zipped(dict(list(WAVES.items())[1:])), "expected 3 files recordings/*.wav of 300 bytes, 2 of 200"),
    "one more": (zipped({**WAVES, "recordings/more.wav": b""}), "4 of 300 bytes came"),
    "a bomb": (zipped({**WAVES, "recordings/2_ann_0.wav": bytes(10**6)}), "3 of 1,000,200 bytes came"),
    "too long": (zipped({**WAVES, "noise.bin": bytes(10**8)}), "expected at most 10,000 bytes, more came"),
    "no zip": (b"<html>not today</html>", "no zip that can be read came"),
    "cut off": (zipped(WAVES)[:200], "no zip that can be read came"),
}


@pytest.mark.parametrize("case", list(BAD))
def test_another_zip_is_refused_and_leaves_nothing(case, server, tmp_path):
    content, expected = BAD[case]
    server.answers = [serve(content)]
    with pytest.raises(DataError) as caught:
        obtain("waves", tmp_path, TO_LOCALHOST)
    assert expected in str(caught.value)
    assert {path.name for path in (tmp_path / "waves").iterdir()} <= {".waves.zip.lock"}


def test_a_directory_that_lies_about_a_size_is_refused(server, tmp_path):
    lying = bytearray(zipped({**WAVES, "recordings/2_ann_0.wav": bytes(5_000)}))
    directory = lying.index(b"PK\1\2")
    entry = lying.rindex(b"PK\1\2", 0, lying.index(b"recordings/2", directory))
    lying[entry + 24 : entry + 28] = (100).to_bytes(4, "little")  # the size when unpacked
    server.answers = [serve(bytes(lying))]
    with pytest.raises(DataError, match="no zip that can be read came"):
        obtain("waves", tmp_path, TO_LOCALHOST)


def test_names_that_climb_out_are_no_members(tmp_path):
    climbing = {"../recordings/../evil.wav": b"x", "a/b/recordings/deep.wav": b"x", "recordings/in/deeper.wav": b"x"}
    (tmp_path / "evil.zip").write_bytes(zipped(climbing, top=""))
    assert PACKING.size(tmp_path / "evil.zip") == 0


def test_without_a_connection_the_members_are_named(waves, tmp_path, monkeypatch):
    monkeypatch.setenv("SEQTRAIN_OFFLINE", "1")
    with pytest.raises(DataError) as caught:
        obtain("waves", tmp_path)
    assert f"(from {waves.urls[0]}, of which recordings/*.wav in one zip)" in str(caught.value)


def test_a_file_that_is_no_zip_is_named(tmp_path):
    (tmp_path / "waves").mkdir()
    (tmp_path / "waves" / "waves.zip").write_text("no zip")
    with pytest.raises(DataError, match=r"waves\.zip: 0 bytes of recordings/\*\.wav, but in waves it has 300"):
        obtain("waves", tmp_path)


@pytest.mark.real
def test_the_real_recordings_pack_to_the_same_content(data_dir, tmp_path):
    (file,) = DATASETS["fsdd"].files
    real = data_dir / "fsdd" / file.name
    file.packing.repack(real, tmp_path / "new.zip", file.size_bytes)
    assert file.sha256_of(tmp_path / "new.zip") == file.sha256
    assert replace(file.packing, suffix=".mp3").size(real) == 0


def test_a_zip_that_places_a_member_before_its_beginning_is_refused(tmp_path):
    (tmp_path / "shifted.zip").write_bytes(zipped(WAVES)[150:])
    assert PACKING.sha256(tmp_path / "shifted.zip") == ""
    with pytest.raises(BadArchiveError, match="no zip that can be read came"):
        PACKING.repack(tmp_path / "shifted.zip", tmp_path / "packed.zip", 300)
