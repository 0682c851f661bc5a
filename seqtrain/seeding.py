"""Randomness that is a function of its place: a named stream, or one number per (seed, epoch, index, position).

Every part of a run draws from a stream of its own, so that changing one part leaves the others alone.
Nothing here keeps a state, so the order in which examples are read changes nothing, and a run can go
on from any position. Imports nothing of ours.
"""

import zlib

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray

Words = NDArray[np.uint64]


def stream(seed: int, name: str) -> np.random.Generator:
    """A generator of its own for each (seed, name), the same on every machine; the seed is at least 0."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def seed_torch(seed: int, name: str) -> None:
    """Seeds torch's global generators, on every device, from the stream of this name."""
    torch.manual_seed(int(stream(seed, name).integers(2**63)))


def uniform(seed: int, epoch: int, indices: Int[np.ndarray, " B"], steps: int) -> Float[np.ndarray, "B T"]:
    """One number in [0, 1) for each of the first `steps` positions of each example.

    A hash by counter: each ingredient is added to the key, which is then mixed anew.
    """
    key = _mixed(np.array([seed], np.uint64))
    key = _mixed(key + np.uint64(epoch))
    key = _mixed(key + indices.astype(np.uint64))
    key = _mixed(key[:, None] + np.arange(steps).astype(np.uint64))
    # The upper 53 bits are as many as a double holds exactly.
    return (key >> np.uint64(11)) * 2.0**-53


def _mixed(key: Words) -> Words:
    """The output function of splitmix64 (Steele, Lea and Flood 2014): every input bit reaches every output bit."""
    key = key + np.uint64(0x9E3779B97F4A7C15)
    key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return key ^ (key >> np.uint64(31))
