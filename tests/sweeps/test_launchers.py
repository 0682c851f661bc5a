"""What each job of a sweep gets of the machine."""

import signal
import sys
import time

import pytest
import torch

from seqtrain.errors import ConfigError
from seqtrain.sweeps import Local, launchers, locked
from seqtrain.sweeps.launchers import environments, gpus


def test_cores_are_shared_out_among_jobs():
    found = environments(3, [], cores=8, threads=None, given={"PATH": "x"})
    assert found == [{"PATH": "x", "OMP_NUM_THREADS": "2"}] * 3
    assert environments(16, [], cores=8, threads=None, given={})[0] == {"OMP_NUM_THREADS": "1"}


def test_a_single_place_is_left_alone():
    assert environments(1, ["0", "1"], cores=8, threads=None, given={"A": "b"}) == [{"A": "b"}]


def test_threads_that_the_user_set_stand_and_the_option_goes_above():
    given = {"OMP_NUM_THREADS": "5"}
    assert environments(2, [], 8, None, given) == [given] * 2
    assert environments(2, [], 8, 3, given) == [{"OMP_NUM_THREADS": "3"}] * 2


def test_each_place_has_a_gpu_and_they_are_shared_by_turns():
    found = environments(5, ["2", "GPU-7"], 8, 1, {"CUDA_VISIBLE_DEVICES": "2,GPU-7"})
    assert [each["CUDA_VISIBLE_DEVICES"] for each in found] == ["2", "GPU-7", "2", "GPU-7", "2"]


def test_with_fewer_places_than_gpus_each_has_several():
    found = environments(2, ["0", "1", "2"], 8, 1, {})
    assert [each["CUDA_VISIBLE_DEVICES"] for each in found] == ["0,2", "1"]


def test_gpus_are_those_that_the_user_left_visible(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert gpus({}) == ["0", "1"]
    assert gpus({"CUDA_VISIBLE_DEVICES": "3, 5"}) == ["3", "5"]


def test_there_are_as_many_places_as_gpus_unless_told(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    crew = Local(threads=2).open(tmp_path, 0)
    assert (crew.places, crew.describe()) == (4, "4 at a time, 2 threads each, on 4 GPUs")
    assert Local(jobs=8, threads=1).open(tmp_path, 0).describe() == "8 at a time, 1 thread each, on 4 GPUs"
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert Local().open(tmp_path, 0).describe() == "1 at a time"


@pytest.mark.parametrize("option", ["jobs", "threads"])
def test_less_than_one_is_refused(option):
    with pytest.raises(ConfigError, match=f"launcher.{option}=0: must be at least 1"):
        Local(**{option: 0})


@pytest.fixture
def script(monkeypatch):
    """Makes jobs of this machine run a line of Python instead of a training."""

    def told(code: str) -> None:
        monkeypatch.setattr(launchers, "command", lambda run: [sys.executable, "-c", code, str(run)])

    return told


def ended(process) -> int:
    while (code := process.poll()) is None:
        time.sleep(0.01)
    return code


def test_a_job_is_a_process_that_leaves_its_words_and_its_exit_code(tmp_path, script):
    script(
        "import os, sys; print(os.environ['OMP_NUM_THREADS'], os.getsid(0) == os.getpid(), flush=True); sys.exit('why')"
    )
    with locked(tmp_path) as lock:
        process = Local(jobs=2, threads=3).open(tmp_path, lock).start(tmp_path, 1)
        assert ended(process) == 1
    assert (tmp_path / "job.log").read_text().split() == ["3", "True", "why"]


def test_a_job_is_asked_to_stop_and_can_be_ended_at_once(tmp_path, script):
    script("import pathlib, sys, time; pathlib.Path(sys.argv[1], 'up').touch(); time.sleep(60)")
    with locked(tmp_path) as lock:
        crew = Local(jobs=1).open(tmp_path, lock)
        process = crew.start(tmp_path, 0)
        process.stop()
        assert ended(process) == -signal.SIGTERM
        process = crew.start(tmp_path, 0)
        process.kill()
        assert process.poll() == -signal.SIGKILL


def test_a_sweep_is_held_as_long_as_any_of_its_jobs_lives(tmp_path, script):
    script("import time; time.sleep(60)")
    with locked(tmp_path) as lock:
        process = Local(jobs=1).open(tmp_path, lock).start(tmp_path, 0)
    with pytest.raises(ConfigError, match="this sweep is running: it, or a job that it left behind"), locked(tmp_path):
        pass
    process.kill()
    with locked(tmp_path):
        pass
