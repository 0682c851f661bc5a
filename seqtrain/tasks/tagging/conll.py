"""Files of tagged sentences: a word and its tag in each line, a blank line between sentences, in UTF-8."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from seqtrain.errors import DataError
from seqtrain.tasks.given import Source
from seqtrain.tasks.labelled_text import read_utf8
from seqtrain.tasks.tagging.tags import Scheme, SchemeError, scheme_of, to_bio

DOCUMENT = "-DOCSTART-"
"""The word of a line that begins a document in the CoNLL shared tasks' files; it is none of a sentence."""


@dataclass(frozen=True)
class Format:
    """How a file is laid out.

    Attributes:
        word_column: Which column holds the word, from 0; below 0, counted from the last.
        tag_column: Likewise, the tag.
        scheme: See `Scheme`.
    """

    word_column: int = 0
    tag_column: int = -1
    scheme: Scheme = "auto"


@dataclass(frozen=True)
class TaggedSentences:
    """Sentences with a tag for each word, in IOB2, and where each was read.

    Attributes:
        words: At least one in each.
        tags: As many.
        path: The file; None if the sentences were generated.
        lines: The line of each sentence's first word, if there is a file; the others follow.
    """

    words: Sequence[Sequence[str]]
    tags: Sequence[Sequence[str]]
    path: Path | None = None
    lines: Sequence[int] = ()

    def __len__(self) -> int:
        return len(self.words)

    def place(self, sentence: int, word: int) -> str:
        """Where to look for a word."""
        return f"{self.path}, line {self.lines[sentence] + word}" if self.path else f"generated sentence {sentence}"

    def take(self, indices: Sequence[int]) -> "TaggedSentences":
        """A part of them."""
        return TaggedSentences(
            [self.words[i] for i in indices],
            [self.tags[i] for i in indices],
            self.path,
            [self.lines[i] for i in indices] if self.lines else (),
        )


def read_conll(path: Path, layout: Format) -> TaggedSentences:
    """Reads every sentence of a file. Columns are separated by tabs or, where a line has none, by blanks.

    Raises:
        DataError: If the file is missing, empty or malformed; names the file and the line.
    """
    words, found, lines = [], [], []
    for line, rows in _sentences(path, layout):
        words.append([word for word, _ in rows])
        found.append([tag for _, tag in rows])
        lines.append(line)
    if not words:
        raise DataError(f"{path}: holds no sentences")
    scheme = layout.scheme
    if scheme == "auto":
        scheme = scheme_of([tag for sentence in found for tag in sentence])
    converted = []
    for line, sentence in zip(lines, found, strict=True):
        try:
            converted.append(to_bio(sentence, scheme))
        except SchemeError as error:
            raise DataError(f"{path}, line {line + error.position}: {error}") from None
    return TaggedSentences(words, converted, path, lines)


def _sentences(path: Path, layout: Format) -> Iterator[tuple[int, list[tuple[str, str]]]]:
    """The words and tags of each sentence, with the line of the first."""
    rows: list[tuple[str, str]] = []
    width, first, begins = 0, 0, 0
    # Only a line feed ends a line: a word may hold other separators of Unicode.
    for line, content in enumerate([*read_utf8(path).split("\n"), ""], 1):
        fields = _fields(content)
        if not any(fields) or fields[0] == DOCUMENT:
            if rows:
                yield begins, rows
            rows = []
            continue
        if not width:
            width, first = len(fields), line
        if len(fields) != width:
            raise DataError(f"{path}, line {line}: has {len(fields)} columns, where line {first} has {width}")
        begins = begins if rows else line
        rows.append(_word_and_tag(path, line, fields, layout))


def untagged(source: Source, word_column: int) -> Iterator[tuple[int, list[str]]]:
    """The words of each sentence as it is read, with the line of the first; tags may be there or not.

    Raises:
        DataError: If the source can't be read, or a line lacks the column; names the line.
    """
    words: list[str] = []
    begins = 0
    for line, content in source.raw_lines():
        fields = _fields(content.removesuffix("\n"))
        if not any(fields) or fields[0] == DOCUMENT:
            if words:
                yield begins, words
            words = []
            continue
        begins = begins if words else line
        words.append(_field(source.path, line, fields, "word_column", Format(word_column)))
    if words:
        yield begins, words


def _fields(content: str) -> list[str]:
    """The columns of a line, separated by tabs or, where it has none, by blanks."""
    content = content.removesuffix("\r")
    if "\t" in content:
        return [field.strip(" ") for field in content.split("\t")]
    return [field for field in content.split(" ") if field]


def _word_and_tag(path: Path, line: int, fields: list[str], layout: Format) -> tuple[str, str]:
    if len(fields) < 2:
        raise DataError(f"{path}, line {line}: has one column, {fields[0]!r}; a word and its tag are expected")
    return _field(path, line, fields, "word_column", layout), _field(path, line, fields, "tag_column", layout)


def _field(path: Path, line: int, fields: list[str], name: str, layout: Format) -> str:
    column: int = getattr(layout, name)
    if not -len(fields) <= column < len(fields):
        numbers = f"0 to {len(fields) - 1}, or -1 to {-len(fields)} from the last"
        raise DataError(f"{path}, line {line}: no column task.{name}={column}; they are numbered {numbers}")
    if not fields[column]:
        raise DataError(f"{path}, line {line}: nothing in column task.{name}={column}")
    return fields[column]
