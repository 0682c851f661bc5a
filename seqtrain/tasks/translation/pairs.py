"""Texts in pairs, and the two line-aligned files that they are read from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seqtrain.errors import DataError
from seqtrain.tasks.labelled_text import read_utf8


@dataclass(frozen=True)
class TextPairs:
    """Texts and what each should become; none is blank.

    Attributes:
        sources: At least one.
        targets: One for each source.
    """

    sources: Sequence[str]
    targets: Sequence[str]

    def __len__(self) -> int:
        return len(self.sources)

    def take(self, indices: Sequence[int]) -> "TextPairs":
        """A part of them."""
        return TextPairs([self.sources[i] for i in indices], [self.targets[i] for i in indices])


def read_pairs(source_path: Path, target_path: Path) -> TextPairs:
    """Reads two files of which each line of one belongs to the same line of the other; either may be gzipped.

    A line that is blank in both is passed over.

    Raises:
        DataError: If a file is missing or malformed, or the two don't pair; names the first place.
    """
    sources, targets = _lines(source_path), _lines(target_path)
    if len(sources) != len(targets):
        longer = source_path if len(sources) > len(targets) else target_path
        raise DataError(
            f"{source_path} has {len(sources)} lines and {target_path} has {len(targets)}: each needs its partner, "
            f"which {longer}, line {min(len(sources), len(targets)) + 1}, doesn't have"
        )
    pairs = [(source, target) for source, target in zip(sources, targets, strict=True) if source or target]
    if not pairs:
        raise DataError(f"{source_path}: holds no lines")
    if not all(source and target for source, target in pairs):
        raise DataError(_one_sided(source_path, target_path, sources, targets))
    return TextPairs([source for source, _ in pairs], [target for _, target in pairs])


def _one_sided(source_path: Path, target_path: Path, sources: list[str], targets: list[str]) -> str:
    """What to say of lines that are blank in one file only."""
    found = [
        line
        for line, (source, target) in enumerate(zip(sources, targets, strict=True), 1)
        if bool(source) ^ bool(target)
    ]
    blank, full = (target_path, source_path) if sources[found[0] - 1] else (source_path, target_path)
    others = f" ({len(found)} such lines in all)" if len(found) > 1 else ""
    return f"{blank}, line {found[0]}: is blank, but {full} has a text there{others}; take the line out of both"


def _lines(path: Path) -> list[str]:
    """The lines of a file, without blanks at their ends. Only a line feed ends one."""
    return [line.strip() for line in read_utf8(path).removesuffix("\n").split("\n")]
