"""Data, vocabulary, loss and metrics of every task."""

from seqtrain.tasks.adding import Adding
from seqtrain.tasks.copy_memory import CopyMemory
from seqtrain.tasks.etth1 import ETTh1
from seqtrain.tasks.fsdd import FSDD
from seqtrain.tasks.moving_mnist import MovingMNIST
from seqtrain.tasks.multi30k import Multi30k
from seqtrain.tasks.ner import NER
from seqtrain.tasks.sentiment import Sentiment
from seqtrain.tasks.sequential_mnist import SequentialMNIST
from seqtrain.tasks.series import OwnSeries
from seqtrain.tasks.sine import Sine
from seqtrain.tasks.speech import Speech
from seqtrain.tasks.sst2 import SST2
from seqtrain.tasks.sunspots import Sunspots
from seqtrain.tasks.task import Split, Task
from seqtrain.tasks.text import Text
from seqtrain.tasks.tiny_shakespeare import TinyShakespeare
from seqtrain.tasks.translation import Translation
from seqtrain.tasks.wnut17 import WNUT17

__all__ = [
    "FSDD",
    "NER",
    "SST2",
    "WNUT17",
    "Adding",
    "CopyMemory",
    "ETTh1",
    "MovingMNIST",
    "Multi30k",
    "OwnSeries",
    "Sentiment",
    "SequentialMNIST",
    "Sine",
    "Speech",
    "Split",
    "Sunspots",
    "Task",
    "Text",
    "TinyShakespeare",
    "Translation",
]
