"""Pages of the docs site that the code writes itself, as mkdocs asks for them: a hook in mkdocs.yml.

One page for each model and task, one for each other group of words, and the help of each command. Nothing of it is
kept in the repository, so none of it can go stale.
"""

import contextlib
import io
import os
import re
from functools import cache
from importlib.resources.abc import Traversable
from typing import Any, Protocol

from docs_options import about, plain, table_of_options

from seqtrain.cli import COMMANDS, main
from seqtrain.config import build_word
from seqtrain.data import DATASETS
from seqtrain.models import DecoderSpec, ModelSpec, build_model, refusal
from seqtrain.models.assembler import parts
from seqtrain.spec import Spelt, Symbols, TaskSpec, Values
from seqtrain.tasks import Task
from seqtrain.words import built_in, summary

ALIGNMENTS = {
    "whole": "one answer for each sequence",
    "each": "one answer at each step",
    "ahead": "a fixed number of steps to come",
    "free": "a sequence of its own length",
}
LISTS = {
    "optimizer": "Optimizers",
    "scheduler": "Schedulers",
    "trainer": "The trainer",
    "decoder": "What writes",
    "sweep": "Sweeps and searches",
    "launcher": "Launchers",
}
"""The groups whose words share one page, with its title."""
SHOWN = {"whole": "sentiment", "each": "ner", "ahead": "sine", "free": "translation"}
"""For each alignment the task that a model's page shows."""
LIKELY = {"whole": "bilstm", "each": "bilstm", "ahead": "gru", "free": "seq2seq_attention"}
"""For each alignment the model that a task's page shows, if it fits."""
PAGED = ("model", "task")
"""The groups whose words have a page each."""
HELP = "<!-- the help of every command -->\n"


# -------------------------------------------------------------------- models and tasks


@cache
def model_of(word: str) -> ModelSpec:
    """A model with all of its defaults."""
    return build_word(ModelSpec, built_in("model")[word], "model")


@cache
def task_of(word: str) -> Task:
    """A task with all of its defaults."""
    return build_word(Task, built_in("task")[word], "task")


@cache
def misfit(model: str, task: str) -> str | None:
    """Why a model is refused on a task; None if it fits."""
    return refusal(model_of(model), DecoderSpec(), task_of(task).outline)


def small(task: TaskSpec) -> TaskSpec:
    """The task as if its data had been read, with sizes that are easy to tell apart."""
    sizes = {Symbols: Symbols(1000), Spelt: Spelt(1000, 60), Values: Values((16,))}
    element = Values((16, 16, 16)) if isinstance(task.input, Values) and len(task.input.shape) == 3 else None
    answers = Symbols(5, task.output.chained) if isinstance(task.output, Symbols) else element or Values((16,))
    return TaskSpec(
        element or sizes[type(task.input)], answers, task.align, 10, task.causal, task.carry, task.continues
    )


def fitting(model: str) -> dict[str, list[str]]:
    """The tasks that a model fits, by alignment."""
    found: dict[str, list[str]] = {align: [] for align in ALIGNMENTS}
    for task in built_in("task"):
        if misfit(model, task) is None:
            found[task_of(task).outline.align].append(task)
    return {align: tasks for align, tasks in found.items() if tasks}


def links(words: list[str], folder: str = "") -> str:
    """Words, each with a link to its page."""
    return ", ".join(f"[`{word}`]({folder}{word}.md)" for word in words)


def example(model: str) -> str:
    """The task that a model's page shows."""
    fits = fitting(model)
    wanted = SHOWN["free"] if model.startswith("seq2seq") else SHOWN[next(iter(fits))]
    return wanted if misfit(model, wanted) is None else next(iter(fits.values()))[0]


def refused(pairs: list[tuple[str, str]], folder: str) -> str:
    """Words that don't fit, together where the reason is the same."""
    reasons: dict[str, list[str]] = {}
    for word, reason in pairs:
        reasons.setdefault(reason, []).append(word)
    return "".join(f"- {links(words, folder)}: it {plain(reason)}\n" for reason, words in reasons.items())


def recorded(group: str, word: str) -> str:
    """The recorded experiments that use a word."""
    using = [
        f"- [`experiment={name}`](../experiments.md#{name}): {plain(summary(file))}\n"
        for name, file in built_in("experiment").items()
        if re.search(rf"override /{group}: {word}$", file.read_text("utf-8"), flags=re.M)
    ]
    return "\n## Recorded experiments\n\n" + "".join(using) if using else ""


def page_of_model(word: str, file: Traversable) -> str:
    """What a model is, its options, its parts, the tasks that it fits and those that it refuses."""
    task = example(word)
    model = build_model(model_of(word), small(task_of(task).outline))
    rows = "\n".join(
        f"| {part.name} | {plain(part.description)} | {part.parameters:,} | {part.multiply_adds:,} |"
        for part in parts(model)
    )
    fits = "".join(
        f"- **{align}**, {ALIGNMENTS[align]}: {links(tasks, '../tasks/')}\n" for align, tasks in fitting(word).items()
    )
    no = [(other, reason) for other in built_in("task") if (reason := misfit(word, other)) is not None]
    refuses = f"\nIt is refused, before any data is read, with\n\n{refused(no, '../tasks/')}" if no else ""
    return f"""# {word}

{about(file)}
```sh
seqtrain model={word} task={task}
```

## Options

Each is changed by `model.OPTION=VALUE`.
{table_of_options("model", file)}
## Parts

As built for a task like `{task}`, with the defaults above and sizes of data made up for this page. The log of a run
shows the same table for what was really built.

| part | | parameters | multiply-adds a step |
|---|---|---:|---:|
{rows}

## Tasks

{fits}{refuses}{recorded("model", word)}"""


def page_of_task(word: str, file: Traversable) -> str:
    """What a task asks, its options, its data, and the models that fit."""
    task, outline = task_of(word), task_of(word).outline
    models = list(built_in("model"))
    fits = [model for model in models if misfit(model, word) is None]
    no = [(model, reason) for model in models if (reason := misfit(model, word)) is not None]
    best = "the larger the better" if task.higher_is_better else "the smaller the better"
    seen = "; an answer may not see later steps" if outline.causal else ""
    rows = [
        f"| an answer is | {ALIGNMENTS[outline.align]} (*{outline.align}*){seen} |",
        f"| best checkpoint by | `val/{task.metric}`, {best} |",
    ]
    if task.real_data is not None:
        data = DATASETS[task.real_data]
        rows.append(
            f"| real data | {plain(data.summary)}; {data.size_bytes / 1e6:.1f} MB; licence: {plain(data.licence)} |"
        )
    facts = "\n".join(rows)
    likely = next(model for model in ("convlstm", LIKELY[outline.align], "lstm") if model in fits)
    file_of_own = " task.path=FILE.csv" if word == "series" else ""
    refuses = f"\nRefused, before any data is read:\n\n{refused(no, '../models/')}" if no else ""
    fetch = f"seqtrain data fetch {task.real_data}\n" if task.real_data == word else ""
    return f"""# {word}

{about(file)}
```sh
{fetch}seqtrain model={likely} task={word}{file_of_own}
```

| | |
|---|---|
{facts}

## Options

Each is changed by `task.OPTION=VALUE`.
{table_of_options("task", file)}
## Models

Fit: {links(fits, "../models/")}.
{refuses}{recorded("task", word)}"""


def index(group: str, text: str, answers: dict[str, str]) -> str:
    """The words of a group, each with its line and how it answers."""
    rows = "\n".join(
        f"| [`{word}`]({word}.md) | {plain(summary(file))} | {answers[word]} |"
        for word, file in built_in(group).items()
    )
    told = "; ".join(f"*{align}* is {what}" for align, what in ALIGNMENTS.items())
    head = f"# {group.capitalize()}s\n\n{text} An answer: {told}.\n\n| `{group}=` | | answers |\n|---|---|---|\n"
    return f"{head}{rows}\n"


def indices() -> dict[str, str]:
    """The models with what they take, the tasks with what they ask."""
    fits = "A senseless pair of model and task is refused with one line that says why."
    made = "Real data sets are fetched when they are first needed; all others are generated, or read a file of yours."
    takes = {model: ", ".join(fitting(model)) for model in built_in("model")}
    asks = {task: str(task_of(task).outline.align) for task in built_in("task")}
    return {"models/index.md": index("model", fits, takes), "tasks/index.md": index("task", made, asks)}


def page_of_group(group: str, title: str) -> str:
    """All words of a group with their options."""
    words = built_in(group)
    if len(words) == 1:
        ((_, file),) = words.items()
        return f"# {title}\n\n{about(file)}\n{table_of_options(group, file)}"
    sections = (
        f"## {word}\n\n{about(file)}\n```sh\n{command(group, word)}\n```\n{table_of_options(group, file)}\n"
        for word, file in words.items()
    )
    return f"# {title}\n\n" + "".join(sections)


def command(group: str, word: str) -> str:
    """A command that uses a word of a group."""
    several = "seqtrain -m model=rnn,lstm task=sine"
    if group == "launcher":
        return f"{several} launcher={word}"
    if group == "sweep":
        wanted = " 'optimizer.lr=tag(log,interval(1e-4,1e-1))'" if word == "optuna" else ""
        return f"{several} sweep={word}{wanted}"
    return f"seqtrain model=gru task=sine {group}={word}"


def page_of_experiments() -> str:
    """The recorded experiments, with what each changes."""
    text = (
        "# Recorded experiments\n\nSettings for real data that were run and written down: the command, the figures of "
        "each seed, the time. What stands below an experiment is all that it changes; the rest is default.\n\n"
    )
    for word, file in built_in("experiment").items():
        body = [line for line in file.read_text("utf-8").splitlines() if not line.startswith("#")]
        text += f"## {word}\n\n{about(file)}\n```yaml\n" + "\n".join(body) + "\n```\n\n"
    return text


def helps() -> str:
    """The help of each command, as it is printed."""
    os.environ["COLUMNS"] = "88"
    found = ""
    for name in COMMANDS:
        if name == "train":
            continue
        with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.suppress(SystemExit):
            main([name, "--help"])
        found += f"### {name}\n\n```text\n{said.getvalue().strip()}\n```\n\n"
    return found


def pages() -> dict[str, str]:
    """Every page that the code writes, by its path in the site."""
    found = {**indices(), "experiments.md": page_of_experiments()}
    found |= {f"models/{word}.md": page_of_model(word, file) for word, file in built_in("model").items()}
    found |= {f"tasks/{word}.md": page_of_task(word, file) for word, file in built_in("task").items()}
    return found | {f"options/{group}.md": page_of_group(group, title) for group, title in LISTS.items()}


# -------------------------------------------------------------------- what mkdocs calls


class Config(Protocol):
    """What is used of mkdocs' own configuration."""

    nav: list[Any]


def on_config(config: Config) -> Config:
    """Puts the words into the navigation, behind the pages that were written by hand."""
    of = {group: [f"{group}s/index.md", *(f"{group}s/{word}.md" for word in built_in(group))] for group in PAGED}
    at = next(i for i, section in enumerate(config.nav) if "Reference" in section)
    config.nav[at:at] = [{"Models": of["model"]}, {"Tasks": of["task"]}]
    options = [{title: f"options/{group}.md"} for group, title in LISTS.items()]
    reference = next(section for section in config.nav if "Reference" in section)["Reference"]
    reference += [*options, {"Recorded experiments": "experiments.md"}]
    return config


def on_files(files: Any, config: Any) -> Any:
    """Adds the pages to those that lie in docs."""
    from mkdocs.structure.files import File

    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Fills in the help of the commands, on the page that asks for it."""
    if page.parent is None:  # it has no neighbours to list
        page.meta["hide"] = ["navigation"]
    return markdown.replace(HELP, HELP + "\n" + helps()) if HELP in markdown else markdown
