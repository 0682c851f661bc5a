import numpy as np
import pytest
import torch

from seqtrain.errors import DataError
from seqtrain.tasks import ETTh1, Split
from seqtrain.tasks.series.csv_files import Series
from seqtrain.tasks.series.etth1 import COLUMNS


@pytest.fixture(scope="module")
def whole(data_dir):
    return np.loadtxt(data_dir / "etth1" / "ETTh1.csv", delimiter=",", skiprows=1, usecols=range(1, 8))


@pytest.mark.real
@pytest.mark.parametrize("horizon", [96, 720])
def test_splits_and_scale_are_the_literatures(data_dir, whole, horizon):
    task = ETTh1(horizon=horizon, channel_independent=False, subtract_last=False, segment=1)
    task.prepare(data_dir, 0)
    sizes = [len(task.examples(split)) for split in Split]
    assert sizes == [8640 - 96 - horizon + 1, 2880 - horizon + 1, 2880 - horizon + 1]
    standardised = (whole - whole[:8640].mean(0)) / whole[:8640].std(0)
    for split, first in ((Split.TRAIN, 0), (Split.VAL, 8640 - 96), (Split.TEST, 11520 - 96)):
        examples = task.examples(split)
        for index in (0, len(examples) - 1):
            batch = examples.batch(np.array([index]), 0)
            window = standardised[first + index :][: 96 + horizon]
            np.testing.assert_allclose(batch.inputs[0], window[:96], rtol=1e-3, atol=1e-4)
            np.testing.assert_allclose(batch.targets[0], window[96:], rtol=1e-3, atol=1e-4)


@pytest.mark.real
@pytest.mark.parametrize(
    ("horizon", "mse", "mae"), [(96, 1.295, 0.713), (192, 1.325, 0.733), (336, 1.323, 0.744), (720, 1.339, 0.756)]
)
def test_repeating_the_last_value_scores_what_is_published(data_dir, horizon, mse, mae):
    task = ETTh1(horizon=horizon)
    task.prepare(data_dir, 0)
    examples, metrics = task.examples(Split.TEST), task.metrics()
    # The published figures leave out the last windows that don't fill a batch of 32. Ours don't; here we must.
    windows = len(examples) // 7 // 32 * 32
    for indices in np.array_split(np.arange(7 * windows), 7):
        batch = examples.batch(indices, 0)
        task.score(metrics, torch.zeros_like(batch.targets), batch)
    assert round(float(metrics["mse"].compute()), 3) == mse
    assert round(float(metrics["mae"].compute()), 3) == mae


@pytest.mark.real
def test_the_default_is_one_channel_in_segments_of_a_day(data_dir):
    task = ETTh1()
    outline = task.outline
    task.prepare(data_dir, 0)
    assert task.spec == outline
    assert outline.input.shape == outline.output.shape == (24,)
    assert outline.horizon == 4
    assert len(task.examples(Split.TEST)) == 2785 * 7
    assert task.scaler.columns == COLUMNS


def test_a_truncated_file_is_refused(tmp_path):
    (tmp_path / "etth1").mkdir()
    (tmp_path / "etth1" / "ETTh1.csv").write_text("date,OT\n")
    with pytest.raises(DataError, match=r"ETTh1\.csv"):
        ETTh1().prepare(tmp_path, 0)


def test_too_few_rows_are_refused(tmp_path):
    series = Series(np.zeros((50, 7), np.float32), COLUMNS, None, tmp_path / "ETTh1.csv")
    with pytest.raises(DataError) as caught:
        ETTh1().splits(series)
    assert str(caught.value) == f"{tmp_path / 'ETTh1.csv'}: 50 rows, where the splits need 14400"


def test_a_missing_file_is_named_with_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQTRAIN_OFFLINE", "1")
    with pytest.raises(DataError) as caught:
        ETTh1().prepare(tmp_path, 0)
    assert str(tmp_path / "etth1") in str(caught.value)
