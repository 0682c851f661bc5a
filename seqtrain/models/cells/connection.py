"""How units reach units: each one every other, or only its neighbours on a map."""

from abc import ABC, abstractmethod
from typing import final

import torch
from torch import Tensor
from torch.nn import functional as F


class Connection(ABC):
    """An affine map from features to gates, in the two layouts that it is needed in.

    A step's features stand first, as everywhere in torch: (B, F) or (B, C, Y, X). The engine works on
    all steps, time first and features last: (T, B, F) or (T, B, Y, X, C), so that the arithmetic of a cell is
    the same for vectors and maps: gates are slices of the last axis.
    """

    @abstractmethod
    def weight_shape(self, features: int, gates: int) -> tuple[int, ...]:
        """The shape of a weight from so many features to so many gates."""

    @abstractmethod
    def features_last(self, x: Tensor) -> Tensor:
        """A view with the features on the last axis; any axes may stand in front."""

    @abstractmethod
    def features_first(self, x: Tensor) -> Tensor:
        """The inverse of `features_last`."""

    @abstractmethod
    def apply(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """W x + b of one step, features first."""

    @abstractmethod
    def apply_all(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """W x + b of all steps at once, features last; a fresh tensor that the caller may overwrite."""

    @abstractmethod
    def input_gradient(self, d: Tensor, weight: Tensor, features: int) -> Tensor:
        """From the gradient of `apply_all` to that of x."""

    @abstractmethod
    def weight_gradient(self, d: Tensor, x: Tensor, weight: Tensor) -> Tensor:
        """From the gradient of `apply_all` to that of the weight: one product over all steps."""

    @abstractmethod
    def recurrent(self, weight: Tensor, mask: Tensor | None) -> "Recurrent":
        """The same map, made ready to be applied step by step to a masked memory."""

    def steps(self, x: Tensor) -> Tensor:
        """From (B, T, F), or (B, T, C, Y, X), to the engine's layout."""
        return self.features_last(x).transpose(0, 1).contiguous()

    def batch(self, h: Tensor) -> Tensor:
        """The inverse of `steps`, as a view."""
        return self.features_first(h.transpose(0, 1))


class Recurrent(ABC):
    """W (m h), a step at a time, in place: m is one mask per sequence (recurrent dropout) or nothing."""

    def __init__(self, weight: Tensor, mask: Tensor | None) -> None:
        self.weight = weight
        self.mask = mask

    def seen(self, h: Tensor) -> Tensor:
        """The memory as the weight sees it; of one step or of all."""
        return h if self.mask is None else h * self.mask

    @abstractmethod
    def add(self, a: Tensor, h: Tensor) -> None:
        """Adds W (m h) to a."""

    @abstractmethod
    def carry(self, base: Tensor, d: Tensor, out: Tensor) -> None:
        """Writes base + m (W^T d): what a step's gradient d means for the memory before it."""


@final
class Dense(Connection):
    """Every unit reaches every other."""

    def weight_shape(self, features: int, gates: int) -> tuple[int, ...]:
        return gates, features

    def features_last(self, x: Tensor) -> Tensor:
        return x

    def features_first(self, x: Tensor) -> Tensor:
        return x

    def apply(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        return F.linear(x, weight, bias)

    def apply_all(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return F.linear(x, weight, bias)

    def input_gradient(self, d: Tensor, weight: Tensor, features: int) -> Tensor:
        return d @ weight

    def weight_gradient(self, d: Tensor, x: Tensor, weight: Tensor) -> Tensor:
        return d.flatten(0, -2).t() @ x.flatten(0, -2)

    def recurrent(self, weight: Tensor, mask: Tensor | None) -> Recurrent:
        return _DenseRecurrent(weight, mask)


@final
class _DenseRecurrent(Recurrent):
    def __init__(self, weight: Tensor, mask: Tensor | None) -> None:
        super().__init__(weight, mask)
        self.transposed = weight.t()

    def add(self, a: Tensor, h: Tensor) -> None:
        a.addmm_(self.seen(h), self.transposed)

    def carry(self, base: Tensor, d: Tensor, out: Tensor) -> None:
        if self.mask is None:
            torch.addmm(base, d, self.weight, out=out)
        else:
            torch.addcmul(base, d @ self.weight, self.mask, out=out)


@final
class Convolution(Connection):
    """A unit reaches a square of neighbours: the maps keep their size, zeros stand around them."""

    def __init__(self, kernel_size: int) -> None:
        assert kernel_size % 2, "an even kernel has no centre"
        self.kernel_size = kernel_size

    def weight_shape(self, features: int, gates: int) -> tuple[int, ...]:
        return gates, features, self.kernel_size, self.kernel_size

    def features_last(self, x: Tensor) -> Tensor:
        return x.movedim(-3, -1)

    def features_first(self, x: Tensor) -> Tensor:
        return x.movedim(-1, -3)

    def apply(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        return F.conv2d(x, weight, bias, padding=self.kernel_size // 2)

    def apply_all(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        maps = self.features_last(self.apply(self.features_first(x.flatten(0, 1)), weight, bias)).contiguous()
        return maps.view(*x.shape[:2], *maps.shape[1:])

    def input_gradient(self, d: Tensor, weight: Tensor, features: int) -> Tensor:
        flat = self.features_first(d.flatten(0, 1))
        gradient = _convolution_gradient(flat, flat[:, :features], weight, of_input=True)
        gradient = self.features_last(gradient)
        return gradient.reshape(*d.shape[:2], *gradient.shape[1:])

    def weight_gradient(self, d: Tensor, x: Tensor, weight: Tensor) -> Tensor:
        d, x = (self.features_first(each.flatten(0, 1)) for each in (d, x))
        return _convolution_gradient(d, x, weight, of_input=False)

    def recurrent(self, weight: Tensor, mask: Tensor | None) -> Recurrent:
        return _ConvolutionRecurrent(self, weight.contiguous(memory_format=torch.channels_last), mask)


@final
class _ConvolutionRecurrent(Recurrent):
    def __init__(self, connection: Convolution, weight: Tensor, mask: Tensor | None) -> None:
        super().__init__(weight, mask)
        self.connection = connection

    def add(self, a: Tensor, h: Tensor) -> None:
        maps = self.connection.features_first(self.seen(h))
        a.add_(self.connection.features_last(self.connection.apply(maps, self.weight)))

    def carry(self, base: Tensor, d: Tensor, out: Tensor) -> None:
        maps = self.connection.features_first(d)
        gradient = _convolution_gradient(maps, maps[:, : self.weight.shape[1]], self.weight, of_input=True)
        gradient = self.connection.features_last(gradient)
        torch.add(base, gradient if self.mask is None else gradient * self.mask, out=out)


def _convolution_gradient(d: Tensor, x: Tensor, weight: Tensor, *, of_input: bool) -> Tensor:
    """The gradient of conv2d with zeros around; of_input reads nothing of x but its shape."""
    around = [weight.shape[-1] // 2] * 2
    wanted = [of_input, not of_input, False]
    found = torch.ops.aten.convolution_backward(d, x, weight, None, [1, 1], around, [1, 1], False, [0, 0], 1, wanted)
    gradient: Tensor = found[0] if of_input else found[1]
    return gradient
