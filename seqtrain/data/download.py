"""Gets one file over HTTPS into a partial file, and goes on with it where a connection broke.

By the standard library: of the well-kept ones none fits. pooch begins a broken file anew and
would bring requests and more; torch.hub's download does too and needs torch; huggingface_hub
resumes, but only what its own hub serves.
"""

import http.client
import re
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from seqtrain.data.disk import reason
from seqtrain.data.meter import Meter

CHUNK_BYTES = 1 << 16
BUSY = {408, 425, 429}
"""Answers that another try may change, beside those from 500 on."""


@dataclass(frozen=True)
class Connection:
    """How servers are spoken to.

    Attributes:
        schemes: The kinds of URL that are followed, redirections included.
        tries: How many in a row may fail without a byte gained.
        pause_seconds: Before the second try; it doubles with each.
        timeout_seconds: The longest silence.
    """

    schemes: tuple[str, ...] = ("https",)
    tries: int = 4
    pause_seconds: float = 0.5
    timeout_seconds: float = 30.0


class TransferError(Exception):
    """A file that did not come; the message says why, in a few words."""


class UnreachableError(TransferError):
    """The server can't be reached: no network, no such host, nobody listening."""


class BrokenError(TransferError):
    """A connection broke, or the server is out of order: another try may help."""


class RefusedError(TransferError):
    """An answer that another try would not change."""


class WrongContentError(RefusedError):
    """A whole answer that is not the file."""


@dataclass(frozen=True)
class Wanted:
    """What is to be downloaded, and where to.

    Attributes:
        url: From here.
        part: Into this file; what it holds already is not asked for again.
        size_bytes: None for a file made on demand: it can't be resumed, and its server knows when it ends.
        limit_bytes: The longest that is taken where the size is None.
    """

    url: str
    part: Path
    size_bytes: int | None
    limit_bytes: int = 0


def download(wanted: Wanted, connection: Connection, meter: Meter) -> None:
    """Fills the partial file; tries again, after a pause, where that may help.

    Raises:
        TransferError: If it could not be filled. What has come stays in the file.
        OSError: If the file can't be written.
    """
    furthest, failed = size_of(wanted.part), 0
    while True:
        try:
            return receive(wanted, connection, meter)
        except (BrokenError, UnreachableError) as error:
            have = size_of(wanted.part)
            failed = 0 if have > furthest else failed + 1
            furthest = max(furthest, have)
            if failed >= connection.tries:
                raise
            pause = connection.pause_seconds * 2 ** max(failed - 1, 0)
            meter.say(f"{error}; trying again in {pause:g} s")
            time.sleep(pause)


def receive(wanted: Wanted, connection: Connection, meter: Meter) -> None:
    """Asks once for what is missing, and writes what comes."""
    have = size_of(wanted.part)
    if wanted.size_bytes is None or have > wanted.size_bytes:
        wanted.part.unlink(missing_ok=True)
        have = 0
    if have == wanted.size_bytes:
        return
    with ask(wanted, have, connection) as answer:
        if answer.status == 206 and not re.match(rf"bytes {have}-", answer.headers.get("Content-Range", "")):
            wanted.part.unlink(missing_ok=True)
            raise BrokenError("the server sent another part than was asked for")
        resumed = answer.status == 206
        with wanted.part.open("ab" if resumed else "wb") as file:
            copy(answer, file, wanted, have if resumed else 0, meter)


def copy(answer: http.client.HTTPResponse, file: IO[bytes], wanted: Wanted, have: int, meter: Meter) -> None:
    """Writes an answer's body to the end of the file, which has so many bytes already.

    Raises:
        BrokenError: If it ends before the server said it would.
        WrongContentError: If it ends as the server said, and is not the file.
    """
    declared = None if answer.length is None else have + answer.length
    end = wanted.limit_bytes + 1 if wanted.size_bytes is None else wanted.size_bytes
    while have < end:
        try:
            chunk = answer.read(min(CHUNK_BYTES, end - have))
        except (OSError, http.client.HTTPException) as error:
            raise BrokenError(f"the connection broke after {have:,} bytes ({error})") from error
        if not chunk:
            break
        file.write(chunk)
        have += len(chunk)
        meter.at(have)
    if wanted.size_bytes is None and have > wanted.limit_bytes:
        raise WrongContentError(f"expected at most {wanted.limit_bytes:,} bytes, more came")
    if have == wanted.size_bytes:
        return
    if not (answer.chunked or have == declared):
        raise BrokenError(f"the connection broke after {have:,} bytes")
    if wanted.size_bytes is not None:
        raise WrongContentError(f"expected {wanted.size_bytes:,} bytes, {have:,} came")


def ask(wanted: Wanted, have: int, connection: Connection) -> http.client.HTTPResponse:
    """Opens the URL, for the bytes from `have` on."""
    check_scheme(wanted.url, connection)
    # A server that compressed on the way would count other bytes than the file's.
    headers = {"User-Agent": f"seqtrain/{version('seqtrain')}", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    opener = urllib.request.build_opener(Redirects(connection))
    try:
        answer = opener.open(urllib.request.Request(wanted.url, headers=headers), timeout=connection.timeout_seconds)
    except urllib.error.HTTPError as error:
        error.close()
        said = f"the server answers {error.code} {error.reason}"
        if error.code == 416:  # it has fewer bytes than the part
            wanted.part.unlink(missing_ok=True)
        if error.code in BUSY | {416} or error.code >= 500:
            raise BrokenError(said) from error
        raise RefusedError(said) from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            raise RefusedError(f"its certificate is not trusted ({error.reason.verify_message})") from error
        host = urlsplit(wanted.url).hostname
        why = reason(error.reason) if isinstance(error.reason, OSError) else error.reason
        raise UnreachableError(f"no connection to {host} ({why})") from error
    except (OSError, http.client.HTTPException) as error:
        raise BrokenError(f"the connection broke ({error or type(error).__name__})") from error
    assert isinstance(answer, http.client.HTTPResponse)
    return answer


class Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirections, but never out of the schemes that are allowed."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: Any,
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """The request to follow with."""
        try:
            check_scheme(newurl, self.connection)
        except RefusedError:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def check_scheme(url: str, connection: Connection) -> None:
    """Refuses a URL of another scheme than is allowed."""
    if urlsplit(url).scheme not in connection.schemes:
        raise RefusedError(f"{url} is not {' or '.join(connection.schemes)}")


def size_of(path: Path) -> int:
    """The size of a file in bytes; 0 if it isn't there."""
    return path.stat().st_size if path.is_file() else 0
