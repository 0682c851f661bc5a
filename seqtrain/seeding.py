"""Independent random streams from one seed, so that changing one part of a run leaves the others alone."""

import zlib

import numpy as np
import torch


def stream(seed: int, name: str) -> np.random.SeedSequence:
    """The stream of this name: the same for the same seed and name, on every machine."""
    return np.random.SeedSequence([seed, zlib.crc32(name.encode())])


def seed_torch(seed: int, name: str) -> None:
    """Seeds torch's global generators, on every device, from the stream of this name."""
    torch.manual_seed(int(stream(seed, name).generate_state(1, np.uint64)[0] >> 1))
