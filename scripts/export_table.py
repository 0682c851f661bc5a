"""Exports every model on every alignment and writes what came of it into docs/export.md; takes some minutes.

python scripts/export_table.py          rewrites the table
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


def table() -> str:
    """One row for each model, one column for each alignment."""
    from tests.export.cases import KINDS

    torch.set_num_threads(1)
    rows = [f"| `model=` | {' | '.join(KINDS)} |", "|---|" + "---|" * len(KINDS)]
    with tempfile.TemporaryDirectory() as folder:
        for word in words("model"):
            cells = [cell(word, kind, Path(folder)) for kind in KINDS]
            rows.append(f"| `{word}` | {' | '.join(cells)} |")
            sys.stderr.write(rows[-1] + "\n")
    return "\n".join(rows) + "\n"


def main() -> int:
    """Rewrites the part of the page between the two marks."""
    sys.path.insert(0, str(ROOT))
    written = table()
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    PAGE.write_text(before + BEGIN + written + END + rest.split(END)[1], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
