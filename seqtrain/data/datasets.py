"""The real data sets: their files, where each comes from, and what it must be, byte for byte.

Every URL is pinned to a commit, every file to its sha256. A folder of data holds one folder for each
set, by its name, with exactly these files.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from seqtrain.data.packing import Packing


@dataclass(frozen=True)
class RemoteFile:
    """One file of a data set.

    Attributes:
        name: In the folder of its set.
        size_bytes: What it must have.
        sha256: What it must have.
        urls: Where it comes from; each is tried until one serves it.
        packing: For a file that is packed here from a downloaded zip; size and sha256 are then of its members.
    """

    name: str
    size_bytes: int
    sha256: str
    urls: tuple[str, ...]
    packing: Packing | None = None

    def size_of(self, path: Path) -> int:
        """The size of the file at this path, counted as `size_bytes` is."""
        return self.packing.size(path) if self.packing else path.stat().st_size

    def sha256_of(self, path: Path) -> str:
        """The hash of the file at this path, taken as `sha256` is."""
        return self.packing.sha256(path) if self.packing else sha256_of(path)


@dataclass(frozen=True)
class DataSet:
    """A data set.

    Attributes:
        name: Also the name of its folder.
        summary: One line on it.
        licence: What its source says; `not stated` where it says nothing.
        files: All of them.
    """

    name: str
    summary: str
    licence: str
    files: tuple[RemoteFile, ...]

    @property
    def size_bytes(self) -> int:
        """Of all files."""
        return sum(file.size_bytes for file in self.files)


def sha256_of(path: Path) -> str:
    """The sha256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def github(place: str, *files: tuple[str, int, str], mirror: str | None = None) -> tuple[RemoteFile, ...]:
    """Files of a repository on GitHub.

    Args:
        place: Owner, repository, commit and folder, with slashes between them.
        files: Name, bytes and sha256 of each.
        mirror: A URL that serves the same files below it.
    """
    bases = [f"https://raw.githubusercontent.com/{place}", *([mirror] if mirror else [])]
    return tuple(
        RemoteFile(name, size_bytes, sha256, tuple(f"{base}/{name}" for base in bases))
        for name, size_bytes, sha256 in files
    )


_JASON_BROWNLEE = "jbrownlee/Datasets/d20fcb6402ae34e653d4513b00f39257bb37ed7f"

_ALL = (
    DataSet(
        "airline_passengers",
        "airline passengers by month, 1949 to 1960",
        "not stated",
        github(
            _JASON_BROWNLEE,
            ("airline-passengers.csv", 2_180, "8cb51be753a718d9be5d76d7e238cc224792754676adc21faa59e954b0201621"),
        ),
    ),
    DataSet(
        "etth1",
        "ETTh1: 17,420 hours of a power transformer's load and oil temperature",
        "CC BY-ND 4.0",
        github(
            "zhouhaoyi/ETDataset/1d16c8f4f943005d613b5bc962e9eeb06058cf07/ETT-small",
            ("ETTh1.csv", 2_589_657, "f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066"),
        ),
    ),
    DataSet(
        "fsdd",
        "Free Spoken Digit Dataset: 3,000 digits, spoken by 6 people",
        "CC BY-SA 4.0",
        (
            RemoteFile(
                "fsdd-recordings.zip",
                21_128_848,
                "28efb44718ad4037b0cf1d720eec498ae22edbb0d5df4ac78660f33f090adbbc",
                (
                    "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/"
                    "26eb9aaf76e81b692f806f9140c2d2777410d7a1.zip",
                ),
                Packing("recordings", ".wav", count=3_000, limit_bytes=100_000_000),
            ),
        ),
    ),
    DataSet(
        "mnist",
        "MNIST: 60,000 / 10,000 handwritten digits",
        "not stated",
        github(
            "fgnt/mnist/ae608a02b796c9ee908c082585a5f006fe05258e",
            (
                "t10k-images-idx3-ubyte.gz",
                1_648_877,
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            ),
            ("t10k-labels-idx1-ubyte.gz", 4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
            (
                "train-images-idx3-ubyte.gz",
                9_912_422,
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            ),
            ("train-labels-idx1-ubyte.gz", 28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
            mirror="https://ossci-datasets.s3.amazonaws.com/mnist",
        ),
    ),
    DataSet(
        "multi30k",
        "Multi30k: 29,000 / 1,014 / 1,000 captions in English and German",
        "not stated",
        github(
            "multi30k/dataset/a3d2e0d26b56f3846f66a952536ffed4e401d05a/data/task1/raw",
            ("test_2016_flickr.de.gz", 22_890, "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8"),
            ("test_2016_flickr.en.gz", 21_077, "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9"),
            ("train.de.gz", 637_044, "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6"),
            ("train.en.gz", 568_929, "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f"),
            ("val.de.gz", 24_681, "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a"),
            ("val.en.gz", 21_650, "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28"),
        ),
    ),
    DataSet(
        "names",
        "32,033 first names of the USA",
        "MIT",
        github(
            "karpathy/makemore/988aa59e4d8fefa526d06f3b453ad116258398d4",
            ("names.txt", 228_145, "0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d"),
        ),
    ),
    DataSet(
        "sst2",
        "SST-2: 6,920 / 872 / 1,821 sentences from film reviews, negative or positive",
        "not stated",
        github(
            "clairett/pytorch-sentiment-classification/457ffd83de90a9d6d472d8ffc31bbffe40a8b236/data/SST2",
            ("dev.tsv", 92_057, "eddea6b39e601dd4e7a672b53cc40fdf6019fa80522f351206c24340ca5d9359"),
            ("test.tsv", 188_749, "831169c7e2e429d6026e1bdbb542f33b636e3e596caad9602ebc953c205928b7"),
            ("train.tsv", 720_259, "ec192f833a64da08f475488a77b0d0b47db47acd0f458bd18433fc793b569920"),
        ),
    ),
    DataSet(
        "sunspots",
        "sunspots by month, 1749 to 1983",
        "not stated",
        github(
            _JASON_BROWNLEE,
            ("monthly-sunspots.csv", 45_039, "c4ec8cc57d9f6fb6ecdb3e1f37f25b6f4badd5124c55931052b0cd2fc3bc71f3"),
        ),
    ),
    DataSet(
        "tiny_shakespeare",
        "plays by Shakespeare: 1,115,394 characters",
        "MIT",
        github(
            "karpathy/char-rnn/6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e/data/tinyshakespeare",
            ("input.txt", 1_115_394, "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"),
        ),
    ),
    DataSet(
        "wnut17",
        "WNUT 2017: 3,394 / 1,009 / 1,287 sentences with six types of emerging entities",
        "CC BY 4.0",
        github(
            "leondz/emerging_entities_17/e52a2d2a71ac1a051ca2d532eef28653c5c02603",
            ("emerging.dev.conll", 114_749, "e053b752b8155113ca66e7db08af5f2f5f43ab993694e4774f1ec5bad42312d8"),
            ("emerging.test.annotated", 192_425, "2aa79b764e56ec9264a1b30fdd9b70195bd00ff400b62edd8f399d5f13c178f0"),
            ("wnut17train.conll", 493_781, "731820e13f71af324c6b55a1575ec2ce59fbaa2a0806f8f0400b98d56cd6a7a5"),
        ),
    ),
)

DATASETS: dict[str, DataSet] = {each.name: each for each in _ALL}
"""Every data set by its name."""
