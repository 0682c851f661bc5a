"""`seqtrain export` as a user types it."""

import json

from seqtrain.cli import main

ADDING = ["model=gru", "task=adding", "task.train_size=40", "task.val_size=10", "task.test_size=10"]


def test_an_export_says_what_it_wrote(run, tmp_path, capsys):
    trained = run(*ADDING)
    assert main(["export", str(trained.folder), "--format", "safetensors", "--output", str(tmp_path / "to")]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "  model.safetensors: the weights, bit for bit",
        f"{tmp_path / 'to'}: exported; model.json there says what goes in and what comes out",
    ]


def test_programs_may_read_it(run, capsys):
    trained = run(*ADDING)
    assert main(["export", str(trained.folder), "--format", "safetensors", "--checkpoint", "last", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["folder"] == str(trained.folder / "export")
    assert list(found["files"]) == ["model.safetensors"]


def test_mistakes_are_one_line(run, tmp_path, capsys, monkeypatch):
    trained = run(*ADDING)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    for arguments, line in (
        (["nowhere"], "seqtrain: nowhere: no such run folder\n"),
        (["last"], "seqtrain: last: no run below outputs here; train one first, or name its folder\n"),
        (["empty"], f"seqtrain: {tmp_path / 'empty'}: not a run folder (it has no config.yaml)\n"),
        (
            [str(trained.folder), "--output", str(tmp_path)],
            f"seqtrain: {tmp_path}: is there already and is no export; name another folder by --output\n",
        ),
    ):
        assert main(["export", *arguments]) == 2
        assert capsys.readouterr().err == line
    assert main(["export", str(trained.folder), "--format", "onxx"]) == 2
    error = capsys.readouterr().err
    assert "invalid choice: 'onxx'" in error
    assert error.endswith("; did you mean onnx?\n")
