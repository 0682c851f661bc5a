"""Data, vocabulary, loss and metrics of every task."""

from seqtrain.tasks.adding import Adding
from seqtrain.tasks.copy_memory import CopyMemory
from seqtrain.tasks.moving_mnist import MovingMNIST
from seqtrain.tasks.sentiment import Sentiment
from seqtrain.tasks.sequential_mnist import SequentialMNIST
from seqtrain.tasks.sine import Sine
from seqtrain.tasks.sst2 import SST2
from seqtrain.tasks.task import Split, Task

__all__ = ["SST2", "Adding", "CopyMemory", "MovingMNIST", "Sentiment", "SequentialMNIST", "Sine", "Split", "Task"]
