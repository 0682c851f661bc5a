import sys

import benchmark_models
import pytest
from benchmark_rows import ARCHITECTURES, Architecture, Size


def small(size: Size) -> Size:
    """The same kind of size, that takes no time."""
    _, _, *features = size.shape
    return Size((2, 3, *(min(each, 8) for each in features)), 8)


@pytest.mark.parametrize("word", list(ARCHITECTURES))
def test_every_competitor_takes_a_step_of_training(word):
    architecture = ARCHITECTURES[word]
    for step in architecture.steps(small(architecture.sizes[0]), "fp32", "cpu").values():
        step()
    assert architecture.flops(architecture.sizes[0]) >= 0


@pytest.mark.parametrize("word", [word for word, row in ARCHITECTURES.items() if isinstance(row, Architecture)])
def test_competitors_answer_alike(word):
    row = ARCHITECTURES[word]
    size = small(row.sizes[0])
    shapes = set()
    for build in (row.ours, row.tutorial, row.native):
        if build is not None:
            found = build(size)(row.inputs(size))
            shapes.add((found[0] if isinstance(found, tuple) else found).shape)
    assert len(shapes) == 1


def test_flops_of_an_lstm_by_hand():
    size = Size((32, 100, 64), 128)
    assert ARCHITECTURES["lstm"].flops(size) == 3 * 2 * 32 * 100 * 4 * 128 * (64 + 128)


@pytest.mark.slow
def test_the_table_is_printed(monkeypatch, capsys):
    monkeypatch.setattr(
        sys,
        "argv",
        ["benchmark_models.py", "--quick", "--markdown", "--only", "rnn", "--sizes", "64", "--threads", "1"],
    )
    monkeypatch.setattr(benchmark_models, "tune_allocator", lambda: None)  # it can't be undone
    benchmark_models.main()
    shown = capsys.readouterr().out
    assert "B 32 T 100 in 64 hidden 64" in shown
    assert "matmul peak bf16" in shown


def test_a_misspelt_architecture_is_refused(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["benchmark_models.py", "--only", "lstn"])
    with pytest.raises(SystemExit):
        benchmark_models.main()
    assert "no such architecture: lstn; there are rnn, gru" in capsys.readouterr().err
