"""Real data: which files there are, how they get onto the disk, and a cache of what is made from them.

A leaf of the package: it knows nothing of ours but errors, so that tasks may ask it for files.
"""

from seqtrain.data.cache import cache_folder, cache_size, cached, clear_cache, fingerprint
from seqtrain.data.datasets import DATASETS, DataSet, RemoteFile
from seqtrain.data.download import Connection
from seqtrain.data.fetch import is_present, obtain, verify
from seqtrain.data.gzipped import WHAT_BAD_GZIPS_RAISE, decompress

__all__ = [
    "DATASETS",
    "WHAT_BAD_GZIPS_RAISE",
    "Connection",
    "DataSet",
    "RemoteFile",
    "cache_folder",
    "cache_size",
    "cached",
    "clear_cache",
    "decompress",
    "fingerprint",
    "is_present",
    "obtain",
    "verify",
]
