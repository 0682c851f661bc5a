"""What each job of a sweep gets of the machine."""

import pytest
import torch

from seqtrain.errors import ConfigError
from seqtrain.sweeps import Local
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
