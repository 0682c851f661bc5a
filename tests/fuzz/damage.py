"""Files that were whole: what damage looks like, and what a reader may do about it."""

import re
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from hypothesis import strategies as st

from seqtrain.errors import UserError

SECONDS = 20
"""A reader of a few kilobytes that takes longer hangs; so long only because the machine may be busy."""
BYTES = 1 << 30
"""What a reader of a few kilobytes may add to the process's address space."""

PIECES = [
    b"\0",
    b"\r",
    b"\n",
    b"\n\n",
    b"\t",
    b" ",
    b",",
    b'"',
    b"{",
    b"[" * 3000,
    b"-",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\x80",
    b"\x1b[31m",
    "\u2028\u0085\u0661".encode(),
    b"nan",
    b"1e999",
    b"9" * 5000,
    b"1_0",
    b"x" * 200_000,
    b'"\\ud800"',
]
"""What readers stumble over: separators, marks, numbers and fields of all kinds."""

KINDS = ["flip", "truncate", "insert", "overwrite", "remove", "repeat", "swap lines"]


@dataclass(frozen=True)
class Change:
    """One kind of damage, at a place that is told as a share of whatever it hits."""

    kind: str
    place: float
    other: float
    piece: bytes
    bit: int

    def of(self, content: bytes) -> bytes:
        """The damaged content."""
        at = min(int(self.place * len(content)), max(0, len(content) - 1))
        end = min(len(content), at + 1 + int(self.other * 64))
        match self.kind:
            case "flip":
                return content[:at] + bytes(byte ^ (1 << self.bit) for byte in content[at : at + 1]) + content[at + 1 :]
            case "truncate":
                return content[:at]
            case "insert":
                return content[:at] + self.piece + content[at:]
            case "overwrite":
                return content[:at] + self.piece[:64] + content[at + len(self.piece[:64]) :]
            case "remove":
                return content[:at] + content[end:]
            case "repeat":
                return content[:end] + content[at:end] * 20 + content[end:]
        lines = content.split(b"\n")
        first, second = int(self.place * (len(lines) - 1)), int(self.other * (len(lines) - 1))
        lines[first], lines[second] = lines[second], lines[first]
        return b"\n".join(lines)


changes = st.builds(
    Change, st.sampled_from(KINDS), st.floats(0, 1), st.floats(0, 1), st.sampled_from(PIECES), st.integers(0, 7)
)
damage = st.lists(changes, min_size=1, max_size=3)
"""Some damage, to be done by `damaged`."""


def damaged(content: bytes, done: list[Change]) -> bytes:
    """A file after one damage upon the other."""
    for change in done:
        content = change.of(content)
    return content


def soup(content: bytes) -> st.SearchStrategy[bytes]:
    """The words and signs of a file in any order, with what readers stumble over between them."""
    parts = [*dict.fromkeys(re.findall(rb"\w+|\W", content)), *PIECES]
    return st.lists(st.sampled_from(parts), max_size=30).map(b"".join)


def refusal_of(read: Callable[[], Any], *names: str) -> str | None:
    """What a reader says against its input; None if it took it.

    It may refuse by a UserError of one printable line that holds one of the names, and nothing else: no other
    exception, no more than BYTES of memory and SECONDS of time.
    """
    try:
        with bounded():
            read()
    except UserError as error:
        message = str(error)
        assert message.isprintable(), repr(message)
        assert any(name in message for name in names), message
        return message
    return None


@contextmanager
def bounded() -> Iterator[None]:
    """Makes what asks for too much memory fail, and what hangs."""

    def hung(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  # Python's signature
        raise TimeoutError(f"still reading after {SECONDS} s")

    statm = Path("/proc/self/statm")
    before, (soft, hard) = signal.signal(signal.SIGALRM, hung), resource.getrlimit(resource.RLIMIT_AS)
    if statm.exists():  # elsewhere than on Linux, only time is bounded
        used = int(statm.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + BYTES, hard))
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
