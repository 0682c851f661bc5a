"""Writes the README's tables of models and tasks from the headers of conf.

python scripts/readme_words.py          rewrites README.md
python scripts/readme_words.py --check  exits with 1 if it isn't up to date
"""

import sys
from pathlib import Path

from seqtrain.words import built_in, summary

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- words: written by scripts/readme_words.py -->\n", "<!-- end of words -->"


def tables() -> str:
    """A section for each group that a newcomer chooses from."""
    sections = []
    for group in ("model", "task", "optimizer", "scheduler"):
        rows = "\n".join(f"| `{word}` | {summary(file)} |" for word, file in built_in(group).items())
        sections.append(f"\n## {group.capitalize()}s\n\n| `{group}=` | |\n|---|---|\n{rows}\n")
    return "".join(sections) + "\n"


def main() -> int:
    """Rewrites the part of the README between the two marks."""
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    wanted = before + BEGIN + tables() + END + after
    if "--check" in sys.argv[1:]:
        return int(wanted != text)
    README.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
