"""Data, vocabulary, loss and metrics of every task."""

from seqtrain.tasks.fsdd import FSDD
from seqtrain.tasks.sentiment import Sentiment
from seqtrain.tasks.sine import Sine
from seqtrain.tasks.speech import Speech
from seqtrain.tasks.sst2 import SST2
from seqtrain.tasks.task import Split, Task

__all__ = ["FSDD", "SST2", "Sentiment", "Sine", "Speech", "Split", "Task"]
