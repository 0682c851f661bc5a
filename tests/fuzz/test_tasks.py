"""Whatever is done to a user's data file, a task reads it rightly or refuses it in one line that names it."""

import gzip
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from seqtrain.tasks import NER, MovingMNIST, OwnSeries, Sentiment, Speech, Split, Task, Text, Translation
from tests.fuzz.damage import Change, damage, damaged, refusal_of, soup

RANDOM = np.random.default_rng(0)


def text_rows(form: str) -> bytes:
    return "".join(form.format(text=f"good film {n}", label="pos" if n % 2 else "neg") for n in range(20)).encode()


def saved(write: Callable[..., None], *args, **options) -> bytes:
    file = io.BytesIO()
    write(file, *args, **options)
    return file.getvalue()


def dates(rows: int) -> bytes:
    return b"date,a,b\n" + b"".join(b"2020-01-%02d,%d,%.3f\n" % (n + 1, n * n, 1 / (n + 1)) for n in range(rows))


FILMS = RANDOM.integers(256, size=(12, 3, 12, 12)).astype(np.uint8)
WAVE = RANDOM.normal(0, 0.1, 400).astype(np.float32)
PAIRS = b"".join(b"ein Haus %d\n" % n for n in range(20))
CONLL = b"\n".join(b"Anna%d\tB-person\nin\tO\nRome\tI-place\n" % n for n in range(20))


@dataclass(frozen=True)
class Case:
    """A file that is whole, and the task that reads it."""

    name: str
    whole: bytes
    task: Callable[[Path], Task]


def series(path: Path) -> Task:
    return OwnSeries(path=path, date_column="date", lookback=4, horizon=1, calendar=True)


def pairs(path: Path) -> Task:
    partner = path.with_name("partner.txt")
    partner.write_bytes(PAIRS)
    return Translation(path=path, target_path=partner)


def sounds(path: Path) -> Task:
    """One damaged sound among whole ones."""
    for n in range(8):
        path.with_name(f"{n}.wav").write_bytes(SOUND)
    rows = [f"{path.name},a\n", *(f"{n}.wav,{'ab'[n % 2]}\n" for n in range(8))]
    manifest = path.with_name("manifest.csv")
    manifest.write_text("path,label\n" + "".join(rows))
    return Speech(path=manifest, val_fraction=0.3, test_fraction=0.3)


def listed(path: Path) -> Task:
    """The damaged list of whole sounds."""
    sounds(path.with_name("whole.wav"))
    return Speech(path=path)


SOUND = saved(soundfile.write, WAVE, 8000, format="WAV")


def films(path: Path) -> Task:
    return MovingMNIST(path=path, frames_in=2, frames_out=1)


CASES = [
    Case("a.tsv", b"text\tlabel\n" + text_rows("{text}\t{label}\n"), lambda path: Sentiment(path=path)),
    Case("a.csv", b"label,text\n" + text_rows('{label},"{text}, ""so"""\n'), lambda path: Sentiment(path=path)),
    Case("a.jsonl", text_rows('{{"text": "{text}", "label": "{label}"}}\n'), lambda path: Sentiment(path=path)),
    Case("plain.tsv", text_rows("{text}\t{label}\n"), lambda path: Sentiment(path=path, header=False)),
    Case("a.txt", text_rows("{text}, {label}: \u00fc.\r\n"), lambda path: Text(path=path, steps=5)),
    Case("words.txt", text_rows("{text}, {label}.\n"), lambda path: Text(path=path, steps=5, level="words")),
    Case("dates.csv", dates(30), series),
    Case("no_dates.csv", dates(30), lambda path: OwnSeries(path=path, lookback=4, horizon=1)),
    Case("a.conll", CONLL, lambda path: NER(path=path)),
    Case("lines.txt", PAIRS, pairs),
    Case("lines.gz", gzip.compress(PAIRS, mtime=0), pairs),
    Case("films.npy", saved(np.save, FILMS), films),
    Case("films.npz", saved(np.savez, FILMS), films),
    Case("small.npz", saved(np.savez_compressed, FILMS), films),
    Case("a.wav", SOUND, sounds),
    Case("a.flac", saved(soundfile.write, WAVE, 16000, format="FLAC"), sounds),
    Case("list.csv", b"path,label\n" + b"".join(b"%d.wav,%c\n" % (n % 8, b"ab"[n % 2]) for n in range(30)), listed),
]
by_name = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])


def use(task: Task, folder: Path) -> None:
    """Reads the data to train and validate on, and what is kept of them."""
    task.prepare(folder, seed=0)
    for split in (Split.TRAIN, Split.VAL):
        examples = task.examples(split)
        examples.batch(np.arange(min(4, len(examples))), 0)
    task.restore(task.assets())


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("damaged")


def said_of(case: Case, content: bytes, folder: Path) -> str | None:
    path = folder / case.name
    path.write_bytes(content)
    return refusal_of(lambda: use(case.task(path), folder), case.name, "task.")


@by_name
def test_a_whole_file_is_read(case, folder):
    assert said_of(case, case.whole, folder) is None


@by_name
@given(done=damage)
def test_a_damaged_file_is_read_or_refused(case, folder, done: list[Change]):
    said_of(case, damaged(case.whole, done), folder)


@by_name
@given(data=st.data())
def test_any_bytes_are_read_or_refused(case, folder, data: st.DataObject):
    said_of(case, data.draw(st.binary(max_size=200) | soup(case.whole)), folder)
