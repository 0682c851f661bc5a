"""Training from Python as from the command line; apart from the rest, since only this folder knows Hydra."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from seqtrain.errors import ConfigError, TrainingError

if TYPE_CHECKING:
    from seqtrain.runs.trained import Trained


def train(overrides: Sequence[str] = (), *, quiet: bool = False) -> "Trained":
    """Trains a run in this process, and loads its best checkpoint.

        trained = seqtrain.train(["model=bilstm", "task=sine", "trainer.max_steps=500"])
        trained.folder, trained.evaluate("test").metrics

    Args:
        overrides: What one would type behind `seqtrain`, but for flags.
        quiet: Whether nothing is printed; the run's train.log has it all the same.

    Raises:
        ConfigError: If an override isn't one, or can't be so.
        TrainingError: If the run was asked to stop, or can't go on.
    """
    from hydra import compose
    from hydra.core.hydra_config import HydraConfig
    from rich.console import Console

    from seqtrain.cli.train import composing, errors_of_hydra, parse_flags, plain
    from seqtrain.runs.run import start
    from seqtrain.runs.trained import load

    for override in overrides:
        if override.startswith("-") or ("=" not in override and not override.startswith("~")):
            raise ConfigError(f"{override}: not an override; write key=value")
    flags = parse_flags(overrides)
    with errors_of_hydra(flags), composing(flags):
        cfg = compose("config", overrides=list(overrides), return_hydra_config=True)
        HydraConfig.instance().set_config(cfg)
        composed = plain(cfg)
    outcome = start(composed.tree, composed.overrides, composed.run_dir, Console(quiet=quiet))
    if outcome.signal is not None:
        raise TrainingError(f"{outcome.folder}: stopped by {outcome.signal}; `seqtrain resume` goes on with it")
    return load(outcome.folder, device=composed.tree["device"])
