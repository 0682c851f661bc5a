import json
import types
from pathlib import Path

import pytest

from seqtrain import doctor
from seqtrain.cli import main
from seqtrain.cli.doctor import lines
from seqtrain.doctor import Finding
from seqtrain.errors import ConfigError


def statuses(found) -> dict[str, str]:
    return {each.name: each.status for each in found}


def test_versions_are_held_against_what_the_package_asks_for():
    wanted = ["torch>=2", "numpy>=99", "no-such-thing>=1", "ray>=2; extra == 'ray'", "colorama; sys_platform == 'none'"]
    found = {each.name: each for each in doctor.versions(wanted)}
    assert statuses(found.values()) == {
        "python": "ok", "seqtrain": "ok", "torch": "ok", "numpy": "fail", "no-such-thing": "fail"
    }  # fmt: skip
    assert "but >=99 is needed" in found["numpy"].detail
    assert 'pip install "no-such-thing>=1"' in found["no-such-thing"].detail


def test_an_extra_is_there_or_not_or_only_in_part():
    wanted = [
        "torch>=2; extra == 'whole'",
        "numpy>=1; extra == 'partly'",
        "no-such-thing>=1; extra == 'partly'",
        "no-such-thing>=1; extra == 'none'",
        "no-such-thing>=1; extra == 'dev'",
        "rich>=13",
    ]
    found = {each.name: each for each in doctor.extras(wanted)}
    assert statuses(found.values()) == {"whole": "ok", "partly": "warn", "none": "ok"}
    assert 'no-such-thing not installed; pip install "seqtrain[partly]"' in found["partly"].detail
    assert 'pip install "seqtrain[none]"' in found["none"].detail


def test_plugins_that_are_gone_and_words_that_clash_fail(monkeypatch):
    def clash(_group):
        raise ConfigError("model=gru is taken")

    monkeypatch.setattr(doctor, "plugins", lambda: ["json", "not_there_any_more"])
    monkeypatch.setattr(doctor, "words", clash)
    assert statuses(doctor.extensions()) == {"json": "ok", "not_there_any_more": "fail", "words": "fail"}


def test_what_is_scarce_is_warned_of(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doctor.torch, "get_num_threads", lambda: 1000)
    monkeypatch.setattr(doctor.host_memory, "available", lambda: 10**6)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: types.SimpleNamespace(free=10**6))
    found = {each.name: each for each in doctor.resources()}
    assert statuses(found.values()) == {"threads": "warn", "memory": "warn", "runs": "warn"}
    assert "set OMP_NUM_THREADS=" in found["threads"].detail
    monkeypatch.setattr(doctor.os, "access", lambda *_: False)
    assert "can't be written; set SEQTRAIN_CACHE" in doctor.room("cache", tmp_path / "a" / "b").detail


def test_a_system_that_does_not_tell_its_memory_is_no_trouble(monkeypatch):
    def untold():
        raise OSError

    monkeypatch.setattr(doctor.host_memory, "available", untold)
    assert statuses(doctor.resources())["memory"] == "ok"


def test_cuda_devices_are_told_apart(monkeypatch):
    def free(index):
        if index:
            raise RuntimeError("it hangs\nsince long")
        return 2 * 2**30, 4 * 2**30

    monkeypatch.setattr(doctor.torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(doctor.torch.cuda, "mem_get_info", free)
    monkeypatch.setattr(doctor.torch.cuda, "is_bf16_supported", lambda: True)
    monkeypatch.setattr(doctor.torch.cuda, "get_device_name", lambda _: "Some GPU")
    found = {each.name: each for each in doctor.devices()}
    assert found["cuda:0"].detail == "Some GPU, 2.0 GiB of 4.0 GiB free, bf16"
    assert (found["cuda:1"].status, found["cuda:1"].detail) == ("fail", "doesn't answer: it hangs")
    assert found["cpu"].status == "ok"


def test_data_sets_are_here_or_not_or_in_part(tmp_path):
    (tmp_path / "sst2").mkdir()
    (tmp_path / "sst2" / "train.tsv").write_text("text\tlabel\n")
    found = {each.name: each for each in doctor.data(tmp_path)}
    assert found["incomplete"].status == "warn"
    assert f"seqtrain data fetch sst2 --data-dir {tmp_path}" in found["incomplete"].detail
    assert found["data sets"].detail.startswith("0 of ")
    assert "incomplete" not in statuses(doctor.data(Path("nowhere")))


def test_a_failed_trial_is_told_and_decides_the_exit_code(monkeypatch, capsys):
    def fail(*_):
        raise RuntimeError("out of luck\nand more")

    monkeypatch.setattr("seqtrain.cli.doctor.self_test", fail)
    assert main(["doctor", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["healthy"] is False
    trials = [each for each in told["checks"] if each["group"] == "self-test"]
    assert {each["status"] for each in trials} == {"fail"}
    assert trials[0]["detail"].startswith("out of luck; `seqtrain model=lstm task=adding --debug` tells where")


def test_lines_and_json_tell_the_same_and_nothing_is_trained(monkeypatch, capsys):
    monkeypatch.setattr("seqtrain.cli.doctor.self_test", lambda _: pytest.fail("was told not to"))
    assert main(["doctor", "--json", "--no-self-test"]) == 0
    checks = json.loads(capsys.readouterr().out)["checks"]
    assert main(["doctor", "--no-self-test"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[-1].startswith("all that is needed is here: ")
    assert sum(line.startswith("  ") for line in told) == len(checks)


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_a_finding_fits_its_terminal(width):
    detail = "a good deal to say of this, in words that are not too long to be laid out in a few lines"
    for name in ("torch", "model=lstm task=adding"):
        laid = [line.plain for line in lines(Finding("extras", name, "warn", detail), width)]
        assert max(map(len, laid)) <= width
        assert " ".join(" ".join(laid).split()) == f"warn {name} {detail}"


@pytest.mark.slow
def test_the_self_test_trains(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["doctor", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [each["status"] for each in told["checks"] if each["group"] == "self-test"] == ["ok", "ok"]
    assert list(tmp_path.iterdir()) == []
