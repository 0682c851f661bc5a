"""The page: what was trained, how well, on which examples, and what went on inside."""

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from seqtrain.errors import CheckpointError, DataError
from seqtrain.explain.cards import card, looks
from seqtrain.explain.charts import Axes, Line, plot
from seqtrain.explain.examples import Example, of_given, of_split
from seqtrain.explain.history import History, curves, figures, read_history
from seqtrain.explain.inside import equation, layers_of, panel
from seqtrain.explain.markup import facts, table, text
from seqtrain.logs.gradient_flow import SEQUENCES, Flow, gradient_flow
from seqtrain.models import parts
from seqtrain.runs.run_folder import read_overrides
from seqtrain.shown import Words
from seqtrain.spec import Values

if TYPE_CHECKING:
    from seqtrain.runs.trained import Trained
    from seqtrain.tasks.given import Given

EXAMPLES = 3
"""Examples of the data that are shown where a user gives none."""
MOST_GIVEN = 8
"""Examples of a user's that are shown."""


def explain(
    trained: "Trained", given: "Sequence[Given]" = (), split: str = "val", batch_size: int | None = None
) -> tuple[str, list[str]]:
    """A page of HTML that explains a trained model, and what a user should know of how it was made.

    Args:
        trained: The model.
        given: Inputs to show it on, of which the first few are shown; without any, some examples of the data.
        split: Of the data: val or train.
        batch_size: Inputs that are answered together; None is all of them.

    Raises:
        CheckpointError: If examples of the data are needed, and it is another than in training.
        DataError: If an input or the data can't be read.
    """
    notes = []
    if len(given) > MOST_GIVEN:
        notes.append(f"the page shows the first {MOST_GIVEN} inputs; there are more")
    examples = of_given(trained, given[:MOST_GIVEN], batch_size) if given else of_split(trained, split, EXAMPLES)
    try:
        flow = flow_of(trained, split)
    except (CheckpointError, DataError) as error:
        if not given:
            raise
        flow = None
        notes.append(f"gradient flow is left out, for it needs the data: {error}")
    history = read_history(trained.folder)
    sections = [
        ("Did it learn?", learned(trained, history)),
        ("What it answers", answers(examples)),
        ("Where it looks", attention(examples)),
        ("Inside a unit", inside(trained, examples)),
        ("How far back it learns", "" if flow is None else flow_section(flow)),
    ]
    body = "".join(f"<section><h2>{name}</h2>{content}</section>" for name, content in sections if content)
    return document(f"{trained.config.model_name} on {trained.config.task_name}", head(trained, history) + body), notes


def document(title: str, body: str) -> str:
    """The whole page. What it holds can't load anything, nor run any script but ours, whose hash it tells."""
    room = files("seqtrain.explain")
    style, script = (room.joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{text(title)}</title><style>{style}</style></head>\n"
        f"<body><main>{body}</main>\n<script>{script}</script></body></html>\n"
    )


# -------------------------------------------------------------------- sections


def head(trained: "Trained", history: History) -> str:
    """What was trained, and of what it is made."""
    config, summary = trained.config, history.summary
    built = parts(trained.model)
    rows: dict[str, str] = {}
    if "seconds" in summary:
        pace = f"{summary.get('steps', 0):,} steps, {summary.get('epochs', 0):.4g} epochs, {summary['seconds']:.0f} s"
        rows["trained for"] = f"{pace} on {summary.get('device')} in {summary.get('precision')}"
    if summary.get("status") not in (None, "finished"):
        rows["training"] = str(summary["status"])
    rows["weights"] = f"after step {trained.step:,}, from seed {config.seed}"
    rows["run"] = trained.folder.name
    typed = " ".join(["seqtrain", *read_overrides(trained.folder)])
    cells = [[part.name, part.description, f"{part.parameters:,}"] for part in built]
    cells.append(["", "all parts", f"{sum(part.parameters for part in built):,}"])
    return (
        f"<header><h1>{text(config.model_name)} <span>on</span> {text(config.task_name)}</h1>"
        f"<pre>{text(typed)}</pre>{facts(rows)}</header>"
        f'<section class="parts">{table(cells, ["part", "what it is", "parameters"])}</section>'
    )


def learned(trained: "Trained", history: History) -> str:
    """Figures beside the trivial answer, and the curves of training."""
    trivial = (type(trained.task).baseline.__doc__ or "").strip().partition("\n")[0]
    drawn = figures(history, trivial) + curves(history)
    if "val/loss" in history.points and drawn:
        drawn += (
            '<p class="small">Where the loss on validation data rises while that in training falls, the model learns '
            "its examples by heart. The dot is the checkpoint that was kept: the best on validation data. "
            "The test data was read once, after that choice.</p>"
        )
    return drawn


def answers(examples: Sequence[Example]) -> str:
    """The examples."""
    return f'<div class="cards">{"".join(card(example) for example in examples)}</div>'


def attention(examples: Sequence[Example]) -> str:
    """Maps of attention, of the first example alone where each step asks; nothing where a model has none."""
    each_asks = any(weights.shape[1] == weights.shape[2] > 1 for weights in examples[0].attention)
    drawn = [each for example in (examples[:1] if each_asks else examples) for each in looks(example)]
    if not drawn:
        return ""
    return (
        "<p>Attention is a weighted mean of what was read. The weights of one query add up to 1: they are a softmax of "
        "how well each step matches it (Bahdanau 2015, eqs 5-6; Vaswani 2017, eq 1). In a map rows ask, columns are "
        "looked at. A weight tells what was read, not yet why an answer was given.</p>"
        f'<div class="looks">{"".join(drawn)}</div>'
    )


def inside(trained: "Trained", examples: Sequence[Example]) -> str:
    """Gates and memories of recurrent layers on the first example; nothing where there are none."""
    example = examples[0]
    layers = layers_of(trained.model, example.batch.to(trained.device))
    if not layers:
        return ""
    read = not isinstance(trained.task.spec.input, Values) or any(
        isinstance(part, Words) for part in example.shown.parts
    )
    formula = equation(layers[0])
    cut = int(example.batch.lengths[0]) > layers[0].steps
    return (
        f"<p>What each unit does while {text(example.title)} is read. Follow one: when does it open, what does it "
        "keep, what makes it forget? A unit that keeps its colour over many steps remembers something; what some "
        "remember can be told in words (Karpathy 2015, arXiv 1506.02078)."
        f"{f' The first {layers[0].steps} steps are shown.' if cut else ''}</p>"
        f"{f'<pre>{text(formula)}</pre>' if formula else ''}{panel(layers, example.shown.steps, read=read)}"
    )


def flow_of(trained: "Trained", split: str) -> Flow | None:
    """The gradient by lag over a few sequences of the data; None where a model has no memory, or all of it is 0."""
    if trained.model.by_step_refusal is not None:
        return None
    examples = trained.examples(split)
    batch = examples.batch(np.arange(min(SEQUENCES, len(examples))), 0).to(trained.device)
    flow = gradient_flow(trained.model, trained.task, batch)
    return flow if len(flow.h) > 1 and (flow.h > 0).any() else None


def flow_section(flow: Flow) -> str:
    """The curve, and how to read it."""
    lines = [Line("of h", np.arange(len(flow.h)), flow.h, colour=0)]
    if flow.c is not None:
        lines.append(Line("of c", np.arange(len(flow.c)), flow.c, colour=1))
    kept = ""
    if flow.h[0] > 0:
        share = 100 * flow.h[-1] / flow.h[0]
        kept = f" Here, {len(flow.h) - 1} steps back, {share:.2g}% of the gradient of h is left."
    return (
        "<p>How much the answer's loss would change with the memory after an earlier step: the norm of its gradient. "
        "Where the curve falls steeply, what was read so long ago can't teach the weights any more, the vanishing "
        "gradient (Bengio 1994; Pascanu 2013, arXiv 1211.5063); a flat curve is a memory that carries; a rising one "
        f"explodes.{text(kept)}</p>"
        f"{plot(lines, Axes('steps back from the last one read', log=True))}"
    )
