"""How every command reads its options: what it can't use is an error of one line, like all others."""

import argparse
import re
from typing import Any, NoReturn

from seqtrain.errors import ConfigError
from seqtrain.typos import did_you_mean


class Parser(argparse.ArgumentParser):
    """A parser that guesses no abbreviations, and whose complaints are one line with what was likely meant."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        hint = ""
        if unknown := re.match(r"unrecognized arguments: (-[^\s=]+)", message):
            hint = did_you_mean(unknown[1], self._option_string_actions)
        elif choice := re.search(r"invalid choice: '(.*)' \(choose from (.*)\)", message):
            hint = did_you_mean(choice[1], re.findall(r"[^', ]+", choice[2]))
        raise ConfigError(f"{self.prog.removeprefix('seqtrain ')}: {message}{hint or f'; see {self.prog} --help'}")
