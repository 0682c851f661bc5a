"""A user's own films: an array of gray frames in a .npy or .npz file."""

import math
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Shaped
from numpy.typing import NDArray

from seqtrain import limits
from seqtrain.batch import Batch, Examples
from seqtrain.errors import DataError
from seqtrain.seeding import stream, uniform
from seqtrain.tasks.images.patches import fold
from seqtrain.tasks.task import Split

Layout = Literal["films_first", "frames_first"]

LARGEST_RATIO = 1100
"""How many times longer than itself an archive's content can be: zlib's limit is 1,032."""
MOST_BYTES = 1 << 33
"""Of films that are unpacked into memory."""

SMALLEST = 11
"""Rows and columns that a frame must have, for structural similarity."""


@dataclass(frozen=True)
class OwnFilms:
    """A file of films, (N, T, Y, X) or (T, N, Y, X), bytes or floating-point numbers in 0 to 1.

    The split is drawn at random but the same for every seed, so that runs over seeds can be compared.

    Attributes:
        path: A .npy file, which is read as it is needed, or an .npz file of one array, which is read whole.
        layout: Which axis comes first; None takes the longer of the two for the films.
        val_fraction: Share of the films that validates; None is 0.1.
        test_fraction: Share of the films that tests; None is 0.1.
    """

    path: Path
    layout: Layout | None = None
    val_fraction: float | None = None
    test_fraction: float | None = None

    def __post_init__(self) -> None:
        limits.fraction("task", val_fraction=self.val_fraction, test_fraction=self.test_fraction)

    def open(self, frames: int, patch: int) -> Shaped[np.ndarray, "N T Y X"]:
        """The array, films first, once it is known to hold films of so many frames; pixels are not read yet.

        Raises:
            DataError: If it can't be read, or its shape or type don't serve.
        """
        array = load_array(self.path)
        if array.ndim != 4:
            raise DataError(
                f"{self.path}: {array.ndim} axes, {_shape(array)}; films are (films, frames, rows, columns), or "
                "(frames, films, rows, columns), of gray pixels"
            )
        if array.dtype != np.uint8 and array.dtype.kind != "f":
            raise DataError(
                f"{self.path}: pixels of type {array.dtype}; save them as uint8, 0 to 255, or as floating-point "
                "numbers in 0 to 1"
            )
        layout = self.layout or ("films_first" if array.shape[0] >= array.shape[1] else "frames_first")
        films = array if layout == "films_first" else array.swapaxes(0, 1)
        count, steps, rows, columns = films.shape
        if steps < frames:
            raise DataError(
                f"{self.path}: {count:,} films of {steps} frames, and task.frames_in + task.frames_out is {frames}; "
                f"set them to less, or task.layout if it isn't {layout}"
            )
        if min(rows, columns) < SMALLEST:
            raise DataError(f"{self.path}: frames of {rows} x {columns} pixels; at least {SMALLEST} x {SMALLEST}")
        if rows % patch or columns % patch:
            raise DataError(
                f"{self.path}: frames of {rows} x {columns} pixels can't be cut into patches of {patch} x {patch}; "
                "set task.patch=1, or to a divisor of both"
            )
        return films

    def rows(self, split: Split, count: int) -> NDArray[np.int64]:
        """Which films of so many are of the split.

        Raises:
            DataError: If they are too few to be split.
        """
        val, test = (
            max(1, round(count * (0.1 if part is None else part))) for part in (self.val_fraction, self.test_fraction)
        )
        if count - val - test < 1:
            raise DataError(f"{self.path}: {count} films are too few to split {val} off to validate and {test} to test")
        order = stream(0, "split").permutation(count)
        part = {Split.TEST: order[:test], Split.VAL: order[test : test + val], Split.TRAIN: order[test + val :]}
        return np.sort(part[split])


class Films(Examples):
    """Films of one split.

    Of films longer than asked for, training reads a part that begins elsewhere in each epoch, evaluation the beginning.
    """

    def __init__(
        self,
        array: Shaped[np.ndarray, "N T Y X"],
        rows: NDArray[np.int64],
        *,
        frames_in: int,
        frames_out: int,
        patch: int,
        seed: int | None,
    ) -> None:
        """Takes some films of an array.

        Args:
            array: All films, perhaps still on the disk.
            rows: Which of them.
            frames_in: Frames that are seen.
            frames_out: Frames to be predicted.
            patch: See `fold`.
            seed: Where films are longer, what decides the part that is read; None reads the beginning.
        """
        self._array = array
        self._rows = rows
        self._frames_in = frames_in
        self._frames = frames_in + frames_out
        self._patch = patch
        self._seed = seed

    def __len__(self) -> int:
        return len(self._rows)

    def batch(self, indices: NDArray[np.int64], epoch: int) -> Batch:
        """The films of these indices; bytes as bytes, other numbers as float32.

        Raises:
            DataError: If a number is outside 0 to 1.
        """
        rows = self._rows[indices]
        starts = np.zeros(len(rows), np.int64)
        spare = self._array.shape[1] - self._frames
        if self._seed is not None and spare:
            starts = (uniform(self._seed, epoch, indices, 1)[:, 0] * (spare + 1)).astype(np.int64)
        films = self._array[rows[:, None], starts[:, None] + np.arange(self._frames)]
        if films.dtype != np.uint8:
            self._check(films, rows)
            films = films.astype(np.float32)
        folded = fold(torch.from_numpy(films).unsqueeze(2), self._patch)
        lengths = torch.full((len(indices),), self._frames_in)
        return Batch(folded[:, : self._frames_in], lengths, folded[:, self._frames_in :], torch.from_numpy(indices))

    @staticmethod
    def _check(films: Shaped[np.ndarray, "B T Y X"], rows: NDArray[np.int64]) -> None:
        # As they are read: a look at every pixel beforehand would read a file that may be larger than memory.
        fits = ((films >= 0) & (films <= 1)).all((1, 2, 3))  # false of NaN
        if not fits.all():
            raise DataError(
                f"task.path: film {rows[fits.argmin()]}, counted from 0, has a pixel that is not a number in 0 to 1; "
                "divide by the largest, or save them as uint8"
            )


def load_array(path: Path) -> Shaped[np.ndarray, "..."]:
    """The one array of a .npy or .npz file; that of a .npy file is read as it is needed."""
    if path.suffix not in (".npy", ".npz"):
        raise DataError(f"{path}: films are read from .npy and .npz files")
    try:
        if path.suffix == ".npy":
            return np.lib.format.open_memmap(path, mode="r")
        _refuse_empty_promise(path)
        with path.open("rb") as file, np.load(file, allow_pickle=False) as loaded:
            array: NDArray[np.generic] = loaded[loaded.files[0]]
            return array
    except FileNotFoundError:
        raise DataError(f"no such file: {path}") from None
    except DataError:
        raise
    except Exception as error:  # the parsers of a damaged file raise nearly anything
        raise DataError(f"{path}: not a whole {path.suffix} file of numbers ({error})") from None


def _refuse_empty_promise(path: Path) -> None:
    """Refuses an archive that holds other than one array, or tells of one that it can't hold, before room is made."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len(members) != 1:
            names = ", ".join(member.filename.removesuffix(".npy") for member in members)
            raise DataError(f"{path}: should hold one array, and holds {names or 'none'}")
        (member,) = members
        with archive.open(member) as file:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = read(file)
            told = math.prod(shape) * dtype.itemsize
            held = member.file_size - file.tell()
        if told != held:
            raise DataError(f"{path}: tells of {told:,} bytes of numbers, and holds {held:,}")
        if held > LARGEST_RATIO * path.stat().st_size or held > MOST_BYTES:
            raise DataError(
                f"{path}: tells of {held:,} bytes, more than is unpacked into memory; save it as .npy, which is read "
                "as it is needed"
            )


def _shape(array: NDArray[np.generic]) -> str:
    return " x ".join(f"{size:,}" for size in array.shape)
