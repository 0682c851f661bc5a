"""The words of the command line write out every option of their class, with its default."""

import inspect
from importlib import import_module
from pathlib import Path

import pytest
import yaml

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
