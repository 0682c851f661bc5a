"""What one process makes of some cases, or each of several, which a launcher starts: `team_cases.py FOLDER`.

Each case is a function of a workbench and a team that returns plain values; they are written to FOLDER/RANK.pt.
"""

import math
import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from workbench import CarriedSum, Workbench, rows, weights

from seqtrain.distributed.team import Team, gathered
from seqtrain.errors import TrainingError
from seqtrain.seeding import seed_torch
from seqtrain.tasks import Split
from seqtrain.training import checkpoint
from seqtrain.training.trainer import Trainer

Case = Callable[[Workbench, Team], Any]

OPTIONS: dict[str, dict[str, Any]] = {
    "clipped": {"clip_norm": 0.1},
    "a last batch of one": {"batch_size": 7, "clip_norm": None},
    "accumulated": {"accumulate": 3, "clip_norm": None, "clip_value": 0.01},
    "averaged": {"ema": 0.9},
    "carried": {"task": CarriedSum},
    "carried by fewer at last": {"task": CarriedSum, "batch_size": 5, "accumulate": 2},
    "limited": {"limit_batches": 2},
    "overfitted": {"overfit_batches": 1},
    "patient": {"patience": 2, "min_delta": 0.05, "max_epochs": 20},
    "loaded ahead": {"num_workers": 1},
    "watched and drawn": {"watch_every": 2, "pictures_every": 1},
}
"""Trainings that end alike in any number of processes."""


def training(name: str) -> Case:
    def case(bench: Workbench, team: Team) -> dict[str, Any]:
        options = {"max_epochs": 3, **OPTIONS[name]}
        if "task" in options:
            options["task"] = options["task"]()
        trainer = bench(name, dropout=0, team=team, **options)
        end = trainer.fit()
        result = {"end": end, "weights": weights(trainer), "progress": trainer.progress.history}
        trainer.take_best()
        result["test"] = trainer.evaluate(Split.TEST)
        result["samples"] = sum(len(sample.batch) for sample in trainer.samples(Split.VAL))
        result["rows"] = rows(trainer) if team.first else []
        return result

    return case


def hear(trainer: Trainer, team: Team, rank: int, step: int) -> None:
    """Has one process hear a signal in the middle of a step, counted from 1."""
    backward = trainer.backward

    def interrupted(batches, count):
        if trainer.progress.step + 1 == step and team.rank == rank:
            trainer.team.heard.received = "SIGTERM"
        return backward(batches, count)

    trainer.backward = interrupted


def stopped_and_resumed(bench: Workbench, team: Team) -> dict[str, Any]:
    """A run with dropout and memory that one process is asked to stop, and the same run undisturbed."""
    options = {"team": team, "max_epochs": 5, "task": CarriedSum(), "dropout": 0.3, "ema": 0.9, "log_every": 100}

    def made(name: str) -> Trainer:
        trainer = bench(name, **options)
        seed_torch(team.rank, "dropout")  # as `train` does
        return trainer

    whole = made("undisturbed")
    whole.fit()
    first = made("stopped")
    hear(first, team, rank=team.size - 1, step=4)
    end = first.fit()
    team = options["team"] = anew(team)
    second = made("stopped")
    second.load_state_dict(team.tell(lambda: checkpoint.load(first.saver.folder / "last.pt")))
    at = second.progress.step
    second.fit()
    return {"end": end, "at": at, "whole": weights(whole), "resumed": weights(second), "draw": torch.rand(3)}


def stopped_in_validation(bench: Workbench, team: Team) -> dict[str, Any]:
    trainer = bench("unvalidated", team=team, max_epochs=3)
    answer = trainer.evaluator.answer

    def interrupted(batch, memory, examples):
        if not trainer.model.training and team.first:
            trainer.team.heard.received = "SIGUSR1"
        return answer(batch, memory, examples)

    trainer.evaluator.answer = interrupted
    return {"end": trainer.fit(), "validated": trainer.progress.validated, "step": trainer.progress.step}


def spoilt(trainer: Trainer, team: Team, step: int) -> None:
    """Spoils the loss of the second process in one step, counted from 1."""
    task_loss = trainer.task.loss

    def loss(outputs, batch, smoothing=0.0):
        spoil = trainer.progress.step + 1 == step and trainer.model.training and team.rank == min(1, team.size - 1)
        return task_loss(outputs, batch, smoothing) * (math.nan if spoil else 1.0)

    trainer.task.loss = loss


def broken(policy: str) -> Case:
    def case(bench: Workbench, team: Team) -> dict[str, Any]:
        trainer = bench(f"broken-{policy}", team=team, max_epochs=2, on_nonfinite=policy, dropout=0)
        spoilt(trainer, team, step=3)
        seen: list[list[int]] = []
        backward = trainer.backward

        def noted(batches, count):
            if trainer.progress.step == 2:
                seen.append([int(index) for batch in batches for index in batch.indices])
            return backward(batches, count)

        trainer.backward = noted
        try:
            end, message = trainer.fit(), ""
        except TrainingError as error:
            end, message = "error", str(error)
        return {"end": end, "message": message, "seen": seen[:1], "weights": weights(trainer), **vars(trainer.progress)}

    return case


def timed(bench: Workbench, team: Team) -> dict[str, Any]:
    """Processes whose clocks disagree about when the time is over."""
    trainer = bench("timed", team=team, max_epochs=10_000, max_time=0.5, checkpoint_every_minutes=1e-3)
    late = time.perf_counter
    if not team.first:
        time.perf_counter = lambda: 1000 + 3 * late()
    try:
        end = trainer.fit()
    finally:
        time.perf_counter = late
    return {"end": end, "step": trainer.progress.step, "seconds": trainer.progress.seconds}


def scored(_: Workbench, team: Team) -> dict[str, float]:
    """Metrics of ours, where the first process has two batches of five, the second three, and others none."""
    from torchmetrics import MeanSquaredError, MetricCollection
    from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

    from seqtrain.tasks.images.frame_metrics import frame_metrics, score_frames
    from seqtrain.tasks.speech.ctc import StringAccuracy, SymbolAccuracy, SymbolErrorRate
    from seqtrain.tasks.tagging.scores import TaggingScores
    from seqtrain.tasks.translation.metrics import BLEU, Perplexity, Share

    strings = MetricCollection([SymbolErrorRate(), SymbolAccuracy(), StringAccuracy()])
    classes = MetricCollection([MulticlassAccuracy(4), MulticlassF1Score(4, average="macro"), MeanSquaredError()])
    texts, nats, share = BLEU(), Perplexity(), Share()
    tags, frames = MetricCollection([TaggingScores()]), frame_metrics()
    for turn in range(5):
        draw = torch.Generator().manual_seed(turn)
        batch = torch.randint(0, 4, (2, 3 + turn, 5), generator=draw)
        pair = torch.rand(2, 1 + turn, 2, 1, 12, 12, generator=draw)
        if team.size > 1 and team.rank != min(turn // 2, 1):
            continue
        strings.update(*(rows.tolist() for rows in batch))
        classes.update(*(rows.flatten() for rows in batch))
        texts.update(*([" ".join(map(str, row)) for row in rows.tolist()] for rows in batch))
        nats.update(batch.sum() / 7, batch.numel())
        share.update(int(batch[0].sum()), 3 * batch[0].numel())
        tags.update(*batch, torch.full((3 + turn,), 5))
        score_frames(frames, *pair)
    values = {**strings.compute(), **classes.compute(), **tags.compute(), **frames.compute()}
    values |= {"bleu": texts.compute(), "perplexity": nats.compute(), "share": share.compute()}
    return {name: float(value) for name, value in values.items()}


CASES: dict[str, Case] = {
    **{name: training(name) for name in OPTIONS},
    "stopped": stopped_and_resumed,
    "unvalidated": stopped_in_validation,
    "stop": broken("stop"),
    "skip": broken("skip"),
    "rollback": broken("rollback"),
    "timed": timed,
    "scored": scored,
}


def anew(team: Team) -> Team:
    """The same processes, which nobody has asked to stop."""
    return Team(team.rank, team.size, team.local_rank)


def run(folder: Path, team: Team) -> dict[str, Any]:
    """What this process makes of all cases."""
    bench = Workbench(folder)
    results = {name: case(bench, anew(team)) for name, case in CASES.items()}
    for log in bench.logs:
        log.close()
    return results


if __name__ == "__main__":
    warnings.simplefilter("error")
    torch.set_num_threads(1)
    out = Path(sys.argv[1])
    with gathered(torch.device("cpu")) as several:
        torch.save(run(out, several), out / f"{os.environ['RANK']}.pt")
