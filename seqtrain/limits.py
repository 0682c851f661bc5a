"""Limits of options; what lies outside is refused by the option's name. None, an option left alone, passes.

Imports nothing of ours but errors.
"""

import math

from seqtrain.errors import ConfigError


def at_least(group: str, minimum: float, **options: float | None) -> None:
    """Refuses any option below the minimum, and infinity."""
    for name, value in options.items():
        if value is not None and not minimum <= value < math.inf:
            raise ConfigError(f"{group}.{name}={value}: must be at least {minimum}")


def above_zero(group: str, **options: float | None) -> None:
    """Refuses any option that is zero, negative or infinite."""
    for name, value in options.items():
        if value is not None and not 0 < value < math.inf:
            raise ConfigError(f"{group}.{name}={value}: must be above 0")


def chance(group: str, **options: float | None) -> None:
    """Refuses any option outside [0, 1]."""
    for name, value in options.items():
        if value is not None and not 0 <= value <= 1:
            raise ConfigError(f"{group}.{name}={value}: must be between 0 and 1")


def decay(group: str, **options: float | None) -> None:
    """Refuses any option outside [0, 1): of a running mean, say, or of dropout."""
    for name, value in options.items():
        if value is not None and not 0 <= value < 1:
            raise ConfigError(f"{group}.{name}={value}: must be at least 0 and below 1")


def fraction(group: str, **options: float | None) -> None:
    """Refuses any option outside (0, 1)."""
    for name, value in options.items():
        if value is not None and not 0 < value < 1:
            raise ConfigError(f"{group}.{name}={value}: must be above 0 and below 1")
