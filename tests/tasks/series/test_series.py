import json
from pathlib import Path

import numpy as np
import pytest
import torch

from seqtrain.errors import CheckpointError, ConfigError, DataError
from seqtrain.spec import UNREAD, Align, TaskSpec, Values
from seqtrain.tasks import OwnSeries, Split
from seqtrain.tasks.series.csv_files import Series
from seqtrain.tasks.series.series import chronological
from seqtrain.tasks.series.windows import Scaler, moments, naive_forecasts
from seqtrain.tasks.task import Sample

ROWS = 100


@pytest.fixture(scope="module")
def values():
    rng = np.random.default_rng(0)
    return np.round(rng.normal(size=(ROWS, 3)) * [1, 10, 100] + [0, 5, -50], 3)


@pytest.fixture(scope="module")
def path(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("own") / "own.csv"
    hours = np.datetime64("2020-01-06T00:00") + np.arange(ROWS) * np.timedelta64(1, "h")
    lines = [f"{hour},{a},{b},{c}" for hour, (a, b, c) in zip(hours, values.tolist(), strict=True)]
    path.write_text("\n".join(["when,a,b,c", *lines]))
    return path


@pytest.fixture
def prepared(path):
    def made(**options):
        task = OwnSeries(**{"path": path, "lookback": 8, "horizon": 4, **options})
        task.prepare(path.parent, 0)
        return task

    return made


@pytest.fixture(scope="module")
def standardised(values):
    train = values[:80]
    return (values - train.mean(0)) / train.std(0)


def batch_of(task, split, indices=None):
    examples = task.examples(split)
    return examples.batch(np.arange(len(examples)) if indices is None else np.array(indices), 0)


def close(actual, expected):
    np.testing.assert_allclose(np.asarray(actual), expected, rtol=1e-4, atol=1e-5)


def test_every_window_is_there_standardised_by_the_training_rows(prepared, standardised):
    task = prepared()
    assert task.spec == TaskSpec(Values((3,)), Values((3,)), Align.AHEAD, horizon=4, continues=True)
    assert [len(task.examples(split)) for split in Split] == [80 - 12 + 1, 10 - 4 + 1, 10 - 4 + 1]
    for split, first in ((Split.TRAIN, 0), (Split.VAL, 80 - 8), (Split.TEST, 90 - 8)):
        batch = batch_of(task, split, [2, 0])
        assert batch.inputs.dtype == batch.targets.dtype == torch.float32
        assert batch.lengths.tolist() == [8, 8]
        assert batch.indices.tolist() == [2, 0]
        for row, start in enumerate((first + 2, first)):
            close(batch.inputs[row], standardised[start : start + 8])
            close(batch.targets[row], standardised[start + 8 : start + 12])


def test_segments_hold_their_rows_one_after_another(prepared, standardised):
    task = prepared(segment=2)
    assert task.spec == TaskSpec(Values((6,)), Values((6,)), Align.AHEAD, horizon=2, continues=True)
    batch = batch_of(task, Split.TRAIN, [1])
    close(batch.inputs[0], standardised[1:9].reshape(4, 6))
    close(batch.targets[0], standardised[9:13].reshape(2, 6))
    close(task.rows(batch.targets)[0], standardised[9:13])


def test_channels_apart_are_examples_of_their_own(prepared, standardised):
    task = prepared(channel_independent=True, segment=2)
    assert task.outline == task.spec == TaskSpec(Values((2,)), Values((2,)), Align.AHEAD, horizon=2, continues=True)
    assert len(task.examples(Split.VAL)) == 7 * 3
    batch = batch_of(task, Split.VAL, [0, 4, 20])
    for row, (window, channel) in enumerate([(0, 0), (1, 1), (6, 2)]):
        whole = standardised[72 + window : 72 + window + 12, channel]
        close(batch.inputs[row].flatten(), whole[:8])
        close(batch.targets[row].flatten(), whole[8:])


def test_a_target_is_forecast_from_all_channels(prepared, standardised):
    task = prepared(target=["c", "a"])
    assert task.spec == TaskSpec(Values((3,)), Values((2,)), Align.AHEAD, horizon=4)
    assert not task.outline.continues
    batch = batch_of(task, Split.TRAIN, [5])
    close(batch.inputs[0], standardised[5:13])
    close(batch.targets[0], standardised[13:17, [2, 0]])
    assert prepared(target="b").spec.output == Values((1,))


def test_with_channels_apart_a_target_is_the_only_channel(prepared, standardised):
    task = prepared(target="b", channel_independent=True)
    assert len(task.examples(Split.VAL)) == 7
    close(batch_of(task, Split.VAL, [3]).targets.flatten(), standardised[83:87, 1])
    assert task.spec.continues


def test_columns_choose_what_is_read(prepared, standardised):
    task = prepared(columns=["c", "b"])
    close(batch_of(task, Split.TRAIN, [0]).inputs[0], standardised[:8, [2, 1]])


def test_the_last_values_are_subtracted_channel_by_channel(prepared, standardised):
    for options, channels in (({}, [0, 1, 2]), ({"target": "c"}, [2])):
        task = prepared(subtract_last=True, **options)
        batch = batch_of(task, Split.TRAIN, [5])
        close(batch.inputs[0], standardised[5:13] - standardised[12])
        close(batch.targets[0], standardised[13:17, channels] - standardised[12, channels])
        close(task.examples(Split.TRAIN).last(np.array([5]))[0, 0], standardised[12, channels])
    task = prepared(subtract_last=True, channel_independent=True)
    close(batch_of(task, Split.TRAIN, [16]).targets.flatten(), standardised[13:17, 1] - standardised[12, 1])


def test_the_calendar_stands_beside_the_channels(prepared):
    task = prepared(calendar=True, date_column="when")
    assert task.spec == TaskSpec(Values((9,)), Values((3,)), Align.AHEAD, horizon=4)
    batch, plain = batch_of(task, Split.VAL, [3]), batch_of(prepared(), Split.VAL, [3])
    assert torch.equal(batch.inputs[..., :3], plain.inputs)
    assert torch.equal(batch.targets, plain.targets)
    hours = np.arange(75, 83)
    close(batch.inputs[0, :, 3], np.sin(2 * np.pi * hours / 24))
    close(batch.inputs[0, :, 6], np.cos(2 * np.pi * hours / 168))
    apart = prepared(calendar=True, date_column="when", channel_independent=True, segment=2)
    assert apart.spec == TaskSpec(Values((14,)), Values((2,)), Align.AHEAD, horizon=2)
    assert apart.outline == TaskSpec(Values((UNREAD,)), Values((UNREAD,)), Align.AHEAD, horizon=2)
    close(batch_of(apart, Split.VAL, [9]).inputs.reshape(8, 7)[:, 1], batch.inputs[0, :, 3])


def test_the_calendar_needs_dates(prepared):
    with pytest.raises(ConfigError, match=r"^task.calendar=true: needs the dates of the rows; .* task.date_column$"):
        prepared(calendar=True)


def test_training_windows_may_begin_further_apart(prepared, standardised):
    task = prepared(train_stride=5)
    assert [len(task.examples(split)) for split in Split] == [14, 7, 7]
    close(batch_of(task, Split.TRAIN, [13]).targets[0], standardised[73:77])


def test_the_seed_changes_nothing(path):
    one, other = OwnSeries(path=path, lookback=8, horizon=4), OwnSeries(path=path, lookback=8, horizon=4)
    one.prepare(path.parent, 0)
    other.prepare(path.parent, 1)
    assert torch.equal(batch_of(one, Split.TRAIN).inputs, batch_of(other, Split.TRAIN).inputs)


def naive(values, season):
    """Every validation window's forecast by repeating the last season, and the truth, in a plain loop."""
    answers, truth = [], []
    for start in range(72, 79):
        seen = values[start : start + 8]
        answers.append([seen[8 - season + step % season] for step in range(4)])
        truth.append(values[start + 8 : start + 12])
    return np.array(answers), np.array(truth)


@pytest.mark.parametrize("season", [None, 3])
@pytest.mark.parametrize("channel_independent", [True, False])
def test_the_baseline_is_the_better_of_last_row_and_last_season(prepared, standardised, season, channel_independent):
    found = prepared(season=season, channel_independent=channel_independent).baseline()
    errors = [answers - truth for answers, truth in (naive(standardised, each) for each in {1, season or 1})]
    best = min(errors, key=lambda each: (each**2).mean())
    assert found == pytest.approx(
        {"mse": (best**2).mean(), "mae": abs(best).mean(), "rmse": (best**2).mean() ** 0.5}, rel=1e-4
    )


def test_a_season_repeats_itself():
    rows = torch.from_numpy(np.tile([1.0, 2.0, 3.0], 20)[:, None])
    assert all(torch.equal(answer, truth) for answer, truth in naive_forecasts(rows, 6, 5, 3))
    assert not all(torch.equal(answer, truth) for answer, truth in naive_forecasts(rows, 6, 5, 1))


@pytest.mark.parametrize(
    "options", [{}, {"channel_independent": True}, {"target": ["c", "a"]}, {"segment": 2, "subtract_last": True}]
)
@pytest.mark.parametrize("units", ["standard", "file"])
def test_metrics_over_uneven_batches_are_those_of_all_windows_rows_and_channels(prepared, values, units, options):
    task = prepared(units=units, **options)
    examples, metrics = task.examples(Split.TEST), task.metrics()
    errors, scaled, std = [], [], values[:80].std(0)
    for indices in np.array_split(np.arange(len(examples)), [3, 4]):
        batch = examples.batch(indices, 0)
        outputs = batch.targets.sin()
        task.score(metrics, outputs, batch)
        error = task.rows(outputs - batch.targets).double()  # (B, S, O)
        each = torch.from_numpy(std)[list(task.scaler.told)]
        each = each[indices % 3][:, None, None] if task.channel_independent else each
        errors.append(error.flatten())
        scaled.append((error * each).flatten())
    standard, told = torch.cat(errors), torch.cat(scaled if units == "file" else errors)
    expected = {"mse": standard.square().mean(), "mae": told.abs().mean(), "rmse": told.square().mean().sqrt()}
    assert {name: float(value) for name, value in metrics.compute().items()} == pytest.approx(
        {name: float(value) for name, value in expected.items()}, rel=1e-4
    )


@pytest.mark.parametrize("channel_independent", [True, False])
@pytest.mark.parametrize("units", ["standard", "file"])
def test_pictures_show_the_values_themselves(prepared, values, standardised, channel_independent, units):
    options = {"subtract_last": True, "segment": 2, "date_column": "when", "season": 4}
    task = prepared(units=units, channel_independent=channel_independent, **options)
    batch = batch_of(task, Split.VAL)
    forecasts, errors = task.pictures([Sample(batch, batch.targets, None, ())])
    assert (forecasts.name, errors.name) == ("forecasts", "error_by_step")
    shown = values if units == "file" else standardised
    for axes, window, channel in zip(forecasts.content.axes, (0, 1, 2, 3, 4, 6), (0, 1, 2, 0, 1, 2), strict=True):
        past, future, answer = (line.get_ydata() for line in axes.lines[1:])
        np.testing.assert_allclose(past, shown[72 + window : 80 + window, channel], rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(future, shown[80 + window : 84 + window, channel], rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(answer, future, rtol=1e-3, atol=1e-3)
        assert axes.get_title(loc="right") == f"{'abc'[channel]}, from 2020-01-09 {8 + window:02}:00:00"
    model, *others = errors.content.axes[0].lines
    np.testing.assert_allclose(model.get_ydata(), 0, atol=1e-6)
    for line, season in zip(others, (1, 4), strict=True):
        answers, truth = naive(shown, season)
        close(line.get_ydata(), ((answers - truth) ** 2).mean((0, 2)) ** 0.5)


def test_pictures_without_dates_name_rows(prepared):
    task = prepared()
    batch = batch_of(task, Split.VAL)
    forecasts, _ = task.pictures([Sample(batch, batch.targets, None, ())])
    assert forecasts.content.axes[1].get_title(loc="right") == "b, from row 82"


@pytest.mark.parametrize("options", [{}, {"calendar": True, "date_column": "when", "target": "b"}])
def test_channels_and_scale_survive_json(prepared, path, options):
    task = prepared(**options)
    other = OwnSeries(path=path, lookback=8, horizon=4, **options)
    other.restore(json.loads(json.dumps(task.assets())))
    assert other.spec == task.spec
    assert other.assets() == task.assets()
    assert np.array_equal(other.scaler.std, task.scaler.std)


@pytest.mark.parametrize("content", [None, {}, [], {"columns": ["a"], "told": [0], "mean": [0], "std": [1, 2]}])
def test_a_damaged_scale_is_refused(content):
    if isinstance(content, dict) and content:
        content["spacing"] = None
    with pytest.raises(CheckpointError, match=r"^scaler\.json: should hold "):
        Scaler.from_json(content)


def test_the_scale_is_that_of_all_rows_whatever_the_level():
    values = (np.random.default_rng(0).normal(size=(200_000, 2)) * [3, 0] + [1e4, 0.1]).astype(np.float32)
    mean, std = moments(values)
    np.testing.assert_allclose(mean, values.mean(0, dtype=np.float64), rtol=1e-6)
    np.testing.assert_allclose(std[0], values[:, 0].std(dtype=np.float64), rtol=1e-5)
    assert std[1] == 0


def test_splits_follow_one_another_in_time():
    assert list(chronological(105, 0.1, 0.2).values()) == [range(74), range(74, 84), range(84, 105)]


def test_shares_of_the_rows_are_options(prepared):
    task = prepared(val_fraction=0.2, test_fraction=0.3)
    assert [len(task.examples(split)) for split in Split] == [50 - 12 + 1, 20 - 4 + 1, 30 - 4 + 1]


# -------------------------------------------------------------------- mistakes


def test_a_path_is_required():
    with pytest.raises(ConfigError, match=r"^task.path=null: is required; say task.path=FILE.csv$"):
        OwnSeries().prepare(Path("nowhere"), 0)


def test_too_few_rows_are_refused_by_split(prepared, path):
    with pytest.raises(DataError) as caught:
        prepared(lookback=80)
    assert str(caught.value) == (
        f"{path}: of 100 rows 80 are to train on, too few for a window of task.lookback=80 and task.horizon=4; "
        f"make these smaller"
    )
    with pytest.raises(DataError, match=r"of 100 rows 3 are to validate on, too few"):
        prepared(val_fraction=0.03)
    with pytest.raises(DataError, match=r"of 100 rows 2 are to test on, too few"):
        prepared(test_fraction=0.02)


def test_a_constant_column_is_refused(tmp_path):
    path = tmp_path / "flat.csv"
    path.write_text("a,b\n" + "".join(f"{i},{0.1 if i < 85 else i}\n" for i in range(100)))
    task = OwnSeries(path=path, lookback=8, horizon=4)
    with pytest.raises(DataError) as caught:
        task.prepare(tmp_path, 0)
    assert str(caught.value) == (
        f"{path}: column 'b' is the same number in all 80 rows to train on; leave it out by task.columns"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "d"}, "task.target=d: is no channel; "),
        ({"target": ["a", "a"]}, "task.target=a: is named twice; "),
        ({"target": []}, "task.target=[]: names no channel; null forecasts all"),
        ({"columns": []}, "task.columns=[]: should name each channel once; null reads all"),
        ({"columns": ["a", "a"]}, "task.columns=['a', 'a']: should name each channel once; null reads all"),
        (
            {"columns": ["a"], "target": "a", "channel_independent": True},
            "task.columns: is all that task.target says with task.channel_independent, ",
        ),
        ({"season": 9}, "task.season=9: task.lookback=8 rows hold no whole season to repeat"),
        ({"season": 0}, "task.season=0: must be at least 1"),
        ({"train_stride": 0}, "task.train_stride=0: must be at least 1"),
        ({"val_fraction": 0.0}, "task.val_fraction=0.0: must be above 0 and below 1"),
        ({"test_fraction": 1.0}, "task.test_fraction=1.0: must be above 0 and below 1"),
        ({"val_fraction": 0.6, "test_fraction": 0.4}, "task.val_fraction=0.6: with task.test_fraction=0.4 nothing "),
    ],
)
def test_a_senseless_option_is_refused_by_name(prepared, options, message):
    with pytest.raises(ConfigError) as caught:
        prepared(**options)
    assert str(caught.value).startswith(message)


def test_an_unknown_target_is_told_the_channels(prepared, path):
    with pytest.raises(ConfigError, match=rf"is no channel; {path} gives 'a', 'b', 'c'$"):
        prepared(target="A")


def test_windows_are_views_of_the_file(prepared):
    task = prepared()
    windows = task.examples(Split.TRAIN)
    series: Series = task._series
    assert windows._windows.ctypes.data == series.values.ctypes.data
