"""A server on this machine, and a data set that it serves."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from seqtrain.data import DATASETS, DataSet, RemoteFile
from tests.data.answers import CONTENT, Server


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    monkeypatch.delenv("SEQTRAIN_OFFLINE")
    monkeypatch.setenv("no_proxy", "*")
    told = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            told.ranges.append(self.headers.get("Range"))
            (told.answers.pop(0) if len(told.answers) > 1 else told.answers[0])(self)

        def log_message(self, *said):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        told.url = f"http://127.0.0.1:{http.server_port}"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield told
        http.shutdown()
        thread.join()


@pytest.fixture
def toy(server, monkeypatch) -> RemoteFile:
    """The only file of a data set `toy`, which the server is asked for."""
    file = RemoteFile("toy.bin", len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), (f"{server.url}/toy.bin",))
    monkeypatch.setitem(DATASETS, "toy", DataSet("toy", "A toy", "none", (file,)))
    return file
