import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from seqtrain.errors import CheckpointError, ConfigError
from seqtrain.runs.run_folder import CONFIG, JOB, held, keep_assets, read_tree, requeued, reserve


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


def test_a_run_is_trained_by_one_process_at_a_time(tmp_path):
    hold = "import sys; from pathlib import Path; from seqtrain.runs.run_folder import held\n"
    hold += f"with held(Path({str(tmp_path)!r})): print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(CheckpointError, match="another process is training this run"), held(tmp_path):
            pass
        other.kill()  # and what it held is free
    with held(tmp_path):
        pass


def test_a_job_that_was_put_back_goes_on_in_its_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    begun = tmp_path / "outputs" / "day" / "run"
    begun.mkdir(parents=True)
    (begun / JOB).write_text(json.dumps({"job": "7", "overrides": ["task=sine"]}))
    (begun / CONFIG).touch()
    now = tmp_path / "outputs" / "day" / "later"
    assert requeued(now, ["task=sine"]) is None
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    assert requeued(now, ["task=sine"]) == begun
    assert requeued(now, ["task=text"]) is None
    monkeypatch.setenv("SLURM_JOB_ID", "8")
    assert requeued(now, ["task=sine"]) is None
