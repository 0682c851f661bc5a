"""What the files of conf, and the classes that they name, say of each word and each option."""

import inspect
import itertools
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.resources.abc import Traversable
from typing import NamedTuple

from seqtrain.words import summary

CLASSES = {"trainer": "seqtrain.training.trainer_config.TrainerConfig", "decoder": "seqtrain.models.DecoderSpec"}
"""What the options of a group belong to whose words name no class."""
NAMED = re.compile(r"(Paper|When|Command): ")
"""What a paragraph of a header begins with, where it says what it is about."""


class Option(NamedTuple):
    """One line of a word's file: an option, what it is if it is left alone, and what is said of it."""

    section: str
    key: str
    default: str
    said: str


def paragraphs(file: Traversable) -> Iterator[str]:
    """The header of a file behind its first line; a paragraph begins where a line names what it is about."""
    lines = itertools.takewhile(lambda line: line.startswith("#"), file.read_text("utf-8").splitlines())
    said = [line.removeprefix("#") for line in lines if not line.startswith("# @package")]
    text = ""
    for line in said[1:]:
        ended = text.startswith("Command: ") and not line.startswith("  ")
        if ended or not line.strip() or NAMED.match(line.strip()):
            yield from filter(None, [text])
            text = ""
        text = f"{text} {line.strip()}".strip()
    yield from filter(None, [text])


def options_of(file: Traversable) -> list[Option]:
    """The options of a file, under the comment that stands above each part of them."""
    lines = file.read_text("utf-8").splitlines()
    body = itertools.dropwhile(lambda line: line.startswith("#"), lines)
    found: list[Option] = []
    section, commenting = "", False
    for line in body:
        if line.startswith("#"):
            section = f"{section} {line[1:].strip()}" if commenting else line[1:].strip()
        elif match := re.match(r"(\w+): +(.*?)(?: +# (.*))?$", line):
            key, default, said = match.groups()
            if key != "_target_":
                found.append(Option(section, key, default, said or ""))
        commenting = line.startswith("#")
        if not line:
            section = ""
    return found


@cache
def attributes(path: str) -> dict[str, str]:
    """What the docstrings of a class and of those above it say of each attribute, in the words of YAML."""
    module, name = path.rsplit(".", 1)
    found: dict[str, str] = {}
    for kind in reversed(getattr(import_module(module), name).__mro__):
        doc = inspect.cleandoc(kind.__doc__ or "")
        listed = re.search(r"^(?:Attributes|Args):\n((?:(?: +.*)?\n?)+)", doc, flags=re.M)
        elsewhere: dict[str, str] = {}
        for key, lines in re.findall(r"^    (\w+): (.*(?:\n {5,}.*)*)", listed[1] if listed else "", flags=re.M):
            said = " ".join(lines.split())
            if see := re.search(r"See `(\w+)`.*", said):
                elsewhere = attributes(place) if (place := path_of(see[1])) else {}
                said = said.removesuffix(see[0]).strip()
            told = elsewhere.get(key, "") if said in ("", "Likewise.") else said
            found[key] = re.sub(r"\bNone\b", "null", told)
    return found


def path_of(name: str) -> str | None:
    """Where the class of this name is, among all that has been imported; None if it is no class."""
    kinds = (vars(module).get(name) for path, module in sys.modules.items() if path.startswith("seqtrain."))
    kind = next(filter(inspect.isclass, kinds), None)
    return kind and f"{kind.__module__}.{name}"


def meaning(option: Option, path: str) -> str:
    """What the file says of an option; what its class says where that is nothing, or only what some value does."""
    known = attributes(path).get(option.key, "").removesuffix(".")
    if known[1:2].islower():  # no abbreviation
        known = known[0].lower() + known[1:]
    if not known or not re.match(r"(?:null|or|likewise|of|in)\b|$", option.said):
        return option.said
    if (other := re.match(r"or (\w+)", option.said)) and other[1] in known:
        return known
    if re.match(r"(?:null|or)\b", option.said):
        known = re.sub(r"(?:^|[;.,] )null (?:is|takes|splits|cuts|makes|leaves|:) .*?(?=[;.]\s|$)", "", known)
        return "; ".join(filter(None, [known, option.said]))
    return known


def plain(text: str) -> str:
    """Text in which nothing is Markdown."""
    return re.sub(r"([*|<\[\]{}])", lambda found: "&#" + str(ord(found[1])) + ";", text)


def table_of_options(group: str, file: Traversable) -> str:
    """All options of a word, part by part."""
    text = file.read_text("utf-8")
    target = re.search(r"^_target_: (\S+)", text, flags=re.M)
    path = target[1] if target else CLASSES[group]
    lines: list[str] = []
    for section, some in itertools.groupby(options_of(file), lambda option: option.section):
        lines += ["", plain(section), ""] if section else [""]
        lines += [f"| `{group}.` | default | |", "|---|---|---|"]
        lines += [f"| `{each.key}` | `{each.default}` | {plain(meaning(each, path))} |" for each in some]
    return "\n".join(lines) + "\n"


def about(file: Traversable) -> str:
    """The header of a file: its summary, and what it says further."""
    said = [plain(summary(file))]
    for each in paragraphs(file):
        command = each.removeprefix("Command: ")
        said.append(f"```sh\n{command}\n```" if command != each else NAMED.sub(r"**\1:** ", plain(each)))
    return "\n\n".join(said) + "\n"
