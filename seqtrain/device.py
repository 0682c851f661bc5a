"""Where a run computes, in which precision, and how the process is tuned for it."""

import ctypes
import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

from seqtrain.errors import ConfigError

Amp = Literal["auto", "off", "bf16", "fp16"]

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's names, from malloc.h


def pick_device(name: str) -> torch.device:
    """The device of this name; `auto` takes CUDA, then MPS, then the CPU.

    Raises:
        ConfigError: If the name is no device, or this machine has none of the kind.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigError(f"device={name}: no such device; choose auto, cpu, cuda, cuda:N or mps") from None
    if device.type == "cpu":
        return torch.device("cpu")
    if device.type == "cuda":
        count = torch.cuda.device_count()
        if (device.index or 0) >= count:
            raise ConfigError(f"device={name}: torch sees {count} CUDA devices here; use device=auto or device=cpu")
        return device
    if device.type == "mps" and torch.backends.mps.is_available():
        return device
    raise ConfigError(f"device={name}: not available here; use device=auto or device=cpu")


def pick_precision(amp: Amp, device: torch.device) -> torch.dtype | None:
    """The lower precision that matrix products run in; None leaves all in float32.

    `auto` takes bf16 on CUDA devices that have it, fp16 on the others, and float32 elsewhere: on a CPU
    small models lose by bf16.
    """
    if amp == "auto":
        if device.type != "cuda":
            return None
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if amp == "fp16" and device.type == "cpu":
        raise ConfigError("trainer.amp=fp16: a CPU has no fast half precision; use bf16 or off")
    return {"off": None, "bf16": torch.bfloat16, "fp16": torch.float16}[amp]


def autocast(device: torch.device, precision: torch.dtype | None) -> AbstractContextManager[object]:
    """A context in which eligible operations run in that precision."""
    return nullcontext() if precision is None else torch.autocast(device.type, dtype=precision)


def tune_allocator() -> None:
    """Keeps freed memory in the process instead of giving it back to the kernel after every step.

    A training step frees and asks for the same blocks over and over; with glibc's defaults the page
    faults cost up to half of its time. Resident memory stays at its peak in return. Does nothing
    where the C library isn't glibc.
    """
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "gnu_get_libc_version"):
        libc.mallopt(M_MMAP_THRESHOLD, 1 << 30)
        libc.mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)
