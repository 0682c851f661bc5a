"""The Chinese README says what the English one says."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
ENGLISH, CHINESE = ((REPOSITORY / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh-CN.md"))
SAME = {
    "headings": r"^(#+) ",
    "kinds of blocks": r"^```(\w*)$",
    "words": r"^\| `([a-z0-9_.]+)` \|",
    "links": r"\]\(([^)]+)\)",
    "figures": r"\d+(?:\.\d+)? ± \d+\.\d+",
    "pictures": r"!\[[^\]]+\]\(([^)]+)\)",
}


def commands(text: str) -> list[str]:
    """The lines of the shell blocks, without their comments."""
    blocks = re.findall(r"^```sh\n(.*?)^```", text, flags=re.M | re.S)
    return [line.partition(" #")[0].strip() for block in blocks for line in block.splitlines()]


def test_both_have_the_same_commands():
    assert commands(ENGLISH) == commands(CHINESE)


@pytest.mark.parametrize("kind", SAME)
def test_both_have_the_same(kind):
    english, chinese = (sorted(re.findall(SAME[kind], text, flags=re.M)) for text in (ENGLISH, CHINESE))
    mutual = {"README.md", "README.zh-CN.md"}
    assert [each for each in english if each not in mutual] == [each for each in chinese if each not in mutual]
    assert english
