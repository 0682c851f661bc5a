"""A search by Optuna, over jobs that train nothing."""

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from fake_crew import FakeCrew

from seqtrain.cli import main
from seqtrain.errors import ConfigError
from seqtrain.runs import leaderboard
from seqtrain.runs.compare import read_json
from seqtrain.sweeps import Local, Manifest, Optuna, search, sweep

optuna = pytest.importorskip("optuna")

SEARCH = ["-m", "task=sine", "task.train_size=64", "sweep=optuna", "hydra.sweep.dir=s"]
RATE = "optimizer.lr=tag(log,interval(1e-4,1))"


def config(run: Path) -> dict:
    return yaml.safe_load((run / "config.yaml").read_text())


@pytest.fixture
def crew(monkeypatch, tmp_path):
    """Jobs whose only validation is how far their rate is from 0.01, in powers of ten."""
    import math

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sweep, "SECONDS_BETWEEN_LOOKS", 0)
    monkeypatch.setattr(leaderboard, "png", lambda found: b"")  # noqa: ARG005  # drawn once, in another test
    made = FakeCrew(lambda run: (0, [abs(math.log10(config(run)["optimizer"]["lr"]) + 2)]))

    def opened(self, folder, lock):  # noqa: ARG001
        made.places = self.jobs or 1
        return made

    monkeypatch.setattr(Local, "open", opened)
    return made


def study(folder: str = "s", options: Optuna | None = None):
    return (options or Optuna()).open(Path(folder), higher_is_better=False, parallel=False)


def test_a_search_runs_its_trials_and_nears_what_is_best(crew, capsys):
    assert main([*SEARCH, RATE, "sweep.trials=8", "launcher.jobs=2"]) == 0
    trials = study().get_trials()
    assert len(trials) == len(crew.started) == 8
    assert {trial.state.name for trial in trials} == {"COMPLETE"}
    assert study().best_value < 0.5
    rate = config(Path("s") / crew.started[-1][0])["optimizer"]["lr"]
    assert 1e-4 <= rate <= 1
    assert "optimizer.lr=" in capsys.readouterr().out


def test_the_same_seed_draws_the_same_and_another_draws_others(crew, tmp_path, monkeypatch):
    drawn = []
    for seed in (0, 0, 1):
        (tmp_path / str(len(drawn))).mkdir()
        monkeypatch.chdir(tmp_path / str(len(drawn)))
        assert main([*SEARCH, RATE, "sweep.trials=3", f"sweep.seed={seed}"]) == 0
        drawn.append([trial.params["optimizer.lr"] for trial in study().get_trials()])
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(crew.started) == 9


def test_every_kind_of_values_can_be_searched(crew):
    axes = ["model=rnn,gru", "model.hidden_size=range(4,13,4)", "model.num_layers=int(interval(1,2))"]
    assert (
        main([*SEARCH, *axes, "optimizer.lr=interval(0.01,0.1)", "model.dropout=range(0.0,0.5,0.25)", "sweep.trials=6"])
        == 0
    )
    for name, _ in crew.started:
        tree = config(Path("s") / name)
        assert tree["model_name"] in ("rnn", "gru")
        assert tree["model"]["hidden_size"] in (4, 8, 12)
        assert tree["model"]["num_layers"] in (1, 2)
        assert tree["model"]["dropout"] in (0.0, 0.25)
        assert 0.01 <= tree["optimizer"]["lr"] <= 0.1


def test_what_looks_bad_is_ended_early(crew):
    """From the third trial on, a run that is worse than the median at its second validation is asked to stop."""
    values = iter([1.0, 1.0, 5.0, 0.5])

    def script(_):
        value = next(values)
        return 0, [value] * 4

    crew.script = script
    options = ["sweep.trials=4", "sweep.startup_trials=2", "sweep.warmup=1"]
    assert main([*SEARCH, RATE, *options]) == 0
    assert [process.asked_to_stop for process in crew.processes] == [False, False, True, False]
    assert len(crew.processes[2].given) == 2
    assert [job.status for job in Manifest.load(Path("s")).jobs] == ["finished", "finished", "pruned", "finished"]
    assert [trial.state.name for trial in study().get_trials()] == ["COMPLETE", "COMPLETE", "PRUNED", "COMPLETE"]
    assert main(["compare", "s"]) == 0
    assert "2-sine-lstm: pruned (after 2 validations)" in (Path("s") / "leaderboard.md").read_text()


@pytest.mark.parametrize(
    ("option", "given"), [("sweep.pruner=none", 4), ("sweep.startup_trials=9", 4), ("sweep.warmup=2", 3)]
)
def test_options_of_pruning(option, given, crew):
    values = iter([1.0, 1.0, 5.0])
    crew.script = lambda _: (0, [next(values)] * 4)
    options = dict(each.split("=") for each in ("sweep.trials=3", "sweep.startup_trials=2", "sweep.warmup=1", option))
    assert main([*SEARCH, RATE, *(f"{key}={value}" for key, value in options.items())]) == 0
    assert len(crew.processes[2].given) == given


def test_a_search_that_was_cut_off_goes_on_with_the_trial_under_way(crew):
    class CutError(Exception):
        pass

    def cut():
        if len(crew.started) == 3:
            raise CutError

    crew.on_look = cut
    with pytest.raises(CutError):
        main([*SEARCH, RATE, "sweep.trials=4"])
    crew.on_look = None
    assert Manifest.load(Path("s")).jobs[2].status == "running"
    assert main(["resume", "s"]) == 0
    assert [name for name, _ in crew.started] == [f"{number}-sine-lstm" for number in (0, 1, 2, 2, 3)]
    assert [trial.state.name for trial in study().get_trials()] == ["COMPLETE"] * 4
    assert main(["resume", "s"]) == 0  # there is nothing left to do
    assert len(crew.started) == 5
    assert main(["resume", "s", "sweep.trials=5"]) == 0
    assert len(crew.started) == 6


def test_what_failed_is_tried_again_when_the_search_goes_on(crew):
    values = iter([(0, [1.0]), (2, []), (0, [2.0])])
    crew.script = lambda _: next(values)
    assert main([*SEARCH, RATE, "sweep.trials=3"]) == 1
    failed = study().get_trials()[1]
    assert failed.state.name == "FAIL"
    crew.script = lambda _: (0, [0.5])
    assert main(["resume", "s"]) == 0
    assert crew.started[-1][0] == "1-sine-lstm"
    again = study().get_trials()[-1]
    assert (again.params, again.value) == (failed.params, 0.5)
    assert {job.status for job in Manifest.load(Path("s")).jobs} == {"finished"}


def test_what_was_tried_is_not_run_again(crew):
    assert main([*SEARCH, "optimizer.lr=0.1,0.2", "sweep.trials=4"]) == 0
    assert len(crew.started) == 2
    assert [trial.state.name for trial in study().get_trials()] == ["COMPLETE"] * 4


def test_workers_share_a_storage(crew):
    shared = ["sweep.storage=study.log", "sweep.study=both", "sweep.trials=4"]
    for worker, seed in enumerate((3, 4)):
        arguments = [each for each in SEARCH if not each.startswith("hydra")]
        trials = shared if worker else [*shared[:2], "sweep.trials=2"]
        assert main([*arguments, RATE, *trials, f"sweep.seed={seed}", f"hydra.sweep.dir=worker{worker}"]) == 0
    assert len(crew.started) == 4
    assert {read_json(Path("worker1") / name / "summary.json")["status"] for name, _ in crew.started[2:]} == {
        "finished"
    }
    assert len(study(options=Optuna(storage="study.log", study="both")).get_trials()) == 4


def test_a_data_base_serves_as_storage(crew, tmp_path):
    assert main([*SEARCH, RATE, "sweep.trials=1", f"sweep.storage=sqlite:///{tmp_path}/a.db"]) == 0
    assert (tmp_path / "a.db").exists()
    assert len(crew.started) == 1
    assert not (tmp_path / "s" / "study.log").exists()


def test_a_random_search_is_one(crew):
    assert main([*SEARCH, RATE, "sweep.trials=1", "sweep.sampler=random"]) == 0
    assert len(crew.started) == 1
    opened = Optuna(sampler="random").open(Path("s"), higher_is_better=False, parallel=False)
    assert isinstance(opened.sampler, optuna.samplers.RandomSampler)


def test_the_direction_is_the_tasks_own(tmp_path):
    for higher in (True, False):
        opened = Optuna(study=str(higher)).open(tmp_path, higher_is_better=higher, parallel=False)
        assert opened.direction.name == ("MAXIMIZE" if higher else "MINIMIZE")


def test_a_monitored_metric_has_the_direction_that_is_told(crew):
    assert main([*SEARCH, RATE, "sweep.trials=1", "trainer.monitor=mae", "trainer.mode=max"]) == 0
    backend = optuna.storages.journal.JournalFileBackend("s/study.log")
    storage = optuna.storages.JournalStorage(backend)
    assert optuna.load_study(study_name="sweep", storage=storage).direction.name == "MAXIMIZE"
    assert len(crew.started) == 1


def test_a_combination_that_makes_no_run_is_told_and_passed_over(crew, capsys, monkeypatch):
    from seqtrain.cli import sweep as cli

    real = cli.plan

    def plan(overrides, number):
        if number == 1 and overrides[-1] not in ("optimizer.lr=0.0001", "optimizer.lr=1.0"):
            raise ConfigError("model.hidden_size=7: not even")
        return real(overrides, number)

    assert main([*SEARCH, RATE, "sweep.trials=1"]) == 0
    monkeypatch.setattr(cli, "plan", plan)
    assert main([*SEARCH, RATE, "sweep.trials=3"]) == 1
    assert "model.hidden_size=7: not even" in capsys.readouterr().err
    assert len(crew.started) == 2
    assert main(["resume", "s"]) == 1
    assert [job.status for job in Manifest.load(Path("s")).jobs].count("failed") == 1


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "sweep=optuna: nothing to search; give values"),
        (["seed=1,2", RATE], "seed: is no option to search; find the best with one seed"),
        (["optimizer.lr=interval(1,0.1)"], "the interval begins at 1.0 and ends at 0.1"),
        (["optimizer.lr=tag(log,interval(0,0.1))"], "the interval begins at 0.0"),
        (["model=gru,lstmm"], "model=lstmm: no such model; did you mean lstm?"),
        ([RATE, "trainer.monitor=mae"], "trainer.monitor=mae: a search needs to know; say trainer.mode=min or max"),
        ([RATE, "sweep.trials=0"], "sweep.trials=0: must be at least 1"),
        ([RATE, "sweep.sampler=tpee"], "did you mean tpe?"),
        ([RATE, "sweep.trails=3"], "did you mean sweep.trials?"),
        ([RATE, "sweep.storage=nosuch://x"], "sweep.storage=nosuch://x: "),
    ],
)
def test_what_is_wrong_is_one_line(arguments, text, crew, capsys):
    assert main([*SEARCH, *arguments]) == 2
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1
    assert crew.started == []


def test_a_grid_is_not_gone_on_with_as_a_search(crew, capsys):
    assert main(["-m", "task=sine", "optimizer.lr=0.1,0.2", "hydra.sweep.dir=s"]) == 0
    assert main([*SEARCH, RATE]) == 2
    assert "holds a sweep of another kind (grid)" in capsys.readouterr().err
    assert len(crew.started) == 2


def test_without_the_extra_one_line_names_it(monkeypatch, capsys):
    monkeypatch.setattr(search, "find_spec", lambda name: None if name == "optuna" else find_spec(name))
    assert main([*SEARCH, RATE]) == 2
    assert "sweep=optuna: needs Optuna; pip install 'seqtrain[optuna]' brings it" in capsys.readouterr().err
    assert "optuna" in sys.modules  # only this test's view of it was narrowed
