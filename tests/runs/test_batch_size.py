import pytest
import torch
from rich.console import Console

from seqtrain import host_memory
from seqtrain.batch import Batch
from seqtrain.config import build_config
from seqtrain.errors import ConfigError, OutOfMemoryError, TrainingError
from seqtrain.runs import batch_size
from seqtrain.runs.batch_size import DeviceRoom, HostRoom, Room, largest_batch, longest, settle
from seqtrain.tasks import Split
from seqtrain.training.memory import out_of_memory_told

MEGA = 1 << 20
QUIET = Console(quiet=True)
SMALL = ["model.hidden_size=4", "task.train_size=40", "task.val_size=24", "task.test_size=8"]


class Machine:
    """A machine with so much memory, of which each sequence of a batch takes as much."""

    def __init__(self, monkeypatch, *, free: int, fixed: int = 0, each: int = MEGA) -> None:
        self.own = self.most = 100 * MEGA
        self.free, self.fixed, self.each = free, fixed, each
        self.tried: list[int] = []
        monkeypatch.setattr(host_memory, "resident", lambda: self.own)
        monkeypatch.setattr(host_memory, "available", lambda: self.free)
        monkeypatch.setattr(host_memory, "forget_peak", lambda: None)
        monkeypatch.setattr(host_memory, "peak", lambda: self.most)

    def step(self, size: int) -> None:
        self.tried.append(size)
        self.most = max(self.most, self.own + self.fixed + size * self.each)


@pytest.mark.parametrize("free", [10, 100, 1000])
def test_what_might_not_fit_is_not_even_tried(monkeypatch, free):
    machine = Machine(monkeypatch, free=free * MEGA)
    size = largest_batch(machine.step, 10**6, HostRoom())
    assert machine.tried[-1] == size
    assert size <= 0.8 * free < 2 * size


def test_what_a_step_takes_whatever_its_size_only_makes_the_guess_safer(monkeypatch):
    machine = Machine(monkeypatch, free=1000 * MEGA, fixed=300 * MEGA)
    size = largest_batch(machine.step, 10**6, HostRoom())
    assert machine.tried[-1] == size == 128  # of 256 it is feared that they take 856 MiB, of 800


def test_a_batch_is_no_larger_than_the_data(monkeypatch):
    machine = Machine(monkeypatch, free=10**6 * MEGA)
    assert largest_batch(machine.step, 100, HostRoom()) == 100
    assert machine.tried == [1, 2, 4, 8, 16, 32, 64, 100]


def test_a_first_step_that_takes_too_much_is_told(monkeypatch):
    machine = Machine(monkeypatch, free=100 * MEGA, each=90 * MEGA)
    with pytest.raises(TrainingError, match=r"trainer\.batch_size=auto: not even one sequence fits in memory"):
        largest_batch(machine.step, 100, HostRoom())


@pytest.mark.parametrize("room", [DeviceRoom, HostRoom])
def test_running_out_of_memory_ends_the_search(room):
    tried = []

    def step(size: int) -> None:
        tried.append(size)
        if size > 20:
            raise OutOfMemoryError("full")

    assert largest_batch(step, 1000, room()) == 16
    assert tried == [1, 2, 4, 8, 16, 32]


def test_an_accelerators_error_is_one_of_memory():
    one = torch.ones(1, dtype=torch.long)
    batch = Batch(torch.zeros(1, 3, dtype=torch.long), 3 * one, one, one)
    message = "out of memory on cpu over a batch of 1 sequences of 3 steps"
    with pytest.raises(OutOfMemoryError, match=message), out_of_memory_told(batch):
        raise torch.OutOfMemoryError("CUDA out of memory")


def test_a_system_that_does_not_tell_is_named(monkeypatch):
    def silent() -> int:
        raise FileNotFoundError

    monkeypatch.setattr(host_memory, "available", silent)
    with pytest.raises(ConfigError, match=r"trainer\.batch_size=auto: this system doesn't tell"):
        HostRoom()


class Few(Room):
    """Holds ten sequences."""

    def expects(self, size):
        return True

    def holds(self, size, step):
        step(size)
        return size <= 10


@pytest.mark.parametrize(
    "overrides",
    [
        ["task=sine", "model=gru", "task.lookback=8", "task.horizon=4"],
        ["task=translation", "model=seq2seq"],
        ["task=sentiment", "model=lstm"],
    ],
    ids=lambda overrides: overrides[0],
)
def test_a_configuration_is_settled_with_a_number(compose, tmp_path, monkeypatch, overrides):
    monkeypatch.setattr(batch_size, "HostRoom", Few)
    config = build_config(compose(*overrides, *SMALL, "trainer.batch_size=auto", f"data_dir={tmp_path}"))
    config.task.prepare(config.data_dir, 0)
    settled = settle(config, torch.device("cpu"), QUIET)
    assert settled.trainer.batch_size == 8
    assert settle(settled, torch.device("cpu"), QUIET) is settled


def test_text_is_settled_in_streams(compose, tmp_path, monkeypatch):
    monkeypatch.setattr(batch_size, "HostRoom", Few)
    typed = ("task=text", "model=lstm", "model.hidden_size=4", "trainer.batch_size=auto")
    config = build_config(compose(*typed, f"data_dir={tmp_path}"))
    config.task.prepare(config.data_dir, 0)
    assert settle(config, torch.device("cpu"), QUIET).trainer.batch_size == 8


def test_sizes_are_tried_on_the_longest_sequences(compose, tmp_path):
    config = build_config(compose("task=sentiment", "model=lstm", *SMALL))
    config.task.prepare(tmp_path, 0)
    examples = config.task.examples(Split.TRAIN)
    batch = longest(examples, 4)
    assert sorted(batch.lengths.tolist()) == sorted(examples.lengths)[-4:]


def test_mps_is_asked_for_a_number(compose):
    config = build_config(compose("trainer.batch_size=auto"))
    with pytest.raises(ConfigError, match="an mps device shares its memory with the machine; give a number"):
        settle(config, torch.device("mps"), QUIET)


def test_a_word_that_is_no_size_is_refused(compose):
    with pytest.raises(ConfigError, match=r"trainer\.batch_size=many: expected a whole number or one of auto"):
        build_config(compose("trainer.batch_size=many"))
