"""The leaderboard of a sweep: on the console and as files in its folder."""

from pathlib import Path

from rich.console import Console
from rich.text import Text

from seqtrain.errors import UserError
from seqtrain.runs import leaderboard
from seqtrain.runs.compare import Comparison, compare, find_runs, read_run


def write_leaderboards(folder: Path, console: Console) -> None:
    """Shows and writes a leaderboard, or one for each task where the sweep has several.

    What can't be ranked together is said so; the runs are there all the same.
    """
    tasks: dict[str, list[Path]] = {}
    for run in find_runs([folder]):
        tasks.setdefault(str(read_run(run).config.get("task_name")), []).append(run)
    for task, runs in tasks.items():
        try:
            found = compare(runs)
        except UserError as error:
            console.print(Text(f"no leaderboard: {error}", style="yellow"), soft_wrap=True)
            continue
        console.print()
        leaderboard.show(found, console)
        if found.groups:
            name = "leaderboard" if len(tasks) == 1 else f"leaderboard-{task}"
            write(folder, name, found)
            console.print(f"in the sweep's folder: {name}.md, .csv and .png", style="dim", highlight=False)
    console.print()


def write(folder: Path, name: str, found: Comparison) -> None:
    """Leaves the leaderboard as CSV, Markdown and a picture."""
    (folder / f"{name}.csv").write_text(leaderboard.as_csv(found), encoding="utf-8")
    (folder / f"{name}.md").write_text(leaderboard.markdown(found), encoding="utf-8")
    (folder / f"{name}.png").write_bytes(leaderboard.png(found))
