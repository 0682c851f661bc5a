"""Exports models on every alignment and writes what came of it into docs/export.md: half a minute for each model.

python scripts/export_table.py            the rows of all models
python scripts/export_table.py lstm gru   those of these only; the others stay
"""

import sys
import tempfile
from pathlib import Path

import torch

from seqtrain.export.graphs import graphs
from seqtrain.export.parity import TOLERANCE, largest_difference
from seqtrain.export.programs import save_onnx, save_torch, trace
from seqtrain.words import words

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "export.md"
BEGIN, END = "<!-- table: written by scripts/export_table.py -->\n", "<!-- end of table -->"


def cell(word: str, kind: str, folder: Path) -> str:
    """The largest difference of any program of a model, or why there is none."""
    from tests.export.cases import KINDS, built, small

    task, decoder = KINDS[kind]
    model = built(small(word), task, decoder)
    if model is None:
        return "no such pair"
    worst = 0.0
    try:
        for graph in graphs(model, task):
            program = trace(graph)
            for run in (save_onnx(program, graph, folder / "p.onnx"), save_torch(program, folder / "p.pt2")):
                worst = max(worst, largest_difference(graph, run))
    except Exception as error:  # whatever goes wrong is what the table is to say
        return f"fails: {type(error).__name__}"
    return f"{worst:.0e}" if worst <= TOLERANCE else f"**strays by {worst:.0e}**"


def row(word: str) -> str:
    """The row of a model: one column for each alignment."""
    from tests.export.cases import KINDS

    with tempfile.TemporaryDirectory() as folder:
        return f"| `{word}` | {' | '.join(cell(word, kind, Path(folder)) for kind in KINDS)} |"


def write(word: str, found: str) -> None:
    """Puts a row in its place on the page."""
    from tests.export.cases import KINDS

    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    old, after = rest.split(END)
    rows = {line.split("`")[1]: line for line in old.splitlines()[2:]} | {word: found}
    head = [f"| `model=` | {' | '.join(KINDS)} |", "|---|" + "---|" * len(KINDS)]
    lines = [*head, *(rows.get(name, f"| `{name}` |" + " not run |" * len(KINDS)) for name in words("model"))]
    PAGE.write_text(before + BEGIN + "\n".join(lines) + "\n" + END + after, encoding="utf-8")


def main(chosen: list[str]) -> int:
    """Rewrites rows of the page, each as soon as it is known."""
    sys.path.insert(0, str(ROOT))
    torch.set_num_threads(1)
    for word in chosen or words("model"):
        write(word, row(word))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
