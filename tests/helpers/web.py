"""A local web server that answers ranges, demands a signature, and counts what it sends."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit


@dataclass
class Site:
    """A server of the files of a folder, at `address`.

    sent      bytes by file name            queries   of all requests
    """

    folder: Path
    query: str = ""
    address: str = ""
    sent: Counter[str] = field(default_factory=Counter)
    queries: set[str] = field(default_factory=set)


@contextmanager
def serve(folder: Path, query: str = "") -> Iterator[Site]:
    """Serve a folder; requests without the query, where there is one, are refused."""
    site = Site(folder, query)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            site.queries.add(parts.query)
            file = folder / parts.path.lstrip("/")
            if not file.is_file() or parts.query != site.query:
                self.send_response(404 if parts.query == site.query else 403)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            size = file.stat().st_size
            first, last = 0, size - 1
            asked = self.headers.get("Range", "").removeprefix("bytes=")
            if asked:
                first, last = int(asked.split("-")[0]), min(int(asked.split("-")[1] or last), last)
            self.send_response(206 if asked else 200)
            if asked:
                self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(last - first + 1))
            self.end_headers()
            if self.command == "GET":
                with file.open("rb") as stream:
                    stream.seek(first)
                    content = stream.read(last - first + 1)
                try:
                    self.wfile.write(content)
                except OSError:  # The client has read enough.
                    return
                site.sent[file.name] += len(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    site.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
