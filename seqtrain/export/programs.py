"""From a graph to a file that runs without us: by torch.export, and from there to ONNX."""

import contextlib
import logging
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram

from seqtrain.export.graphs import SIZES, Graph
from seqtrain.export.parity import ExportError, Program

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


def need_onnx() -> None:
    """Raises ExportError if a package that ONNX needs isn't installed; torch would find out later."""
    for name in ("onnx", "onnxscript", "onnxruntime"):
        if find_spec(name) is None:
            raise ExportError(f"{name} isn't installed: pip install 'seqtrain[export]', or leave out --format onnx")


def save_onnx(program: ExportedProgram, graph: Graph, path: Path) -> Program:
    """Writes a program as ONNX, and opens it with onnxruntime to be run."""
    import onnxruntime

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
    logs = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    before = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for log, level in zip(logs, before, strict=True):
            log.setLevel(level)
