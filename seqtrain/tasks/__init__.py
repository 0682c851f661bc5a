"""Data, vocabulary, loss and metrics of every task."""

from seqtrain.tasks.multi30k import Multi30k
from seqtrain.tasks.sentiment import Sentiment
from seqtrain.tasks.sine import Sine
from seqtrain.tasks.sst2 import SST2
from seqtrain.tasks.task import Split, Task
from seqtrain.tasks.translation import Translation

__all__ = ["SST2", "Multi30k", "Sentiment", "Sine", "Split", "Task", "Translation"]
