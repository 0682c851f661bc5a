import numpy as np
import pytest

from seqtrain.errors import DataError
from seqtrain.tasks import Split, Sunspots


@pytest.mark.real
def test_errors_are_in_sunspots(data_dir):
    task = Sunspots(lookback=24, segment=1)
    task.prepare(data_dir, 0)
    assert [len(task.examples(split)) for split in Split] == [2256 - 35, 282 - 11, 282 - 11]
    text = (data_dir / "sunspots" / "monthly-sunspots.csv").read_text().split()[1:]
    months = np.array([float(line.split(",")[1]) for line in text])
    truth = np.lib.stride_tricks.sliding_window_view(months[2256 : 2256 + 282], 12)
    errors = truth - months[2255 : 2255 + len(truth), None]
    found = task.baseline()
    assert found["rmse"] == pytest.approx((errors**2).mean() ** 0.5, rel=1e-5)
    assert found["mae"] == pytest.approx(abs(errors).mean(), rel=1e-5)
    assert found["mse"] == pytest.approx((errors**2).mean() / months[:2256].var(), rel=1e-4)
    assert task.metric == "rmse"
    assert not task.higher_is_better


def test_months_are_read_from_a_file_as_it_is_published(tmp_path, monkeypatch):
    monkeypatch.setattr("seqtrain.tasks.series.sunspots.obtain", lambda name, data_dir: data_dir / name)
    (tmp_path / "sunspots").mkdir()
    months = [f'"{1749 + i // 12}-{i % 12 + 1:02}",{i % 132 + 0.5}' for i in range(400)]
    (tmp_path / "sunspots" / "monthly-sunspots.csv").write_text("\r\n".join(['"Month","Sunspots"', *months]))
    task = Sunspots(lookback=24, calendar=True)
    task.prepare(tmp_path, 0)
    assert task.spec.input.shape == (36,)
    assert task.scaler.spacing.months == 1
    assert len(task.examples(Split.TEST)) == 40 - 12 + 1


def test_a_missing_file_is_named_with_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQTRAIN_OFFLINE", "1")
    with pytest.raises(DataError) as caught:
        Sunspots().prepare(tmp_path, 0)
    assert str(tmp_path / "sunspots") in str(caught.value)
