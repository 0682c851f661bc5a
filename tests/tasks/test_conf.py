"""The words of the command line write out every option of their class, with its default."""

import inspect
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from seqtrain.config import build_config

CONF = Path(__file__).parents[2] / "conf" / "task"


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_yaml_writes_out_every_option_with_its_default(path):
    content = path.read_text(encoding="utf-8")
    assert content.startswith("# ")
    options = yaml.safe_load(content)
    module, _, name = options.pop("_target_").rpartition(".")
    parameters = inspect.signature(getattr(import_module(module), name)).parameters
    assert options == {name: parameter.default for name, parameter in parameters.items()}
    assert [type(value) for value in options.values()] == [type(each.default) for each in parameters.values()]


UNITS = {
    "adding": "numbers",
    "moving_mnist": "frames",
    "sequential_mnist": "rows",
    "speech": "frames",
    "fsdd": "frames",
}
UNITS |= dict.fromkeys(("etth1", "series", "sine", "sunspots"), "rows")


@pytest.mark.parametrize("word", [path.stem for path in sorted(CONF.glob("*.yaml"))])
def test_speed_is_told_in_what_a_task_reads(word, compose):
    options = ["task.path=none.csv"] if word == "series" else []
    assert build_config(compose(f"task={word}", *options)).task.unit == UNITS.get(word, "tokens")


def test_images_may_be_read_by_pixels(compose):
    assert build_config(compose("task=sequential_mnist", "task.order=permuted")).task.unit == "pixels"
