"""From a graph to a file that runs without us: by torch.export, and from there to ONNX."""

import contextlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram

from seqtrain.export.graphs import SIZES, Graph
from seqtrain.export.parity import ExportError, Program

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

OPSET = 20
"""The version of ONNX's operators that is written."""

TRACED = {"batch": 3, "steps": 5, "letters": 4, "written": 2}
"""Sizes of the batch by which a graph is followed; all differ, so that none is taken for another."""


@torch.no_grad()
def trace(graph: Graph) -> ExportedProgram:
    """Follows a graph once, for inputs of any size."""
    dims = {name: Dim(name) for name in SIZES}
    dynamic = tuple({i: dims[n] for i, n in enumerate(port.shape) if isinstance(n, str)} for port in graph.inputs)
    with quiet():
        return torch.export.export(graph, graph.draw(TRACED, seed=0), dynamic_shapes=(dynamic,), strict=False)


def save_torch(program: ExportedProgram, path: Path) -> Program:
    """Writes a program for torch.export.load, and reads it again to be run."""
    with quiet():
        torch.export.save(program, path)
        module = torch.export.load(path).module()

    def run(inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(module(*inputs))

    return run


def save_onnx(program: ExportedProgram, graph: Graph, path: Path) -> Program:
    """Writes a program as ONNX, and opens it with onnxruntime to be run.

    Raises:
        ExportError: If a package for it isn't installed.
    """
    try:
        import onnx  # noqa: F401  # torch asks for both only after some seconds of work
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ExportError(f"needs the package {error.name}: pip install 'seqtrain[export]'") from None
    inputs, outputs = ([port.name for port in ports] for ports in (graph.inputs, graph.outputs))
    with quiet():
        written = torch.onnx.export(
            program, (), input_names=inputs, output_names=outputs, opset_version=OPSET, dynamo=True, verbose=False
        )
        assert written is not None
        written.save(path)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # no word on what it makes simpler
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        named = {name: tensor.numpy() for name, tensor in zip(inputs, tensors, strict=True)}
        return tuple(torch.from_numpy(found) for found in session.run(outputs, named))

    return run


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps back what the exporters warn of among themselves: parts of torch that other parts shouldn't use."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
