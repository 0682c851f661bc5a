"""Data, vocabulary, loss and metrics of every task."""

from seqtrain.tasks.classification.sentiment import Sentiment
from seqtrain.tasks.classification.sst2 import SST2
from seqtrain.tasks.images.moving_mnist import MovingMNIST
from seqtrain.tasks.images.sequential_mnist import SequentialMNIST
from seqtrain.tasks.language.text import Text
from seqtrain.tasks.language.tiny_shakespeare import TinyShakespeare
from seqtrain.tasks.probes.adding import Adding
from seqtrain.tasks.probes.copy_memory import CopyMemory
from seqtrain.tasks.series.etth1 import ETTh1
from seqtrain.tasks.series.series import OwnSeries
from seqtrain.tasks.series.sine import Sine
from seqtrain.tasks.series.sunspots import Sunspots
from seqtrain.tasks.speech.fsdd import FSDD
from seqtrain.tasks.speech.speech import Speech
from seqtrain.tasks.tagging.ner import NER
from seqtrain.tasks.tagging.wnut17 import WNUT17
from seqtrain.tasks.task import Split, Task
from seqtrain.tasks.translation.multi30k import Multi30k
from seqtrain.tasks.translation.translation import Translation

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
