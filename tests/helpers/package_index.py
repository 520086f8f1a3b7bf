"""Package indexes of a test's own, on this machine: hostile ones, and one that never answers."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BACKEND = """
import pathlib
pathlib.Path({canary!r}).write_text("ran")
raise SystemExit("the canary was written")
"""

TORCH = "__version__ = '2.13.0'\ndef from_numpy(array):\n    return array\n"  # loads, and does nothing else


def write_torch_wheels(folder: Path) -> Path:
    """Make a folder of wheels with a torch that loads, and does nothing else."""
    write_wheel(folder, "torch", "2.13.0", {"torch/__init__.py": TORCH})
    write_wheel(folder, "safetensors", "0.8.0", {"safetensors/__init__.py": "", "safetensors/torch.py": ""})
    return folder


def write_wheel(folder: Path, name: str, version: str, modules: Mapping[str, str], metadata: str = "") -> None:
    """Write a wheel of pure Python into a folder, which is made where it is absent."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}-{version}-py3-none-any.whl").write_bytes(wheel_bytes(name, version, modules, metadata))


def wheel_bytes(name: str, version: str, modules: Mapping[str, str], metadata: str = "") -> bytes:
    """Make a wheel of pure Python, as pip installs it."""
    info = f"{name}-{version}.dist-info"
    files = {
        **modules,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{metadata}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return packed.getvalue()


def sdist_bytes(name: str, version: str, canary: Path) -> bytes:
    """Make a source package that writes `canary` as soon as anything of it runs."""
    code = BACKEND.format(canary=str(canary))
    files = {
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        "setup.py": code,
        "backend.py": code,
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for path, text in files.items():
            member = tarfile.TarInfo(f"{name}-{version}/{path}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


@contextmanager
def serve(answer: Callable[[str], bytes | None]) -> Iterator[str]:
    """Serve what `answer` gives for each path, None being not found; yields the address of the index."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = answer(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            with suppress(OSError):  # pip was killed meanwhile
                self.wfile.write(body or b"")

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/simple"
    finally:
        server.shutdown()
        server.server_close()


def index_of(files: Mapping[str, bytes], claimed: Mapping[str, str] | None = None) -> Callable[[str], bytes | None]:
    """Answer as an index with files of these names. `claimed` are hashes that it gives instead of the right ones."""
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()} | dict(claimed or {})

    def answer(path: str) -> bytes | None:
        if path.startswith("/files/"):
            return files.get(path.removeprefix("/files/"))
        project = path.removeprefix("/simple/").strip("/").replace("-", "_")
        links = [
            f'<a href="/files/{name}#sha256={hashes[name]}">{name}</a>'
            for name in files
            if name.split("-")[0].lower() == project
        ]
        return f"<html><body>{''.join(links)}</body></html>".encode() if links else None

    return answer


@contextmanager
def silent_index() -> Iterator[str]:
    """Serve an index that takes every request and never answers one."""
    released = threading.Event()

    def answer(path: str) -> None:
        released.wait(600)

    with serve(answer) as address:
        try:
            yield address
        finally:
            released.set()
