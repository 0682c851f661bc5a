"""Data, vocabulary, loss and metrics of every task."""

from seqtrain.tasks.sentiment import Sentiment
from seqtrain.tasks.sine import Sine
from seqtrain.tasks.sst2 import SST2
from seqtrain.tasks.task import Split, Task
from seqtrain.tasks.text import Text
from seqtrain.tasks.tiny_shakespeare import TinyShakespeare

__all__ = ["SST2", "Sentiment", "Sine", "Split", "Task", "Text", "TinyShakespeare"]
