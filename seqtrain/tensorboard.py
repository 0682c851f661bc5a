"""What a run leaves for TensorBoard: one event file, or one for each time that it was resumed."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seqtrain.picture import Picture

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

EVENTS = "tensorboard"
"""The folder in a run's folder that holds its events."""


class EventFile:
    """The events of one run, opened when the first is written."""

    def __init__(self, folder: Path, resume_step: int | None = None) -> None:
        """Remembers where to write.

        Args:
            folder: The run folder.
            resume_step: The step a resumed run goes on from: TensorBoard forgets what was recorded past it.
        """
        self.folder = folder / EVENTS
        self.purge_step = None if resume_step is None else resume_step + 1

    @cached_property
    def writer(self) -> "SummaryWriter":
        """The writer, made when it is first needed: that loads TensorBoard."""
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(self.folder, purge_step=self.purge_step)

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Adds values, by names like `train/loss`, to their curves."""
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)

    def picture(self, step: int, picture: Picture) -> None:
        """Shows a picture: as an image, as images of its frames, or as text."""
        content = picture.content
        if isinstance(content, str):
            self.writer.add_text(picture.name, content, step)
        elif isinstance(content, np.ndarray):
            self.writer.add_images(picture.name, content[:, None], step, dataformats="NCHW")
        else:
            self.writer.add_figure(picture.name, content, step)

    def close(self) -> None:
        """Writes what is waiting and closes the file, if there is one."""
        if "writer" in self.__dict__:
            self.writer.close()
