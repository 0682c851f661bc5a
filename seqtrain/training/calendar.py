"""When things happen in a run: validations, checkpoints, and its end."""

from seqtrain.distributed.team import Team
from seqtrain.training.progress import Progress
from seqtrain.training.trainer_config import TrainerConfig


class Calendar:
    """What is due after a step, as the user's options say."""

    def __init__(self, config: TrainerConfig, team: Team) -> None:
        """Starts the clock.

        Args:
            config: Says how often, and for how long.
            team: Keeps the clock that all its processes share.
        """
        self.config = config
        self.team = team
        self.start()

    def start(self) -> None:
        """Counts time from now on."""
        self.ticked = self.saved = self.team.clock()

    def tick(self) -> float:
        """Seconds since the last tick."""
        self.team.agree()
        before, self.ticked = self.ticked, self.team.clock()
        return self.ticked - before

    def limit(self, progress: Progress) -> str | None:
        """The limit that has been reached, or None."""
        config = self.config
        if config.max_steps is not None and progress.step >= config.max_steps:
            return "max_steps"
        if config.max_epochs is not None and progress.epoch >= config.max_epochs:
            return "max_epochs"
        if config.max_time is not None and progress.seconds + self.team.clock() - self.ticked >= config.max_time:
            return "max_time"
        if config.patience is not None and progress.stale >= config.patience:
            return "patience"
        return None

    def validation_due(self, progress: Progress) -> bool:
        """Whether this step is one to validate after."""
        if self.config.eval_every is not None:
            return due(progress.step, self.config.eval_every)
        return progress.batch == 0 and due(progress.epoch, self.config.eval_every_epochs or 1)

    def save_due(self, progress: Progress) -> bool:
        """Whether a checkpoint is to be written after this step, even if it isn't validated."""
        minutes = self.config.checkpoint_every_minutes
        return (
            due(progress.step, self.config.checkpoint_every)
            or (progress.batch == 0 and due(progress.epoch, self.config.checkpoint_every_epochs))
            or (minutes is not None and self.team.clock() - self.saved >= 60 * minutes)
        )

    def has_saved(self) -> None:
        """Counts the minutes to the next checkpoint from now."""
        self.saved = self.team.clock()


def due(step: int, every: int | None) -> bool:
    """Whether something that happens every so many steps happens after this one."""
    return every is not None and step % every == 0
