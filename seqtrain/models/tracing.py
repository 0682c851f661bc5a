"""Whether the code is being run or followed: what follows it to write it down wants other operations."""

import torch


def tracing() -> bool:
    """Whether torch.compile or torch.export follows the code: they want plain operations."""
    return torch.compiler.is_compiling()


def exporting() -> bool:
    """Whether torch.export follows it: sizes may then be unknown, and no value of a tensor can be asked for."""
    return torch.compiler.is_exporting()
