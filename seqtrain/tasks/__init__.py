"""Data, vocabulary, loss and metrics of every task."""

from seqtrain.tasks.ner import NER
from seqtrain.tasks.sentiment import Sentiment
from seqtrain.tasks.sine import Sine
from seqtrain.tasks.sst2 import SST2
from seqtrain.tasks.task import Split, Task
from seqtrain.tasks.wnut17 import WNUT17

__all__ = ["NER", "SST2", "WNUT17", "Sentiment", "Sine", "Split", "Task"]
