import pytest

from seqtrain.config import build_config
from seqtrain.errors import ConfigError
from seqtrain.runs.resuming import FIXED, changed
from seqtrain.typos import leaves


def test_a_change_is_read_as_yaml_and_checked_with_the_rest(tree):
    config = build_config(changed(tree, ["trainer.max_epochs=20", "optimizer.lr=1e-3", "trainer.clip_norm=null"]))
    assert config.trainer.max_epochs == 20
    assert config.optimizer.lr == 1e-3
    assert config.trainer.clip_norm is None
    assert build_config(tree).trainer.max_epochs == 10


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "model.hidden_size=4",
            r"model\.hidden_size=4: can't change in a run that goes on, since the weights are of this",
        ),
        ("model=gru", "model=gru: can't change"),
        ("seed=3", "seed=3: can't change in a run that goes on, since the run's randomness"),
        ("seeds.order=3", "seeds.order=3: can't change"),
        ("trainer.batch_size=3", "since the position in the data is counted in such batches"),
        ("optimizer=sgd", "optimizer=sgd: a run that goes on keeps its optimizer"),
        ("scheduler._target_=os.system", "keeps its scheduler"),
        ("trainer.max_epoch=20", r"trainer\.max_epoch: unknown key; did you mean trainer\.max_epochs\?"),
        ("max_epochs", "max_epochs: not a change of a run; write key=value"),
        ("+trainer.x=1", "not a change of a run"),
        ("trainer.max_epochs=[", r"trainer\.max_epochs=\["),
    ],
)
def test_what_can_not_be_continued_with_is_refused_by_name(tree, override, message):
    with pytest.raises(ConfigError, match=message) as error:
        changed(tree, [override])
    assert "\n" not in str(error.value)


def test_every_fixed_key_is_a_key(tree):
    assert set(FIXED) - {"experiment", "run_dir"} <= set(leaves(tree))
