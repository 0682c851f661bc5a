"""Where a run computes, in which precision, and how the process is tuned for it."""

import ctypes
import os
import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch
from torch import nn

from seqtrain.errors import ConfigError

Amp = Literal["auto", "off", "bf16", "fp16"]

WIDE = 256
"""Rows and columns from which on a product in bf16 gains more than the conversions cost; docs/performance.md."""

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


def pick_precision(amp: Amp, device: torch.device, model: nn.Module | None = None) -> torch.dtype | None:
    """The lower precision that matrix products run in; None leaves all in float32.

    `auto` takes bf16 on CUDA devices that have it and fp16 on the others; bf16 on processors that multiply in it,
    for models whose largest matrix has at least `WIDE` rows and columns; and float32 elsewhere.

    Raises:
        ConfigError: For fp16 on a CPU.
    """
    if amp == "fp16" and device.type == "cpu":
        raise ConfigError("trainer.amp=fp16: a CPU has no fast half precision; use bf16 or off")
    if amp != "auto":
        return {"off": None, "bf16": torch.bfloat16, "fp16": torch.float16}[amp]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    wide = model is not None and widest(model) >= WIDE
    return torch.bfloat16 if device.type == "cpu" and wide and cpu_multiplies_bf16() else None


def widest(model: nn.Module) -> int:
    """The rows or columns, whichever are fewer, of the largest matrix that a model multiplies by."""
    tables = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    matrices = [p for p in model.parameters() if p.ndim >= 2 and id(p) not in tables]
    return max((min(len(p), p[0].numel()) for p in matrices), default=0)


def cpu_multiplies_bf16() -> bool:
    """Whether this processor has instructions for matrix products in bf16."""
    # torch learned to tell in 2.10; before, nobody is asked and float32 stays.
    capable = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return any(capable.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def autocast(device: torch.device, precision: torch.dtype | None) -> AbstractContextManager[object]:
    """A context in which eligible operations run in that precision."""
    return nullcontext() if precision is None else torch.autocast(device.type, dtype=precision)


def make_deterministic() -> None:
    """Has torch take deterministic kernels only; what has none raises when it is met.

    Raises:
        RuntimeError: Later, by torch, where an operation has no deterministic form.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # as cuBLAS asks for
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False


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
