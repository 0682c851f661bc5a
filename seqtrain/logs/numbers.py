"""How numbers read in lines, bars and tables. Imports nothing."""


def number(value: float) -> str:
    """A value in four significant digits; below 1, in four decimals: such values often stand below one another."""
    if 0.01 <= abs(value) < 1:
        return f"{value:.4f}"
    if value == 0 or abs(value) < 0.01:
        return f"{value:.4g}"
    return f"{value:#.4g}" if abs(value) < 999.95 else f"{value:.0f}"


def short(value: float) -> str:
    """A value in three digits, for where room is scarce."""
    return f"{value:#.3g}" if 0.1 <= abs(value) < 99.95 else f"{value:.3g}" if abs(value) < 0.1 else f"{value:.0f}"


def brief(value: float) -> str:
    """A count in three digits: 950, 1.2k, 48k, 3.1M."""
    for unit in ("", "k", "M"):
        if value < 1000 or unit == "M":
            break
        value /= 1000
    return f"{value:.1f}{unit}" if unit and value < 10 else f"{value:.0f}{unit}"


def clock(seconds: float) -> str:
    """A duration as 1:23:45, or 23:45 below an hour."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def leaf(name: str) -> str:
    """A value's name without what it is of: `loss` of `train/loss`."""
    return name.rpartition("/")[2]
