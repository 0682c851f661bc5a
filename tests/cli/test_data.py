import json

import pytest

from seqtrain.cli import main
from seqtrain.data import DATASETS, cached

pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture
def here(tmp_path, monkeypatch, stand_in):
    """A folder with one data set, and a cache with one entry."""
    (tmp_path / "mine" / "names").mkdir(parents=True)
    (tmp_path / "mine" / "names" / "names.txt").write_text("ann\nbob")
    stand_in("names", tmp_path / "mine")
    monkeypatch.setenv("SEQTRAIN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SEQTRAIN_DATA", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    cached("features", {}, lambda folder: (folder / "x").write_text("x" * 3000))
    return tmp_path


def refusal(arguments, capsys) -> str:
    """What a command line that must fail says, in one line."""
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


@pytest.mark.parametrize("arguments", [[], ["list"], ["--data-dir", "mine"], ["list", "--data-dir", "mine"]])
def test_list_says_what_is_here(arguments, here, capsys):
    assert main(["data", *arguments]) == 0
    out = capsys.readouterr().out
    row = next(line for line in out.splitlines() if line.startswith("names "))
    assert row.split()[1] == ("yes" if "mine" in arguments else "no")
    assert "MIT" in row
    assert f"cache in {here / 'cache' / 'seqtrain'}: 3." in out
    assert all(name in out for name in DATASETS)


def test_list_answers_programs(capsys):
    assert main(["data", "list", "--json", "--data-dir", "mine"]) == 0
    found = json.loads(capsys.readouterr().out)
    sets = {each["name"]: each for each in found["data_sets"]}
    assert found["data_dir"] == "mine"
    assert found["cache_bytes"] > 3000
    assert [name for name, each in sets.items() if each["present"]] == ["names"]
    assert set(sets["sst2"]) == {"name", "summary", "size_bytes", "licence", "present", "files"}


def test_the_data_folder_is_that_of_a_run(monkeypatch, capsys):
    assert main(["data", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["data_dir"] == "data"
    monkeypatch.setenv("SEQTRAIN_DATA", "mine")
    assert main(["data", "fetch", "names"]) == 0
    assert capsys.readouterr().out == "mine/names: 1 file, each as it must be\n"


def test_fetch_reads_what_is_here(here, capsys):
    (here / "mine" / "names" / "names.txt").write_text("ann\ncid")
    error = refusal(["data", "fetch", "names", "--data-dir", "mine"], capsys)
    assert "mine/names/names.txt: its content is not that of names" in error


@pytest.mark.parametrize("names", [["names", "sst2"], ["all"]])
def test_fetch_goes_on_to_what_is_missing(names, capsys, monkeypatch):
    if names == ["all"]:
        monkeypatch.setattr("seqtrain.data.DATASETS", {name: DATASETS[name] for name in ("names", "sst2")})
    assert main(["data", "fetch", *names, "--data-dir", "mine"]) == 2
    out, error = capsys.readouterr()
    assert "mine/names: 1 file, each as it must be" in out
    assert "no such file: mine/sst2/dev.tsv (from https://" in error


MISTAKES = {
    ("fetch", "sst"): "sst: no such data set; did you mean sst2?",
    ("fetch", "names", "imagenet"): "imagenet: no such data set; choose from all, airline_passengers, etth1, ",
    ("fetsh", "sst2"): "data fetsh: no such command; did you mean fetch?",
    ("walk",): "data walk: no such command; choose from list, fetch, clear-cache",
}


@pytest.mark.parametrize("arguments", list(MISTAKES), ids=" ".join)
def test_a_mistake_is_one_line(arguments, capsys):
    assert MISTAKES[arguments] in refusal(["data", *arguments], capsys)


def test_clear_cache_removes_what_was_made(here, capsys):
    assert main(["data", "clear-cache"]) == 0
    assert capsys.readouterr().out == f"{here / 'cache' / 'seqtrain'}: 3.0 kB removed\n"
    assert main(["data", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["cache_bytes"] < 200


@pytest.mark.parametrize("arguments", [["data", "--help"], ["data", "fetch", "--help"]])
def test_help_answers(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 0
    assert "data" in capsys.readouterr().out
