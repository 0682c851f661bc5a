"""Synthesised words, or a user's own recordings."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqtrain.errors import ConfigError
from seqtrain.tasks.labelled_text import Columns
from seqtrain.tasks.speech.recognition import SpeechRecognition
from seqtrain.tasks.speech.sources import OwnRecordings, SoundSource, SynthesisedWords

OF_FILES = ("val_path", "test_path", "val_fraction", "test_fraction", "path_column", "label_column", "header")
OF_SYNTHESIS = ("train_size", "val_size", "test_size", "noise", "variation")


@dataclass(eq=False)
class Speech(SpeechRecognition):
    """Words synthesised on the spot, or with `path` a folder or manifest of the user's own.

    An option that is None was not given: what it then stands for is said by `OwnRecordings`, `Columns` and
    `SynthesisedWords`. One that is given must belong to the kind of data that is asked for.

    Attributes:
        path: See `OwnRecordings`; None is synthesised words.
        val_path: See `OwnRecordings`, as for the next three.
        test_path: Likewise.
        val_fraction: Likewise.
        test_fraction: Likewise.
        path_column: Of a manifest, which column names the files; None is "path", or 0.
        label_column: See `Columns`, as for the next.
        header: Likewise.
        train_size: See `SynthesisedWords`, as for the rest.
        val_size: Likewise.
        test_size: Likewise.
        noise: Likewise.
        variation: Likewise.
    """

    path: Path | None = None
    val_path: Path | None = None
    test_path: Path | None = None
    val_fraction: float | None = None
    test_fraction: float | None = None
    path_column: str | int | None = None
    label_column: str | int | None = None
    header: bool | None = None

    train_size: int | None = None
    val_size: int | None = None
    test_size: int | None = None
    noise: float | None = None
    variation: float | None = None

    def source(self) -> SoundSource:
        """The user's files if there is a path, else synthesised words."""
        if self.path is None:
            self._refuse(OF_FILES, "is about files, and needs task.path")
            return SynthesisedWords(**self._given(OF_SYNTHESIS))
        self._refuse(OF_SYNTHESIS, f"is about synthesised words, but task.path={self.path} is there")
        columns = Columns(self._path_column(), self.label_column, self.header)
        return OwnRecordings(self.path, self.val_path, self.test_path, self.val_fraction, self.test_fraction, columns)

    def _path_column(self) -> str | int | None:
        if self.header is not False:
            return "path" if self.path_column is None else self.path_column
        if isinstance(self.path_column, str):
            raise ConfigError(
                f"task.path_column={self.path_column}: without a header, a column is told by its number from 0"
            )
        return self.path_column

    def _given(self, names: tuple[str, ...]) -> dict[str, Any]:
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def _refuse(self, names: tuple[str, ...], why: str) -> None:
        for name, value in self._given(names).items():
            raise ConfigError(f"task.{name}={value}: {why}")
