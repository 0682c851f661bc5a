"""`seqtrain list [GROUP]`: the words that a command line may choose, with one line on each."""

import argparse
import json

from seqtrain.words import GROUPS, summary, words


def main(arguments: list[str]) -> int:
    """Prints the words of one group or of all."""
    parser = argparse.ArgumentParser(
        prog="seqtrain list", description="Lists the words of each group, with one line on each."
    )
    parser.add_argument("group", nargs="?", choices=[group + "s" for group in GROUPS], help="only these")
    parser.add_argument("--json", action="store_true", help="for programs: one object per group")
    options = parser.parse_args(arguments)
    groups = [options.group.removesuffix("s")] if options.group else [group for group in GROUPS if words(group)]
    found = {group: {word: summary(file) for word, file in words(group).items()} for group in groups}

    if options.json:
        print(json.dumps(found, indent=2))  # noqa: T201
        return 0
    from rich.console import Console
    from rich.table import Table

    for group, lines in found.items():
        table = Table(title=group, title_justify="left", title_style="bold", box=None, show_header=False)
        table.add_column(style="cyan", no_wrap=True)
        table.add_column()
        for word, line in lines.items():
            table.add_row(word, line)
        Console().print(table)
    return 0
