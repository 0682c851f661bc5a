import sys

import benchmark_data
import pytest


def test_loading_and_training_are_timed_on_a_task(monkeypatch, capsys):
    monkeypatch.setattr(benchmark_data, "tune_allocator", lambda: None)  # it can't be undone
    monkeypatch.setattr(sys, "argv", ["benchmark_data.py", "--only", "sine", "--batches", "2", "--threads", "1"])
    benchmark_data.main()
    assert "sine" in capsys.readouterr().out


def test_what_is_not_there_is_left_out(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(benchmark_data, "tune_allocator", lambda: None)
    monkeypatch.setenv("SEQTRAIN_DATA", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["benchmark_data.py", "--only", "sst2", "--batches", "1", "--threads", "1"])
    benchmark_data.main()
    assert "sst2: its data isn't in" in capsys.readouterr().out


def test_a_misspelt_task_is_refused(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["benchmark_data.py", "--only", "sst3"])
    with pytest.raises(SystemExit):
        benchmark_data.main()
    assert "no such task: sst3; there are adding" in capsys.readouterr().err
