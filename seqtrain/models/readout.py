"""Readouts: what turns features into the elements that a task asks for."""

import math

from jaxtyping import Float
from torch import Tensor, nn

from seqtrain.models.work import multiply_adds
from seqtrain.spec import Align, Symbols, TaskSpec


class Readout(nn.Module):
    """Turns the features of a step into one output, or into all future outputs at once, by one affine map.

    With a table to share, its rows are the map's: the logit of a symbol is the product of the features with its
    embedding, plus a bias. Features of another size than an embedding's are mapped to it first.
    """

    def __init__(self, features: int | tuple[int, ...], task: TaskSpec, table: nn.Embedding | None = None) -> None:
        super().__init__()
        self.features = (features,) if isinstance(features, int) else features
        element = (task.output.size,) if isinstance(task.output, Symbols) else task.output.shape
        self.shape = (task.horizon, *element) if task.align is Align.AHEAD else element
        width = math.prod(self.features)
        tied = width if table is None else table.embedding_dim
        self.enter = None if tied == width else nn.Linear(width, tied, bias=False)
        self.linear = nn.Linear(tied, math.prod(self.shape))
        if table is not None:
            self.linear.weight = table.weight

    def forward(self, features: Float[Tensor, "*N"]) -> Float[Tensor, "..."]:
        """Logits (*N, V) for symbols, (*N, *shape) for values; AHEAD has U in front of V or the shape.

        On padded steps it returns its bias, which means nothing.

        Args:
            features: (*N, D), or (*N, D, Y, X) maps, which are laid out in one row.
        """
        rows = features.flatten(-len(self.features))
        outputs: Tensor = self.linear(rows if self.enter is None else self.enter(rows))
        return outputs.view(*rows.shape[:-1], *self.shape)

    def multiply_adds(self) -> int:
        """Products of a weight and a feature for each output."""
        return multiply_adds(self)

    def describe(self) -> str:
        """The readout as built: "Linear 256 -> 2", or "Linear 256 -> 96 x 7"."""
        return f"Linear {_words(self.features)} -> {_words(self.shape)}"


class MapReadout(nn.Module):
    """Turns feature maps into one image, or into all future images at once, place by place.

    A convolution of 1 x 1: the memory behind a place has seen its neighbours already, and one affine map for
    all places does in thousands of weights what a whole picture's would take millions for.
    """

    def __init__(self, features: int, task: TaskSpec) -> None:
        super().__init__()
        assert not isinstance(task.output, Symbols)
        self.shape = (task.horizon, *task.output.shape) if task.align is Align.AHEAD else task.output.shape
        self.convolution = nn.Conv2d(features, math.prod(self.shape[:-2]), kernel_size=1)

    def forward(self, features: Float[Tensor, "*N D Y X"]) -> Float[Tensor, "..."]:
        """(*N, C, Y, X) images; AHEAD has U in front of C. On padded steps they mean nothing."""
        flat = features.flatten(0, -4) if features.dim() > 3 else features
        outputs: Tensor = self.convolution(flat)
        return outputs.reshape(*features.shape[:-3], *self.shape)

    def multiply_adds(self) -> int:
        """Products of a weight and a feature for each output."""
        return multiply_adds(self, places=math.prod(self.shape[-2:]))

    def describe(self) -> str:
        """The readout as built: "Convolution 64 -> 10 x 1 x 64 x 64"."""
        return f"Convolution {self.convolution.in_channels:,} -> {_words(self.shape)}"


def build_readout(features: tuple[int, ...], task: TaskSpec, table: nn.Embedding | None = None) -> Readout | MapReadout:
    """The readout from such features, by a table if there is one to share.

    Where maps become images as large as they are, it goes place by place.
    """
    if len(features) == 3 and not isinstance(task.output, Symbols) and task.output.shape[1:] == features[1:]:
        return MapReadout(features[0], task)
    return Readout(features, task, table)


def _words(sizes: tuple[int, ...]) -> str:
    return " x ".join(f"{size:,}" for size in sizes)
