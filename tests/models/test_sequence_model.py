import pytest
import torch

from seqtrain.batch import PAD, Batch
from seqtrain.models import AttentionSpec, DecoderSpec, RecurrentSpec, SelfAttentionSpec, build_model
from seqtrain.spec import Align, Symbols, TaskSpec

TEXT = TaskSpec(Symbols(12), Symbols(12), Align.EACH, causal=True, continues=True, horizon=7)
SPECS = {
    "lstm": RecurrentSpec(cell="lstm", hidden_size=8, num_layers=2),
    "tied gru": RecurrentSpec(cell="gru", hidden_size=8, tie_embeddings=True, embedding_size=6),
    "bahdanau": AttentionSpec(attention="bahdanau", hidden_size=8),
    "self_attention": SelfAttentionSpec(hidden_size=8, num_heads=2),
}


def prompts() -> Batch:
    inputs = torch.randint(4, 12, (3, 5), generator=torch.Generator().manual_seed(0))
    return Batch(inputs, torch.tensor([5, 1, 3]), inputs, torch.arange(3))


@pytest.mark.parametrize("name", SPECS)
def test_text_goes_on_as_if_read_from_its_beginning_each_time(name):
    torch.manual_seed(0)
    model = build_model(SPECS[name], TEXT, DecoderSpec(top_k=1)).double().eval()
    batch = prompts()
    written = model.generate(batch)
    assert written.shape[1] <= 7
    for b, length in enumerate(batch.lengths.tolist()):
        text = batch.inputs[b, :length]
        for symbol in written[b][written[b] != PAD]:
            whole = Batch(text[None], torch.tensor([len(text)]), text[None], torch.tensor([0]))
            logits = model(whole)[0][0, -1]
            logits[[0, 2]] = -torch.inf
            assert logits.argmax() == symbol
            text = torch.cat([text, symbol[None]])


def test_text_is_drawn_by_default():
    torch.manual_seed(0)
    drawn, other = (build_model(SPECS["lstm"], TEXT, DecoderSpec(seed=seed)).eval() for seed in (0, 1))
    other.load_state_dict(drawn.state_dict())
    assert not torch.equal(drawn.generate(prompts()), other.generate(prompts()))


def test_self_attention_reads_two_parts_as_one():
    core = SelfAttentionSpec(hidden_size=8, num_heads=2).build_core((6,), TEXT).double()
    x = torch.randn(2, 7, 6, dtype=torch.float64)
    whole, _ = core(x, torch.tensor([7, 5]))
    first, state = core(x[:, :3], torch.tensor([3, 3]))
    second, _ = core(x[:, 3:], torch.tensor([4, 2]), state)
    torch.testing.assert_close(torch.cat([first, second], 1), whole)
