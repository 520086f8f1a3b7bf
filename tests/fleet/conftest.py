"""Workers of a fleet in processes of their own, and an S3-compatible server, both on this machine."""

from __future__ import annotations

import http.server
import threading

import boto3
import pytest
from helpers.fleet import point
from moto.server import ThreadedMotoServer


@pytest.fixture(scope="session")
def cluster():
    """Yield a cluster of two workers."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, memory_limit="2GB", dashboard_address=None) as running:
        yield running


@pytest.fixture(scope="session")
def s3():
    """Start the server with an empty bucket `archive`."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
    client = boto3.client("s3", endpoint_url=f"http://{host}:{port}", **keys)
    client.create_bucket(Bucket="archive")
    client.address = f"{host}:{port}"
    yield client
    server.stop()


class RefusingHandler(http.server.BaseHTTPRequestHandler):
    """A store that lets nobody in, and one that never answers."""

    wait = threading.Event()

    def do_GET(self):
        if "slow" in self.path:
            self.wait.wait(5.0)
        body = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_PUT = do_POST = do_GET  # noqa: N815 - the same

    def log_message(self, *words):
        """Say nothing."""


@pytest.fixture
def closed_store(monkeypatch):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), RefusingHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    point(monkeypatch, f"127.0.0.1:{server.server_port}")
    yield
    RefusingHandler.wait.set()
    server.shutdown()
    server.server_close()
    RefusingHandler.wait.clear()
