"""Generated text, or a user's own."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqtrain.errors import ConfigError
from seqtrain.tasks.language.language_modelling import LanguageModelling
from seqtrain.tasks.language.sources import GeneratedText, OwnText, TextSource

OF_FILES = ("val_path", "test_path", "val_fraction", "test_fraction")
OF_GENERATED = ("train_size", "val_size", "test_size", "depth", "nesting", "lexicon")


@dataclass(eq=False)
class Text(LanguageModelling):
    """A generated language with nested structure, or with `path` a file of the user's own.

    An option that is None was not given: what it then stands for is said by `OwnText` and `GeneratedText`. One
    that is given must belong to the kind of text that is asked for.

    Attributes:
        path: See `OwnText`; None is generated text.
        val_path: See `OwnText`, as for the next three.
        test_path: Likewise.
        val_fraction: Likewise.
        test_fraction: Likewise.
        train_size: See `GeneratedText`, as for the rest.
        val_size: Likewise.
        test_size: Likewise.
        depth: Likewise.
        nesting: Likewise.
        lexicon: Likewise.
    """

    path: Path | None = None
    val_path: Path | None = None
    test_path: Path | None = None
    val_fraction: float | None = None
    test_fraction: float | None = None

    train_size: int | None = None
    val_size: int | None = None
    test_size: int | None = None
    depth: int | None = None
    nesting: float | None = None
    lexicon: int | None = None

    def source(self) -> TextSource:
        """The user's files if there is a path, else generated text."""
        if self.path is None:
            self._refuse(OF_FILES, "is about files, and needs task.path")
            return GeneratedText(**self._given(OF_GENERATED))
        self._refuse(OF_GENERATED, f"is about generated text, but task.path={self.path} is a file")
        return OwnText(self.path, self.val_path, self.test_path, self.val_fraction, self.test_fraction)

    def _given(self, names: tuple[str, ...]) -> dict[str, Any]:
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def _refuse(self, names: tuple[str, ...], why: str) -> None:
        for name, value in self._given(names).items():
            raise ConfigError(f"task.{name}={value}: {why}")
