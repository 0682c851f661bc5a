"""`seqtrain export RUN`: writes a trained model for use elsewhere, and checks what it wrote."""

import json
import sys
from pathlib import Path

from seqtrain.cli.parser import Parser
from seqtrain.export import FORMATS


def main(arguments: list[str]) -> int:
    """Exports one run."""
    parser = Parser(
        prog="seqtrain export",
        description="Writes a trained model for use elsewhere. Programs are compared with the model, on batches of "
        "many shapes; if they stray from it by more than 1e-5, nothing is written.",
    )
    parser.add_argument("run", metavar="RUN", help="a run folder, or `last` for the newest one below outputs")
    parser.add_argument(
        "--format",
        nargs="+",
        choices=FORMATS,
        default=FORMATS,
        metavar="FORMAT",
        help="safetensors: the weights; onnx: a program for onnxruntime and others; torch: one for torch.export.load; "
        "without this, all three",
    )
    parser.add_argument("--output", type=Path, metavar="DIR", help="where to; by default the folder export in RUN")
    parser.add_argument("--checkpoint", choices=("best", "last"), default="best", help="whose weights; by default best")
    parser.add_argument("--json", action="store_true", help="for programs: print what model.json holds, and where")
    options = parser.parse_args(arguments)

    from seqtrain.export.folder import export
    from seqtrain.runs.trained import load

    trained = load(options.run, options.checkpoint, device="cpu")
    say = (lambda _: None) if options.json else (lambda line: print_line(f"  {line}"))
    exported = export(trained, options.format, options.output, say)
    if options.json:
        print_line(json.dumps({"folder": str(exported.folder), **exported.description}, indent=2))
    else:
        print_line(f"{exported.folder}: exported; model.json there says what goes in and what comes out")
    return 0


def print_line(line: str) -> None:
    """Prints at once: the next line may take a while."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
