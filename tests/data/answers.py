"""What the tests' server can be told to answer, well or badly."""

from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from random import Random

from seqtrain.data import Connection

CONTENT = Random(0).randbytes(256_000)  # nowhere like itself elsewhere
TO_LOCALHOST = Connection(schemes=("http",), pause_seconds=0.0, timeout_seconds=10.0)


@dataclass
class Server:
    """Answers each request with the next of `answers`, and the last one ever after."""

    url: str = ""
    answers: list[Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=list)
    ranges: list[str | None] = field(default_factory=list)
    """The Range header of each request that came."""


def serve(content: bytes = CONTENT, *, ranges=True, declared=None, sent=None):
    """An answer with this content.

    Args:
        content: Of the whole file.
        ranges: Whether a Range header is honoured.
        declared: The Content-Length, if it isn't the true one.
        sent: The bytes after which the connection breaks.
    """

    def answer(request):
        asked = request.headers.get("Range") if ranges else None
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        body = content[start:]
        request.send_response(206 if asked else 200)
        if asked:
            request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        request.send_header("Content-Length", str(len(body) if declared is None else declared))
        request.end_headers()
        request.wfile.write(body if sent is None else body[:sent])

    return answer


def refuse(status: int, **headers: str):
    """An answer with this status and nothing else."""

    def answer(request):
        request.send_response(status)
        for name, value in {"Content-Length": "0", **headers}.items():
            request.send_header(name, value)
        request.end_headers()

    return answer


def serve_in_chunks(content: bytes, *, whole: bool = True):
    """An answer without a length, in one chunk of HTTP/1.1; cut off in it unless it is whole."""

    def answer(request):
        request.protocol_version = "HTTP/1.1"
        request.close_connection = True
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        said = f"{len(content):x}\r\n".encode() + content + b"\r\n0\r\n\r\n"
        request.wfile.write(said if whole else said[: len(said) // 2])

    return answer
