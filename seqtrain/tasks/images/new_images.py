"""New films and images: arrays of gray pixels, in files or at hand."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Shaped, UInt8
from numpy.typing import NDArray

from seqtrain.errors import DataError
from seqtrain.tasks.given import Given, Source
from seqtrain.tasks.images.films import Layout, load_array


def read_films(source: Source, layout: Layout | None) -> Iterator[Given]:
    """The films of a .npy or .npz file: one of (T, Y, X), or several, (N, T, Y, X) unless the layout says otherwise.

    Raises:
        DataError: If it can't be read, or has other axes.
    """
    with source.file(".npy") as path:
        array = load_array(path)
    if array.ndim == 3:
        yield Given(array, str(source), {"film": 0})
        return
    if array.ndim != 4:
        raise DataError(f"{source}: {array.ndim} axes, where a film has 3 (frames, rows, columns), and several have 4")
    for number, film in enumerate(array.swapaxes(0, 1) if layout == "frames_first" else array):
        yield Given(film, f"{source}, film {number}", {"film": number})


def film_of(given: Given, frames: int, size: tuple[int, int]) -> Shaped[np.ndarray, "T Y X"]:
    """The last frames of what was given, bytes or float32 in 0 to 1.

    Raises:
        DataError: If it is no film, too short, or of another size than the model's.
    """
    film = pixels_of(given, 3)
    if len(film) < frames:
        raise DataError(f"{given.place}: {len(film)} frames, where the model sees task.frames_in={frames}")
    if film.shape[1:] != size:
        rows, columns = film.shape[1:]
        raise DataError(f"{given.place}: frames of {rows} x {columns} pixels, where the model's are of {_shown(size)}")
    return film[-frames:]


def read_images(source: Source) -> Iterator[Given]:
    """The images of a .npy or .npz file: one of (Y, X), or several of (N, Y, X).

    Raises:
        DataError: If it can't be read, or has other axes.
    """
    with source.file(".npy") as path:
        array = load_array(path)
    if array.ndim not in (2, 3):
        raise DataError(f"{source}: {array.ndim} axes, where an image has 2 (rows, columns), and several have 3")
    for number, image in enumerate(array if array.ndim == 3 else array[None]):
        yield Given(image, f"{source}, image {number}", {"image": number})


def image_of(given: Given, size: tuple[int, int]) -> Shaped[np.ndarray, "Y X"]:
    """What was given as an image, in bytes.

    Raises:
        DataError: If it is none, or of another size.
    """
    image = pixels_of(given, 2)
    if image.shape != size:
        raise DataError(f"{given.place}: an image of {_shown(size)} pixels is expected")
    return as_bytes(image)


def as_bytes(pixels: NDArray[np.generic]) -> UInt8[np.ndarray, "..."]:
    """Pixels in steps of 1/255."""
    return pixels if pixels.dtype == np.uint8 else np.rint(255 * pixels.astype(np.float32)).astype(np.uint8)


def pixels_of(given: Given, axes: int) -> NDArray[np.generic]:
    """What was given as gray pixels, bytes or float32 in 0 to 1."""
    try:
        array = np.asarray(given.value)
    except ValueError:  # lists of unequal lengths
        array = np.empty(0, object)
    if array.ndim != axes or not array.size or (array.dtype != np.uint8 and array.dtype.kind != "f"):
        raise DataError(f"{given.place}: {axes} axes of gray pixels are expected, in uint8 or in numbers of 0 to 1")
    if array.dtype == np.uint8:
        return array
    if not ((array >= 0) & (array <= 1)).all():
        raise DataError(f"{given.place}: has a pixel that is not a number in 0 to 1; divide by the largest")
    return array.astype(np.float32)


def _shown(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
