"""A server of originals, and a cache that is empty."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from served import Server


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Serves what a test writes. The cache is empty and there is no `LICHEN_DATA`."""
    monkeypatch.setenv("LICHEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LICHEN_DATA", raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    folder, requests = tmp_path / "served", list[str]()
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:
            requests.append(self.path)

    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield Server(folder, f"http://127.0.0.1:{running.server_port}", requests)
        running.shutdown()
        thread.join()
