"""How much a part computes."""

from torch import nn


def multiply_adds(module: nn.Module | None, places: int = 1) -> int:
    """Products of a weight and a feature when a module is applied once.

    Args:
        module: Whose weights; vectors are biases or scales and count for nothing, an embedding is looked up.
        places: How often a convolution's weights are used: rows times columns of its maps.
    """
    total = 0
    for part in () if module is None else module.modules():
        if isinstance(part, nn.Embedding):
            continue
        for weight in part.parameters(recurse=False):
            if weight.dim() > 1:
                total += weight.numel() * (places if weight.dim() == 4 else 1)
    return total
