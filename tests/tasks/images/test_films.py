import io
import re
import zipfile

import numpy as np
import pytest
import torch

from seqtrain.errors import ConfigError, DataError
from seqtrain.tasks import Split
from seqtrain.tasks.images.films import Films, OwnFilms


def pixels(*shape, dtype=np.uint8):
    levels = np.random.default_rng(0).integers(256, size=shape)
    return levels.astype(dtype) if dtype == np.uint8 else (levels / 255).astype(dtype)


@pytest.fixture
def save(tmp_path):
    def saved(array, name="films.npy"):
        path = tmp_path / name
        np.save(path, array)
        return path

    return saved


def read(path, rows=None, seed=None, patch=1, **options):
    array = OwnFilms(path, **options).open(5, patch)
    rows = np.arange(len(array)) if rows is None else rows
    return Films(array, rows, frames_in=3, frames_out=2, patch=patch, seed=seed)


def test_films_are_read_as_they_lie_and_cut_where_prediction_begins(save):
    array = pixels(9, 5, 12, 16)
    films = read(save(array), rows=np.array([2, 4, 7]))
    batch = films.batch(np.array([2, 0]), 0)
    assert len(films) == 3
    assert batch.inputs.dtype == torch.uint8
    assert (batch.inputs[:, :, 0].numpy() == array[[7, 2], :3]).all()
    assert (batch.targets[:, :, 0].numpy() == array[[7, 2], 3:]).all()
    assert batch.lengths.tolist() == [3, 3]
    assert batch.indices.tolist() == [2, 0]


def test_a_file_is_not_read_into_memory(save):
    assert isinstance(OwnFilms(save(pixels(9, 5, 12, 12))).open(5, 1), np.memmap)


def test_frames_may_come_first_as_in_the_published_file(save):
    array = pixels(5, 9, 12, 12)
    expected = array.swapaxes(0, 1)[:, :3]
    for options in ({}, {"layout": "frames_first"}):
        assert (read(save(array), **options).batch(np.arange(9), 0).inputs[:, :, 0].numpy() == expected).all()
    few = pixels(6, 9, 12, 12)
    assert len(read(save(few), layout="films_first")) == 6
    assert len(read(save(few))) == 9


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_numbers_become_single_precision(save, dtype):
    array = pixels(4, 5, 12, 12, dtype=dtype)
    batch = read(save(array), layout="films_first").batch(np.arange(4), 0)
    assert batch.inputs.dtype == torch.float32
    assert np.allclose(batch.inputs[:, :, 0].numpy(), array[:, :3], atol=1e-6)


@pytest.mark.parametrize("value", [1.5, -0.1, np.nan])
def test_a_number_outside_0_to_1_is_refused_when_it_is_read(save, value):
    array = pixels(9, 5, 12, 12, dtype=np.float32)
    array[6, 2, 0, 0] = value
    films = read(save(array), rows=np.array([5, 6, 7]))
    films.batch(np.array([0, 2]), 0)
    with pytest.raises(DataError, match=r"film 6, counted from 0, has a pixel that is not a number in 0 to 1"):
        films.batch(np.array([0, 1]), 0)


def test_an_archive_of_one_array_is_read(tmp_path):
    path, array = tmp_path / "films.npz", pixels(9, 5, 12, 12)
    np.savez_compressed(path, array)
    assert (read(path).batch(np.arange(9), 0).inputs[:, :, 0].numpy() == array[:, :3]).all()
    np.savez(path, train=array, test=array)
    with pytest.raises(DataError, match=r"films\.npz: should hold one array, and holds train, test$"):
        read(path)
    np.savez(path)
    with pytest.raises(DataError, match=r"films\.npz: should hold one array, and holds none$"):
        read(path)


def test_training_begins_anywhere_in_longer_films_and_evaluation_at_the_beginning(save):
    array = pixels(30, 8, 12, 12)
    path = save(array)
    first = read(path).batch(np.arange(30), 1)
    assert (first.inputs[:, :, 0].numpy() == array[:, :3]).all()
    films = read(path, seed=3)
    starts = []
    for epoch in (0, 1):
        batch = films.batch(np.arange(30), epoch)
        whole = torch.cat([batch.inputs, batch.targets], 1)[:, :, 0].numpy()
        pairs = zip(array, whole, strict=True)
        starts.append([next(s for s in range(4) if (film[s : s + 5] == part).all()) for film, part in pairs])
    assert set(starts[0]) == {0, 1, 2, 3}
    assert starts[0] != starts[1]
    again = films.batch(np.array([4]), 0)
    assert (again.inputs[0, :, 0].numpy() == array[4, starts[0][4] : starts[0][4] + 3]).all()


def test_each_film_is_of_one_split_whatever_the_seed(tmp_path):
    own = OwnFilms(tmp_path / "films.npy", val_fraction=0.2, test_fraction=0.3)
    rows = {split: own.rows(split, 40) for split in Split}
    assert [len(rows[split]) for split in Split] == [20, 8, 12]
    assert sorted(np.concatenate(list(rows.values())).tolist()) == list(range(40))
    assert [len(OwnFilms(tmp_path / "films.npy").rows(split, 40)) for split in Split] == [32, 4, 4]
    assert [len(OwnFilms(tmp_path / "films.npy").rows(split, 3)) for split in Split] == [1, 1, 1]
    with pytest.raises(DataError, match=r"2 films are too few to split 1 off to validate and 1 to test$"):
        own.rows(Split.TRAIN, 2)


@pytest.mark.parametrize("name", ["val_fraction", "test_fraction"])
def test_a_fraction_is_between_0_and_1(tmp_path, name):
    with pytest.raises(ConfigError, match=rf"^task\.{name}=1\.0: must be above 0 and below 1$"):
        OwnFilms(tmp_path / "films.npy", **{name: 1.0})


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (pixels(9, 12, 12), "3 axes, 9 x 12 x 12; films are (films, frames, rows, columns), or"),
        (pixels(9, 5, 12, 12).astype(np.int64), "pixels of type int64; save them as uint8, 0 to 255, or"),
        (pixels(9, 5, 12, 12) > 100, "pixels of type bool; save them"),
        (pixels(9, 4, 12, 12), "9 films of 4 frames, and task.frames_in + task.frames_out is 5; set them to less"),
        (pixels(9, 5, 10, 12), "frames of 10 x 12 pixels; at least 11 x 11"),
        (pixels(9, 5, 12, 14), "frames of 12 x 14 pixels can't be cut into patches of 4 x 4; set task.patch=1"),
        (np.array([{}]), "not a whole .npy file of numbers (Array can't be memory-mapped: Python objects"),
    ],
)
def test_an_array_that_does_not_serve_is_refused(save, array, message):
    path = save(array)
    with pytest.raises(DataError, match=rf"^{re.escape(f'{path}: {message}')}"):
        read(path, patch=4)


def archive(path, header_shape, body):
    """An archive of one array that tells of one shape and holds a body of its own."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": header_shape})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        new.writestr("films.npy", file.getvalue() + body)
    return path


def test_an_archive_that_promises_more_than_it_holds_takes_no_room_for_it(tmp_path, monkeypatch):
    path = archive(tmp_path / "films.npz", (1 << 31, 5, 12, 12), b"")
    with pytest.raises(DataError, match=r"films\.npz: tells of 1,546,188,226,560 bytes of numbers, and holds 0$"):
        read(path)
    path = archive(tmp_path / "films.npz", (9, 5, 12, 12), bytes(9 * 5 * 12 * 12))
    assert len(read(path)) == 9
    monkeypatch.setattr("seqtrain.tasks.images.films.MOST_BYTES", 6000)
    with pytest.raises(DataError, match=r"films\.npz: tells of 6,480 bytes, more than is unpacked into memory; save"):
        read(path)


@pytest.mark.parametrize("content", [b"\x93NUMPY\x01\x00\x06\x00{(\x00'\n\n", b"\x93NUMPY\x09\x00", b"PK\x05\x06"])
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_a_damaged_header_is_refused(tmp_path, content, suffix):
    path = tmp_path / f"films{suffix}"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"^{re.escape(str(path))}: not a whole \{suffix} file of numbers \("):
        read(path)


def test_a_file_that_is_no_array_is_refused(save, tmp_path):
    whole = save(pixels(9, 5, 12, 12)).read_bytes()
    for name, content in (("cut.npy", whole[:-1]), ("text.npy", b"hello"), ("empty.npy", b""), ("text.npz", b"hello")):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(DataError, match=rf"^{re.escape(str(path))}: not a whole \.np[yz] file of numbers \("):
            read(path)
    with pytest.raises(DataError, match=r"no such file: .*absent\.npy$"):
        read(tmp_path / "absent.npy")
    with pytest.raises(DataError, match=r"films\.mp4: films are read from \.npy and \.npz files$"):
        read(tmp_path / "films.mp4")
