"""Leaderboards whose numbers are worked by hand, from run folders that no training made."""

import csv
import io
import json
import math

import pytest
from fake_runs import fake_run
from rich.console import Console

from seqtrain.errors import CheckpointError, ConfigError
from seqtrain.runs import leaderboard
from seqtrain.runs.compare import compare, curve, find_runs, read_run
from seqtrain.tasks import Task


def two_models(folder):
    """Two models, three seeds; of lstm the mean is 2 and the sample's spread 1, of gru 1.5 and 0.5."""
    for seed, (lstm, gru) in enumerate(((1.0, 1.0), (2.0, 1.5), (3.0, 2.0))):
        fake_run(folder / f"{seed}-lstm", "model=lstm,gru", model="lstm", seed=seed, val=lstm, test=10 * lstm)
        fake_run(
            folder / f"{seed}-gru",
            model="gru",
            seed=seed,
            val=gru,
            test=100 - gru,
            parameters=80,
            seconds=seed + 1.0,
            config={"model": {"bias": True}},
        )
    return folder


def test_mean_and_spread_are_those_worked_by_hand_and_the_best_comes_first(tmp_path):
    found = compare([two_models(tmp_path)])
    assert (found.task, found.metric, found.higher_is_better, found.columns) == ("sine", "mse", False, ("model",))
    gru, lstm = found.groups
    assert (gru.choice, lstm.choice) == ({"model": "gru"}, {"model": "lstm"})
    assert (lstm.scores["val"].mean, lstm.scores["val"].std) == (2.0, 1.0)
    assert (gru.scores["val"].mean, gru.scores["val"].std) == (1.5, 0.5)
    assert (lstm.scores["test"].mean, lstm.scores["test"].std) == (20.0, 10.0)
    assert (gru.parameters, gru.seconds) == ([80], 2.0)
    assert gru.best.folder.name == "0-gru"


def test_the_test_split_chooses_nothing(tmp_path):
    gru = compare([two_models(tmp_path)]).groups[0]
    assert gru.scores["test"].of_best == 99.0  # the worst of its three: that of the best validation


def test_where_more_is_better_more_comes_first(tmp_path):
    for model, value in (("lstm", 0.5), ("gru", 0.9)):
        fake_run(tmp_path / model, model=model, metric="accuracy", val=value)
    found = compare([tmp_path])
    assert found.higher_is_better
    assert [group.choice["model"] for group in found.groups] == ["gru", "lstm"]


def test_a_run_tells_the_direction_of_its_own_metric(tmp_path):
    for model, value in (("lstm", 0.5), ("gru", 0.9)):
        fake_run(tmp_path / model, model=model, metric="regret", val=value, higher_is_better=False)
    assert [group.choice["model"] for group in compare([tmp_path]).groups] == ["lstm", "gru"]


def test_the_names_of_metrics_tell_the_direction_that_the_tasks_have(compose):
    from seqtrain.config import construct
    from seqtrain.runs.compare import higher_is_better
    from seqtrain.words import words

    for word in words("task"):
        task = construct(Task, compose(f"task={word}")["task"], "task")
        assert higher_is_better(task.metric, []) is task.higher_is_better, word


def test_another_metric_ranks_by_its_own_direction(tmp_path):
    fake_run(tmp_path / "a", model="lstm", metric="accuracy", val=0.5)
    fake_run(tmp_path / "b", model="gru", metric="accuracy", val=0.9)
    found = compare([tmp_path], metric="val/loss")
    assert [group.choice["model"] for group in found.groups] == ["lstm", "gru"]
    assert found.groups[0].scores["val"].mean == 0.25
    with pytest.raises(ConfigError, match=r"--metric acuracy: a has no such value; did you mean accuracy\?"):
        compare([tmp_path], metric="acuracy")


def test_what_is_not_a_number_comes_last(tmp_path):
    fake_run(tmp_path / "a", model="lstm", val=math.nan)
    fake_run(tmp_path / "b", model="gru", val=5.0)
    found = compare([tmp_path])
    assert [group.choice["model"] for group in found.groups] == ["gru", "lstm"]
    assert json.loads(json.dumps(leaderboard.as_object(found), allow_nan=False))["groups"][1]["val"]["mean"] is None
    assert "nan" in leaderboard.markdown(found)


# -------------------------------------------------------------------- grouping


def test_seed_device_and_workers_make_no_group(tmp_path):
    for number in range(3):
        fake_run(
            tmp_path / str(number), seed=number, config={"device": f"cuda:{number}", "trainer": {"num_workers": number}}
        )
    found = compare([tmp_path])
    assert found.columns == ()
    assert len(found.groups[0].runs) == 3


def test_what_was_typed_is_shown_even_where_another_choice_tells_it(tmp_path):
    for number, (lr, size) in enumerate(((0.1, 4), (0.2, 8))):
        chosen = {"optimizer": {"lr": lr}, "model": {"hidden_size": size}, "task": {"steps": number}}
        fake_run(tmp_path / str(number), f"optimizer.lr={lr}", f"model.hidden_size={size}", config=chosen)
    assert set(compare([tmp_path]).columns) == {"optimizer.lr", "model.hidden_size"}  # but not task.steps


def test_an_optimizer_is_told_by_its_class(tmp_path):
    for name in ("SGD", "Adam"):
        fake_run(
            tmp_path / name,
            f"optimizer={name.lower()}",
            config={"optimizer": {"_target_": f"seqtrain.optimizer.{name}"}},
        )
    found = compare([tmp_path])
    assert found.columns == ("optimizer",)
    assert {group.choice["optimizer"] for group in found.groups} == {"SGD", "Adam"}


def test_by_pools_what_it_does_not_name(tmp_path):
    for number, model in enumerate(("lstm", "gru") * 2):
        fake_run(tmp_path / str(number), model=model, val=float(number), config={"optimizer": {"lr": float(number)}})
    assert len(compare([tmp_path]).groups) == 4
    found = compare([tmp_path], by=["model"])
    assert [(group.choice, group.scores["val"].mean) for group in found.groups] == [
        ({"model": "lstm"}, 1.0),
        ({"model": "gru"}, 2.0),
    ]
    assert len(compare([tmp_path], by=["model", "optimizer.lr"]).groups) == 4
    with pytest.raises(ConfigError, match=r"--by optimizer.lrr: no run has such a key; did you mean optimizer.lr\?"):
        compare([tmp_path], by=["optimizer.lrr"])


def test_values_with_commas_dots_and_spaces_stay_whole(tmp_path):
    for number, path in enumerate(("a, b.csv", "c | d.csv")):
        fake_run(
            tmp_path / str(number), f"task.path={path}", val=number, config={"task": {"path": path, "sizes": [1, 2]}}
        )
    found = compare([tmp_path])
    rows = list(csv.reader(io.StringIO(leaderboard.as_csv(found))))
    assert [row[0] for row in rows] == ["task.path", "a, b.csv", "c | d.csv"]
    assert "| c \\| d.csv |" in leaderboard.markdown(found)


# -------------------------------------------------------------------- what can't be counted


def test_unfinished_runs_are_shown_with_their_reason_and_not_counted(tmp_path):
    fake_run(tmp_path / "0-good", val=1.0)
    fake_run(tmp_path / "1-bad", seed=1, val=100.0, status="failed", ended_by="the loss became NaN")
    fake_run(tmp_path / "2-new", seed=2, status="waiting")
    fake_run(tmp_path / "10-cut", seed=3, status="running")
    found = compare([tmp_path])
    assert (len(found.groups[0].runs), found.groups[0].unfinished, found.groups[0].scores["val"].mean) == (1, 3, 1.0)
    assert leaderboard.unfinished(found) == [
        "1-bad: failed (the loss became NaN)",
        "10-cut: running (still at it, or cut off)",
        "1 that haven't begun",
    ]
    assert "1 of 4" in leaderboard.markdown(found)


def test_what_the_run_could_not_say_its_sweep_tells(tmp_path):
    run = fake_run(tmp_path / "0-sine", status="running")
    job = {"folder": "0-sine", "status": "failed", "reason": "killed by SIGKILL"}
    (tmp_path / "sweep.json").write_text(json.dumps({"jobs": [job]}))
    assert (read_run(run).status, read_run(run).reason) == ("failed", "killed by SIGKILL")


def test_runs_of_different_tasks_are_refused_in_one_line(tmp_path):
    fake_run(tmp_path / "a", task="sine")
    fake_run(tmp_path / "b", task="ner")
    with pytest.raises(ConfigError, match=r"different tasks .*: sine \(a\), ner \(b\)$"):
        compare([tmp_path])


def test_runs_that_chose_by_different_metrics_need_one_named(tmp_path):
    fake_run(tmp_path / "a", metric="bleu")
    fake_run(tmp_path / "b", metric="accuracy")
    with pytest.raises(ConfigError, match=r"bleu \(a\), accuracy \(b\): name one with --metric"):
        compare([tmp_path])
    assert compare([tmp_path], metric="loss").metric == "loss"


def test_folders_without_a_run_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match="empty: holds no run"):
        compare([tmp_path / "empty"])
    with pytest.raises(CheckpointError, match="none: no such run folder"):
        compare([tmp_path / "none"])
    with pytest.raises(CheckpointError, match="file: a file, not a run folder"):
        compare([tmp_path / "file"])


@pytest.mark.parametrize("content", ["a: [", "- 1", ""])
def test_a_damaged_configuration_is_named(content, tmp_path):
    (fake_run(tmp_path / "run") / "config.yaml").write_text(content)
    with pytest.raises(CheckpointError, match=r"run/config.yaml: damaged"):
        compare([tmp_path])


def test_damaged_side_files_only_leave_gaps(tmp_path):
    run = fake_run(tmp_path / "run", curve=((1, 0.5), (2, 0.4)))
    (run / "overrides.yaml").write_text("a: [")
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3, "val/m')
    assert curve(run, "mse") == [(1, 0.5), (2, 0.4)]
    (run / "summary.json").write_text("[]")
    assert read_run(run).status == "waiting"


def test_a_run_named_twice_counts_once(tmp_path):
    run = fake_run(tmp_path / "10-b")
    other = fake_run(tmp_path / "9-a")
    assert find_runs([run, tmp_path]) == [run, other]
    assert find_runs([tmp_path]) == [other, run]  # by number


# -------------------------------------------------------------------- to look at


def test_the_table_fits_a_narrow_terminal_by_leaving_columns_out(tmp_path):
    found = compare([two_models(tmp_path)])
    shown = {}
    for width in (60, 120):
        console = Console(file=io.StringIO(), width=width)
        leaderboard.show(found, console)
        shown[width] = console.file.getvalue()
    assert "2.0 ± 1.0" in shown[60]
    assert "0-gru" in shown[60]
    assert "parameters" in shown[120]
    assert "…" not in shown[60] + shown[120]


def test_a_test_only_table_shows_no_value_of_val_but_the_one_that_ranks(tmp_path):
    found = compare([two_models(tmp_path)])
    assert leaderboard.header(found, ("test",)) == [
        "model",
        "test",
        "best val",
        "runs",
        "parameters",
        "time",
        "best run",
    ]
    assert leaderboard.rows(found, ("test",))[0][:3] == ["gru", "98.50 ± 0.50", "1"]


def test_a_long_reason_is_cut_on_the_terminal_alone(tmp_path):
    fake_run(tmp_path / "0")
    fake_run(tmp_path / "1", status="failed", ended_by="no room " * 40)
    found = compare([tmp_path])
    console = Console(file=io.StringIO(), width=200)
    leaderboard.show(found, console)
    last = console.file.getvalue().splitlines()[-1]
    assert last.startswith("not counted: 1: failed (no room no room")
    assert last.endswith(" ...")
    assert len(last) <= 120
    assert "no room " * 39 in leaderboard.markdown(found)


def test_numbers_of_a_page_stand_at_the_right_and_names_at_the_left(tmp_path):
    for rate in (0.1, 0.2):
        fake_run(tmp_path / str(rate), "optimizer.lr=0.1,0.2", config={"optimizer": {"lr": rate}})
    lines = leaderboard.markdown(compare([tmp_path])).splitlines()
    assert lines[4].startswith("| lr | val |")
    assert lines[5] == "|---|---:|---:|---:|---:|---:|---:|---|"


def test_a_curve_of_a_number_is_named_by_its_option(tmp_path):
    for rate in (0.1, 0.2):
        fake_run(tmp_path / str(rate), "optimizer.lr=0.1,0.2", config={"optimizer": {"lr": rate}}, curve=((1, rate),))
    (axes,) = leaderboard.picture(compare([tmp_path])).axes
    assert {text.get_text() for text in axes.get_legend().get_texts()} == {"1. lr 0.1 (n=1)", "2. lr 0.2 (n=1)"}


def test_csv_keeps_every_digit(tmp_path):
    for seed, value in enumerate((0.1, 0.2)):
        fake_run(tmp_path / str(seed), seed=seed, val=value)
    (row,) = csv.DictReader(io.StringIO(leaderboard.as_csv(compare([tmp_path]))))
    assert float(row["val/mse"]) == pytest.approx(0.15, rel=1e-15)
    assert float(row["val/mse_std"]) == pytest.approx(0.1 / math.sqrt(2), rel=1e-12)
    assert (row["runs"], row["unfinished"], row["val/mse_of_best_run"]) == ("2", "0", "0.1")


def test_the_picture_draws_each_run_the_mean_as_far_as_all_come_and_a_band(tmp_path):
    fake_run(tmp_path / "0", seed=0, curve=((1, 1.0), (2, 2.0), (3, 9.0)))
    fake_run(tmp_path / "1", seed=1, curve=((1, 3.0), (2, 4.0)))
    figure = leaderboard.picture(compare([tmp_path]))
    (axes,) = figure.axes
    lines = [[list(map(float, each)) for each in line.get_data()] for line in axes.lines]
    assert lines == [[[1, 2, 3], [1, 2, 9]], [[1, 2], [3, 4]], [[1, 2], [2, 3]]]
    assert len(axes.collections) == 1
    assert leaderboard.png(compare([tmp_path])).startswith(b"\x89PNG")


def test_more_groups_than_colours_are_drawn_gray_and_nameless(tmp_path):
    for number in range(12):
        fake_run(tmp_path / str(number), val=number, curve=((1, 1.0),), config={"optimizer": {"lr": float(number)}})
    (axes,) = leaderboard.picture(compare([tmp_path])).axes
    assert len(axes.get_legend().get_texts()) == 10


@pytest.mark.parametrize(
    ("mean", "std", "text"),
    [
        (0.35045, 0.000229, "0.35045 ± 0.00023"),
        (37.07, None, "37.07"),
        (141.2, 12.3, "141 ± 12"),
        (1.0, 0.0, "1 ± 0"),
        (123456.0, None, "123,456"),
        (math.inf, None, "inf"),
    ],
)
def test_spread_is_told_in_two_digits(mean, std, text):
    from seqtrain.runs.compare import Score

    assert leaderboard.spread(Score(mean, std, mean)) == text


@pytest.mark.parametrize(("seconds", "text"), [(12.34, "12.3 s"), (75, "1:15"), (3723, "1:02:03")])
def test_durations(seconds, text):
    assert leaderboard.duration(seconds) == text
