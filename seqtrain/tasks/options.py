"""Limits of a task's options; what lies outside is refused by the option's name."""

import math

from seqtrain.errors import ConfigError


def at_least(minimum: int, **options: int) -> None:
    """Refuses any option below the minimum."""
    for name, value in options.items():
        if value < minimum:
            raise ConfigError(f"task.{name}={value}: must be {minimum} or more")


def chance(**options: float) -> None:
    """Refuses any option outside [0, 1]."""
    for name, value in options.items():
        if not 0 <= value <= 1:
            raise ConfigError(f"task.{name}={value}: must be between 0 and 1")


def fraction(**options: float) -> None:
    """Refuses any option outside (0, 1)."""
    for name, value in options.items():
        if not 0 < value < 1:
            raise ConfigError(f"task.{name}={value}: must be above 0 and below 1")


def amount(**options: float) -> None:
    """Refuses any option that is negative or infinite."""
    for name, value in options.items():
        if not 0 <= value < math.inf:
            raise ConfigError(f"task.{name}={value}: must be 0 or more, and finite")
