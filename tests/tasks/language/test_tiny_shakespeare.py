import pytest
import torch

from seqtrain.errors import ConfigError
from seqtrain.tasks import Split, TinyShakespeare


@pytest.fixture
def small(tmp_path, monkeypatch):
    folder = tmp_path / "tiny_shakespeare"
    folder.mkdir()
    (folder / "input.txt").write_text("".join(chr(ord("a") + number % 26) for number in range(1000)))
    monkeypatch.setattr("seqtrain.tasks.language.sources.obtain", lambda name, data_dir: data_dir / name)
    return tmp_path


def test_the_last_tenth_tests_and_the_end_of_the_rest_validates(small):
    content = (small / "tiny_shakespeare" / "input.txt").read_text()
    task = TinyShakespeare(val_fraction=0.2)
    task.prepare(small, 0)
    parts = [task.text_of(torch.from_numpy(task.examples(split).ids).long()) for split in Split]
    assert parts == [content[:720], content[720:900], content[900:]]


def test_the_share_is_a_share():
    with pytest.raises(ConfigError, match=r"^task\.val_fraction=1\.0: must be above 0 and below 1$"):
        TinyShakespeare(val_fraction=1.0)


@pytest.mark.real
def test_the_real_text_is_split_as_in_the_literature(data_dir):
    task = TinyShakespeare()
    task.prepare(data_dir, 0)
    sizes = [len(task.examples(split).ids) for split in Split]
    assert sizes == [953_661, 50_193, 111_540]
    assert sum(sizes[:2]) == 1_003_854
    assert len(task.vocabulary) == 65 + 4
    assert task.baseline()["bits"] == pytest.approx(4.745, abs=1e-3)
