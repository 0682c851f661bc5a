"""The one training loop: fit, train_step, evaluate."""

from collections.abc import Iterator
from dataclasses import asdict

import torch

from seqtrain.batch import Batch
from seqtrain.device import pick_precision
from seqtrain.distributed.silent_log import SilentLog
from seqtrain.distributed.team import Team
from seqtrain.errors import CheckpointError, TrainingError
from seqtrain.logs.gallery import pictures_due
from seqtrain.logs.gradient_flow import flow_picture
from seqtrain.logs.runlog import RunLog
from seqtrain.logs.watch import Watch, Watched
from seqtrain.model import Model, State
from seqtrain.optimizer import OptimizerSpec
from seqtrain.scheduler import Moment, SchedulerSpec
from seqtrain.signals import StopFlag
from seqtrain.tasks.task import Sample, Split, Task
from seqtrain.training import checkpoint
from seqtrain.training.calendar import Calendar, due
from seqtrain.training.checkpoint import rng_state, set_rng_state
from seqtrain.training.evaluator import Evaluator, Interrupted
from seqtrain.training.feed import Feed
from seqtrain.training.memory import out_of_memory_told
from seqtrain.training.monitor import Monitor
from seqtrain.training.nonfinite import Guard, StepRecord
from seqtrain.training.progress import Progress, Window
from seqtrain.training.saver import Saver
from seqtrain.training.stepper import Stepper
from seqtrain.training.trainer_config import TrainerConfig

MOST_FAULTS = 10
"""Steps in a row that may be skipped or rolled back from; one more and the run is given up."""


class Trainer:
    """Trains one model on one task."""

    def __init__(
        self,
        config: TrainerConfig,
        model: Model,
        task: Task,
        optimizer: OptimizerSpec,
        scheduler: SchedulerSpec,
        *,
        device: torch.device,
        seed: int,
        log: RunLog | SilentLog,
        stop: StopFlag | None = None,
        team: Team | None = None,
    ) -> None:
        """Builds what training needs.

        Args:
            config: What the user asks of the loop.
            model: Moved to the device.
            task: Prepared.
            optimizer: Builds the optimizer.
            scheduler: Tells the learning rate of each step.
            device: Where to compute.
            seed: Decides the order of the training data.
            log: Where the run tells of itself; its folder holds the checkpoints.
            stop: Raised by whoever wants the run to end.
            team: The processes that train together; None is this one alone.
        """
        self.config = config
        self.model = model.to(device)
        self.task = task
        self.device = device
        self.log = log
        self.team = team or Team()
        self.stop = self.team.heed(stop or StopFlag())
        self.precision = pick_precision(config.amp, device, self.model)
        self.evaluator = Evaluator(self.model, task, device, self.precision, config.sequences, team=self.team)
        if config.compile:
            self.evaluator.network = torch.compile(self.model, dynamic=True)  # lengths differ from batch to batch
        self.stepper = Stepper(config, self.model, optimizer, scheduler, device=device, precision=self.precision)
        self.feed = Feed(config, task, seed, pin_memory=device.type == "cuda", share=self.team.share)
        epochs = None if config.max_epochs is None else config.max_epochs * self.feed.steps_per_epoch
        self.total_steps = min((n for n in (config.max_steps, epochs) if n is not None), default=None)
        self.monitor = Monitor.of(config, task)
        self.guard = Guard(
            self.model,
            eager=device.type == "cpu" or config.on_nonfinite != "stop",
            scaled=self.precision == torch.float16,
        )
        self.saver = Saver(
            log.folder / checkpoint.FOLDER,
            background=config.num_workers == 0,  # processes that prepare batches are forks of this one
            warn=log.warn if config.on_save_error == "continue" else None,
        )
        self.calendar = Calendar(config, self.team)
        self.progress = Progress()
        self.memory: State | None = None
        self.window = Window()

    # ---------------------------------------------------------------- the loop

    def fit(self) -> str:
        """Trains until a limit is reached or somebody asks to stop.

        Returns:
            Why it ended: max_steps, max_epochs, max_time, patience, or the name of the signal.

        Raises:
            TrainingError: If a number is no longer finite, memory runs out, or a checkpoint can't be written.
        """
        progress = self.progress
        self.model.train()
        shown = ("train/loss", self.monitor.name, f"train/{self.task.unit}_per_second")
        self.log.start_progress(progress.step, self.total_steps, shown)
        self.team.agree()
        self.calendar.start()
        if self.config.on_nonfinite == "rollback" and not progress.step:
            self.save()
        if progress.step > progress.validated and (
            self.calendar.validation_due(progress) or self.calendar.limit(progress)
        ):
            self.validate()  # it was due when the run was stopped
        end = self.calendar.limit(progress) or self.stop.received
        while end is None:
            end = self.train_pass()
        self.saver.wait()
        if self.saver.unsaved:  # there may be room again
            self.save(best=self.progress.best_step == self.progress.step)
            self.saver.wait()
        self.log.stop_progress()
        return end

    def train_pass(self) -> str | None:
        """Trains on what is left of the pass over the training data; why the run ends, or None if it goes on."""
        progress = self.progress
        for batches in self.feed.steps(progress.epoch, progress.batch):
            fault = self.train_step(batches)
            if fault is not None and self.left_out(fault):
                return None
            limit = self.calendar.limit(progress)

            if due(progress.step, self.config.log_every):
                self.record_training()
            if self.calendar.validation_due(progress) or limit:
                self.validate()
                limit = self.calendar.limit(progress)  # patience may have run out
            elif self.calendar.save_due(progress) or self.stop.received:
                self.save()
            self.log.advance(progress.step)
            if end := limit or self.stop.received:
                return end
        return None

    def train_step(self, batches: list[Batch]) -> str | None:
        """One optimizer step over the batches, as if they were one: sums travel, one division.

        Returns:
            What is wrong with its loss or gradient, if anything is and is known; the weights then stay as they were.
        """
        fault = watch = None
        watched = False
        mine = [batch for batch in batches if len(batch)]
        counts = [(self.task.count(batch), len(batch), int(batch.lengths.sum())) for batch in mine]
        sums = self.team.agree(*(sum(column) for column in zip((0, 0, 0), *counts, strict=True)))
        count, examples, read = (int(each) for each in sums)
        if self.progress.step not in self.progress.left_out:
            memory = self.memory
            record = self.backward(mine, count)
            fault = self.guard.fault(record, lambda: self.answer(mine, memory))
            if fault is not None:  # on all processes; one whose own share is at fault knows the place
                told = self.team.gather((bool(torch.isfinite(record.own_loss)), fault))
                fault = min(told, key=lambda each: each[0])[1]
            if fault is None:
                watched = due(self.progress.step + 1, self.config.watch_every)
                watch = Watch(self.model) if watched and self.team.first else None
                self.update(record, count)
            else:
                self.memory = memory
                self.stepper.leave()
        self.window.steps += 1
        self.window.examples += examples
        self.window.read += read
        self.progress.step += 1
        self.progress.batch += len(batches)
        if self.progress.batch == self.feed.batches_per_epoch:
            self.progress.epoch += 1
            self.progress.batch = 0
            self.memory = None
        if watched:
            self.record_layers(None if watch is None else watch.after(mine[-1]))
        return fault

    def backward(self, batches: list[Batch], count: int) -> StepRecord:
        """Leaves the gradient of the mean loss over the batches in the weights."""
        self.model.at_step(self.progress.step)
        total = torch.zeros((), device=self.device)
        for batch in batches:
            moved = batch.to(self.device)
            with out_of_memory_told(moved):
                outputs, self.memory = self.evaluator.answer(moved, self.memory, self.feed.train_examples)
                loss = self.task.loss(outputs, moved, self.config.label_smoothing)
                self.stepper.backward(loss / count)
            total += loss.detach()
        loss = self.team.sum_gradients(self.stepper.parameters, total)
        indices = [batch.indices for batch in batches]
        return StepRecord(self.progress.step + 1, indices, loss, total, self.stepper.norms())

    def update(self, record: StepRecord, count: int) -> None:
        """Moves the weights, and counts the step."""
        moment = Moment(
            step=self.progress.step,
            steps_per_epoch=self.feed.steps_per_epoch,
            total_steps=self.total_steps,
            history=self.progress.history,
        )
        norm = torch.linalg.vector_norm(record.norms)
        self.stepper.step(norm, moment)
        self.window.loss += record.loss
        self.window.grad_norm += norm
        self.window.count += count

    def answer(self, batches: list[Batch], memory: State | None) -> None:
        """Answers batches once more, for somebody who looks on."""
        for batch in batches:
            _, memory = self.evaluator.answer(batch.to(self.device), memory, self.feed.train_examples)

    def evaluate(self, split: Split) -> dict[str, float]:
        """Loss and metrics over one whole split, by names like `val/accuracy`, with the weights that are kept.

        Raises:
            Interrupted: If the run is asked to stop meanwhile.
        """
        try:
            with self.stepper.kept_weights():
                values = self.evaluator.evaluate(self.feed.examples(split), self.feed.evaluation(split))
        finally:
            self.model.train()
        return self.team.tell(lambda: {f"{split}/{name}": value for name, value in values.items()})

    def samples(self, split: Split) -> Iterator[Sample]:
        """One whole split, answered batch by batch as it is asked for; leaves the model in evaluation mode."""
        with self.stepper.kept_weights():
            yield from self.evaluator.samples(self.feed.examples(split), self.feed.evaluation(split, whole=True))

    # ---------------------------------------------------------------- once in a while

    def validate(self) -> None:
        """Scores the validation split, remembers what is best, and saves; only saves if it is asked to stop."""
        self.tick(training=True)
        try:
            with self.log.doing("scoring"):
                values = self.evaluate(Split.VAL)
        except Interrupted:
            self.save()
            return
        self.tick(training=False)
        self.log.scalars(self.progress.step, self.epoch, self.progress.seconds, values)
        self.save(best=self.monitor.judge(self.progress, values))
        drawn = not self.config.overfit_batches and not self.stop.received
        if drawn and pictures_due(len(self.progress.history), self.config.pictures_every):
            self.draw()

    def draw(self) -> None:
        """Draws the task's pictures, with the weights that are kept."""
        with self.log.doing("drawing"):
            self.log.pictures(self.progress.step, self.task.pictures(self.samples(Split.VAL)))
        self.model.train()
        self.tick(training=False)

    def record_training(self) -> None:
        """Records the mean loss, the rate and the speed since the last record. The only sync of the loop."""
        self.tick(training=True)
        self.guard.check(self.progress.step, self.remedy())
        values = {**self.window.means(self.task.unit), "train/lr": self.stepper.rate}
        self.log.scalars(self.progress.step, self.epoch, self.progress.seconds, values)
        self.window = Window()

    def record_layers(self, found: Watched | None) -> None:
        """Records what the last step did layer by layer, and how far back the gradient reaches, where that was seen."""
        self.tick(training=True)
        if found is not None:
            step = self.progress.step
            self.log.watched(step, self.epoch, self.progress.seconds, found)
            flow = flow_picture(self.model, self.task, self.device, self.config.sequences)
            if flow is not None:
                self.log.pictures(step, [flow])
        self.tick(training=False)

    def save(self, best: bool = False) -> None:
        """Writes a checkpoint, unless what would be saved is broken.

        Raises:
            TrainingError: If a number isn't finite, or the checkpoint before this one couldn't be written.
        """
        self.tick(training=True)
        self.guard.check(self.progress.step, self.remedy())
        top = [step for _, step in self.progress.top] if self.config.keep_best > 1 else []
        state = self.state_dict()
        if self.team.first:
            self.saver.save(state, best=best, top=top)
        self.calendar.has_saved()
        self.tick(training=False)

    def left_out(self, fault: str) -> bool:
        """Leaves out the step just tried, whose numbers are not finite; whether the run went back for it.

        Raises:
            TrainingError: If the run is to stop for it, or too many steps in a row were like that.
        """
        policy, step = self.config.on_nonfinite, self.progress.step - 1
        if policy == "stop":
            raise TrainingError(f"{fault}: {self.remedy()}")
        left_out = [*self.progress.left_out, step]
        if left_out[-MOST_FAULTS - 1 :] == [*range(step - MOST_FAULTS, step + 1)]:
            raise TrainingError(f"{fault}, as were the {MOST_FAULTS} steps before: {self.remedy()}")
        if policy == "rollback":
            self.saver.wait()
            self.load_state_dict(self.team.tell(lambda: checkpoint.load(self.saver.folder / checkpoint.LAST)))
            self.log.rewind(self.progress.step)
            self.log.warn(f"{fault}: back to step {self.progress.step}, and past that step when it comes again")
        else:
            self.log.warn(f"{fault}: the step is left out")
        self.progress.left_out = left_out
        return policy == "rollback"

    def remedy(self) -> str:
        """What to do about numbers that are not finite."""
        saved = f"what {self.saver.folder} holds is from before" if self.saver.saved else "nothing was saved yet"
        skip = "" if self.config.on_nonfinite != "stop" else ", or trainer.on_nonfinite=skip"
        return f"try a lower optimizer.lr or trainer.clip_norm{skip}; {saved}"

    # ---------------------------------------------------------------- small things

    @property
    def epoch(self) -> float:
        """Passes over the training data, the one that has begun as a fraction."""
        return self.progress.epoch + self.progress.batch / self.feed.batches_per_epoch

    def tick(self, *, training: bool) -> None:
        """Adds the time since the last tick to the run's, and to the window's if it was spent training."""
        seconds = self.calendar.tick()
        self.progress.seconds += seconds
        if training:
            self.window.seconds += seconds

    # ---------------------------------------------------------------- state

    def state_dict(self) -> checkpoint.Checkpoint:
        """All that the loop needs to go on bit for bit; plain containers and tensors."""
        memory = None if self.memory is None else tuple(part.cpu() for part in self.memory)
        memories, generators = zip(*self.team.gather((memory, rng_state())), strict=True)
        return {
            **self.stepper.state_dict(),
            "memory": self.team.join_memories(memories),
            "progress": asdict(self.progress),
            "window": self.window.state_dict(),
            "rng": generators[0],
            "rng_of_others": list(generators[1:]),
        }

    def load_state_dict(self, state: checkpoint.Checkpoint) -> None:
        """Goes back to where `state_dict` was taken; the optimizer's options stay as they are now.

        Raises:
            CheckpointError: If the state is of another model, optimizer or format.
        """
        try:
            self.stepper.load_state_dict(state)
            memory = self.team.own_memory(state["memory"])
            self.memory = None if memory is None else tuple(part.to(self.device) for part in memory)
            self.progress = Progress(**state["progress"])
            self.progress.check(self.feed.batches_per_epoch)
            self.window = Window(**state["window"])
            generators = [state["rng"], *state.get("rng_of_others", [])]
            if self.team.rank < len(generators):
                set_rng_state(generators[self.team.rank])
        except (KeyError, RuntimeError, TypeError, ValueError, AttributeError) as error:
            reason = " ".join(str(error).split())
            raise CheckpointError(f"the checkpoint doesn't fit this run's configuration: {reason}") from error

    def take_best(self) -> None:
        """Takes the weights of the best checkpoint for good.

        Raises:
            CheckpointError: If there is none, or it isn't of this model.
            TrainingError: If there is none because it couldn't be written.
        """
        self.saver.wait()
        state = self.team.tell(self.saver.best)
        if (step := state["progress"]["step"]) != self.progress.best_step:
            self.log.warn(f"the best checkpoint couldn't be written; what is tested is the best before, of step {step}")
        try:
            self.stepper.keep(state["model"])
        except RuntimeError as error:
            path = self.saver.folder / checkpoint.BEST
            raise CheckpointError(f"{path}: of another model ({' '.join(str(error).split())})") from error
