import re
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

import seqtrain.models
from seqtrain.errors import ConfigError
from seqtrain.models import ModelSpec, RecurrentSpec
from seqtrain.spec import Align, Element, Symbols, TaskSpec, Values

CONF = Path(__file__).parents[2] / "conf" / "model"


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"hidden_size": 0}, "model.hidden_size=0: must be at least 1"),
        ({"num_layers": -1}, "model.num_layers=-1: must be at least 1"),
        ({"embedding_size": 0}, "model.embedding_size=0: must be at least 1"),
        ({"dropout": 1.0}, "model.dropout=1.0: must be at least 0 and below 1"),
        ({"dropout": -0.1}, "model.dropout=-0.1: must be at least 0 and below 1"),
    ],
)
def test_a_bad_option_is_named_with_its_remedy(option: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        RecurrentSpec(cell="gru", **option)


@pytest.mark.parametrize(
    ("option", "element", "align", "reason"),
    [
        (
            {"embedding_size": 64},
            Values(),
            Align.WHOLE,
            "can't embed (model.embedding_size=64) a task's real numbers, only symbols",
        ),
        (
            {"pooling": "mean"},
            Symbols(),
            Align.EACH,
            "can't pool a sequence into one vector (model.pooling=mean) and answer at every step of it",
        ),
    ],
)
def test_what_no_model_can_honour_is_refused_before_sizes_are_read(
    option: dict[str, object], element: Element, align: Align, reason: str
) -> None:
    task = TaskSpec(element, Symbols(), align)
    assert RecurrentSpec(cell="lstm", **option).refusal(task) == reason


@pytest.mark.parametrize("option", [{"embedding_size": 64}, {"pooling": "last"}, {}])
@pytest.mark.parametrize("align", [Align.WHOLE, Align.AHEAD])
def test_what_can_be_honoured_is_not_refused(option: dict[str, object], align: Align) -> None:
    assert RecurrentSpec(cell="lstm", **option).refusal(TaskSpec(Symbols(), Symbols(), align)) is None


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_yaml_file_writes_out_every_option_of_its_spec(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    options = yaml.safe_load(text)
    spec_class = getattr(seqtrain.models, options.pop("_target_").removeprefix("seqtrain.models."))
    assert issubclass(spec_class, ModelSpec)
    assert set(options) == {field.name for field in fields(spec_class)}
    assert spec_class(**options).hidden_size == 128
    assert re.match(r"# \w.*[.]\n", text), "the first line says what it is"
