"""Data, vocabulary, loss and metrics of every task."""

from seqtrain.tasks.etth1 import ETTh1
from seqtrain.tasks.sentiment import Sentiment
from seqtrain.tasks.series import OwnSeries
from seqtrain.tasks.sine import Sine
from seqtrain.tasks.sst2 import SST2
from seqtrain.tasks.sunspots import Sunspots
from seqtrain.tasks.task import Split, Task

__all__ = ["SST2", "ETTh1", "OwnSeries", "Sentiment", "Sine", "Split", "Sunspots", "Task"]
