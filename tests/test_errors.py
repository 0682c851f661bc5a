import pytest

from seqtrain.errors import DataError, UserError


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a b\u00fc\u732b", "a b\u00fc\u732b"),
        ("a\nb\r\tc\0", r"a\nb\r\tc\x00"),
        ("\x1b[31mred\u2028\ud800", r"\x1b[31mred\u2028\ud800"),
    ],
)
def test_a_message_is_one_line_that_a_terminal_can_show(text, shown):
    assert str(DataError(text)) == shown
    assert isinstance(DataError(text), UserError)
