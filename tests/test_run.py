from concurrent.futures import ThreadPoolExecutor

import pytest

from seqtrain.errors import CheckpointError, ConfigError
from seqtrain.run import CONFIG, keep_assets, read_tree, reserve


def test_runs_that_start_at_once_never_share_a_folder(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: reserve(tmp_path / "day" / "run"), range(24)))
    assert len(set(folders)) == 24
    assert {folder.name for folder in folders} == {"run", *(f"run-{n}" for n in range(2, 25))}


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"run_dir=.*file/run: can't be made"):
        reserve(tmp_path / "file" / "run")


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "not a run folder"), (b"- 1\n", "damaged"), (b"a: [", "damaged"), (b"\xff\xfe", "damaged")],
)
def test_a_folder_without_a_readable_configuration_is_refused(tmp_path, content, message):
    if content is not None:
        (tmp_path / CONFIG).write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        read_tree(tmp_path)


def test_a_resumed_run_refuses_data_that_gives_another_vocabulary(tmp_path):
    keep_assets(tmp_path, {"vocab.json": ["a", "b"]}, resumed=False)
    keep_assets(tmp_path, {"vocab.json": ["a", "b"]}, resumed=True)
    with pytest.raises(CheckpointError, match=r"vocab\.json: the data gives another"):
        keep_assets(tmp_path, {"vocab.json": ["a", "c"]}, resumed=True)
