"""What a run leaves for TensorBoard: one event file, or one for each time that it was resumed."""

import contextlib
import io
import struct
import threading
import warnings
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from seqtrain.batch import Batch
from seqtrain.logs.histogram import Histogram
from seqtrain.logs.hyperparameters import Value
from seqtrain.model import Model
from seqtrain.picture import Picture, Scores, Sound, Vectors, gif

if TYPE_CHECKING:
    from tensorboard.compat.proto.summary_pb2 import Summary
    from torch.utils.tensorboard import SummaryWriter

EVENTS = "tensorboard"
"""The folder in a run's folder that holds its events."""
LONGEST_REASON = 200
"""Characters of what a tracer complains of, which may go on for pages."""


class EventFile:
    """The events of one run, opened when the first is written."""

    def __init__(self, folder: Path, step: int = 0) -> None:
        """Remembers where to write.

        Args:
            folder: The run folder.
            step: Where the run goes on from: TensorBoard forgets what was recorded past it.
        """
        self.folder = folder / EVENTS
        self.purge_step = step + 1 if self.folder.exists() else None

    @cached_property
    def writer(self) -> "SummaryWriter":
        """The writer, made when it is first needed: that loads TensorBoard."""
        from torch.utils.tensorboard import SummaryWriter

        threading.excepthook = quiet_on_full_disks
        return SummaryWriter(self.folder, purge_step=self.purge_step)

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Adds values, by names like `train/loss`, to their curves."""
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)

    def histograms(self, step: int, values: dict[str, Histogram]) -> None:
        """Adds histograms, by names like `gates/core.layers.0.0/forget`."""
        for name, each in values.items():
            self.writer.add_histogram_raw(
                name,
                min=each.least,
                max=each.most,
                num=sum(each.counts),
                sum=each.total,
                sum_squares=each.squares,
                bucket_limits=each.limits(),
                bucket_counts=each.counts,
                global_step=step,
            )

    def texts(self, step: int, texts: dict[str, str]) -> None:
        """Adds Markdown, by names like `run/parts`."""
        for name, text in texts.items():
            self.writer.add_text(name, text, step)

    def picture(self, step: int, picture: Picture, group: str = "pictures") -> None:
        """Shows a picture on the page for its kind: images (films too), text, audio, curves, or the projector.

        Args:
            step: After which it was drawn; one that comes after a later one of its group would push that out.
            picture: What to show.
            group: What it is shown among.
        """
        name, content = f"{group}/{picture.name}", picture.content
        match content:
            case str():
                self.writer.add_text(name, content, step)
            case np.ndarray():
                _, height, width = content.shape
                self._image(step, name, gif(content), height, width)  # in place of an image, as browsers show both
            case Sound():
                self.writer.add_audio(name, content.samples.clip(-1, 1)[None], step, content.rate_hz)
            case Scores():
                self.writer.add_pr_curve(name, content.truth, content.chances, step)
            case Vectors():
                keep_vectors(self.folder, picture.name, content)
            case _:
                width, height = struct.unpack(">II", picture.png[16:24])  # where every PNG has them
                self._image(step, name, picture.png, height, width)

    def _image(self, step: int, name: str, encoded: bytes, height: int, width: int) -> None:
        """An image that is encoded already; the writer's own methods would draw a figure once more."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=encoded)
        self._add(Summary(value=[Summary.Value(tag=name, image=image)]), step)

    def hyperparameters(self, values: dict[str, Value], metrics: Iterable[str]) -> None:
        """Enters the run in the table of runs.

        Args:
            values: Its columns on the left.
            metrics: Names of scalars whose latest values stand on the right, once they have been recorded.
        """
        from torch.utils.tensorboard.summary import hparams

        for summary in hparams(values, dict.fromkeys(metrics, 0.0)):
            self._add(summary)

    def _add(self, summary: "Summary", step: int = 0) -> None:
        """Adds what the writer has no method for to its file; its own table of hyperparameters opens another one."""
        file: Any = self.writer.file_writer
        file.add_summary(summary, step)

    def graph(self, model: Model, batch: Batch) -> str | None:
        """Draws the model as its operations, from one batch read without gradients.

        Args:
            model: In evaluation mode.
            batch: On the model's device.

        Returns:
            Why it couldn't be drawn, or None.
        """
        # Tracing warns of every size it takes for a constant, and prints what it can't follow.
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
            warnings.simplefilter("ignore")
            try:
                # Traced here, as the writer would compare two traces and take other names for other graphs.
                traced = torch.jit.trace(Answers(model, batch), batch.inputs, check_trace=False)
                self.writer.add_graph(traced, batch.inputs)
            except Exception as error:  # a tracer fails in as many ways as models are written
                return " ".join(f"{type(error).__name__}: {error}".split())[:LONGEST_REASON]
        return None

    def close(self) -> None:
        """Writes what is waiting and closes the file, if there is one."""
        if "writer" in self.__dict__:
            self.writer.close()


class Answers(nn.Module):
    """A model's answers as a tracer wants them: of one tensor."""

    def __init__(self, model: Model, batch: Batch) -> None:
        super().__init__()
        self.model = model
        self.batch = batch

    def forward(self, inputs: Tensor) -> Tensor:
        batch = self.batch
        outputs: Tensor
        outputs, _ = self.model(Batch(inputs, batch.lengths, batch.targets, batch.indices, batch.target_lengths))
        return outputs


def keep_vectors(folder: Path, name: str, vectors: Vectors) -> None:
    """Leaves vectors in a folder of events as the projector reads them, in place of what it had to show."""
    np.savetxt(folder / f"{name}.tsv", vectors.points, fmt="%.5g", delimiter="\t")
    (folder / f"{name}-names.tsv").write_text("".join(f"{each}\n" for each in vectors.names), encoding="utf-8")
    (folder / "projector_config.pbtxt").write_text(
        f'embeddings {{\n  tensor_name: "{name}"\n  tensor_path: "{name}.tsv"\n'
        f'  metadata_path: "{name}-names.tsv"\n}}\n',
        encoding="utf-8",
    )


def quiet_on_full_disks(failure: threading.ExceptHookArgs) -> None:
    """Leaves an OSError of TensorBoard's writing thread to the next call of the writer, which raises it again."""
    from tensorboard.summary.writer.event_file_writer import _AsyncWriterThread

    if not (isinstance(failure.thread, _AsyncWriterThread) and isinstance(failure.exc_value, OSError)):
        threading.__excepthook__(failure)
