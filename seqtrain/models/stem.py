"""Stems: what turns the elements of a task into features."""

import math
from abc import ABC, abstractmethod

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from seqtrain.models.spelling import SPELLING_SIZE, Spelling
from seqtrain.models.work import multiply_adds
from seqtrain.spec import Element, Spelt, Symbols


class Stem(nn.Module, ABC):
    """Turns each input step into features, by itself.

    Attributes:
        out_features: The shape of one step's features, (F,) or (C, Y, X).
    """

    out_features: tuple[int, ...]

    @abstractmethod
    def forward(self, inputs: Shaped[Tensor, "B T ..."]) -> Float[Tensor, "B T *F"]:
        """The features of each step."""

    @abstractmethod
    def describe(self) -> str:
        """The stem as built, in a few words."""

    def multiply_adds(self) -> int:
        """Products of a weight and a feature for each step."""
        return multiply_adds(self)


class Embedding(Stem):
    """Looks up a learned vector for each symbol.

    Padding has a row like any other symbol: its features are never read, so it has no gradient to hide.

    Vectors start from N(0, 1/F), so that their expected length is 1. Torch's own start, N(0, 1), is
    long enough to drown for many epochs what training adds to it, more so where words are rare.
    """

    def __init__(self, symbols: int, features: int) -> None:
        super().__init__()
        self.out_features = (features,)
        self.table = nn.Embedding(symbols, features)
        nn.init.normal_(self.table.weight, std=features**-0.5)

    def forward(self, inputs: Int[Tensor, "B T"]) -> Float[Tensor, "B T F"]:
        """The vector of each id in [0, V)."""
        vectors: Tensor = self.table(inputs)
        return vectors

    def describe(self) -> str:
        """The stem as built: "Embedding 1,234 x 128"."""
        return f"Embedding {self.table.num_embeddings:,} x {self.table.embedding_dim:,}"


class SpeltEmbedding(Stem):
    """Joins a word's learned vector with what its letters say, so that a word never seen can still be read."""

    def __init__(self, element: Spelt, features: int) -> None:
        super().__init__()
        self.words = Embedding(element.size, features)
        self.spelling = Spelling(element.characters)
        self.out_features = (features + SPELLING_SIZE,)

    def forward(self, inputs: Int[Tensor, "B T I"]) -> Float[Tensor, "B T F"]:
        """The features of each word.

        Args:
            inputs: The id of the word, then those of its letters, filled up with PAD; at least one of them.
        """
        batch, steps, _ = inputs.shape
        spelling = self.spelling(inputs[:, :, 1:].flatten(0, 1))
        return torch.cat([self.words(inputs[:, :, 0]), spelling.view(batch, steps, -1)], 2)

    def describe(self) -> str:
        """The stem as built: "Embedding 1,234 x 128, letters 90 x 30 -> 50"."""
        return f"{self.words.describe()}, {self.spelling.describe()}"


class Flatten(Stem):
    """Lays each step's values out in one vector; it learns nothing."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape
        self.out_features = (math.prod(shape),)

    def forward(self, inputs: Shaped[Tensor, "B T *S"]) -> Float[Tensor, "B T F"]:
        """The values of each step, the last axis running fastest."""
        return unit_range(inputs).flatten(2)

    def describe(self) -> str:
        """The stem as built: "Values 1 x 64 x 64"."""
        return "Values " + " x ".join(f"{size:,}" for size in self.shape)


class Maps(Stem):
    """Hands images on as they are; it learns nothing."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.out_features = shape

    def forward(self, inputs: Shaped[Tensor, "B T C Y X"]) -> Float[Tensor, "B T C Y X"]:
        """The images themselves."""
        return unit_range(inputs)

    def describe(self) -> str:
        """The stem as built: "Images 1 x 64 x 64"."""
        return "Images " + " x ".join(f"{size:,}" for size in self.out_features)


def unit_range(values: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
    """The same values, bytes as what they stand for: 0..255 as 0..1."""
    return values / 255 if values.dtype == torch.uint8 else values


def build_stem(element: Element | Spelt, embedding_size: int, *, reads_maps: bool = False) -> Stem:
    """The stem for such input steps; embedding_size matters to symbols and words only, reads_maps to images."""
    if isinstance(element, Spelt):
        return SpeltEmbedding(element, embedding_size)
    if isinstance(element, Symbols):
        return Embedding(element.size, embedding_size)
    return Maps(element.shape) if reads_maps else Flatten(element.shape)
