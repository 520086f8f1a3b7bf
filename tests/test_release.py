"""The one command that makes a release: what it refuses, and what it makes, tags and uploads."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from otfm_pansharpen.model.version import VERSION

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")


def run_git(checkout, *arguments):
    command = ["git", "-C", str(checkout), "-c", "user.name=A", "-c", "user.email=a@gis.test", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def checkout(tmp_path):
    if not (ROOT / ".git").exists():
        pytest.skip("no git checkout to release from")
    subprocess.run(["git", "clone", "-q", str(ROOT), str(tmp_path / "checkout")], check=True)
    run_git(tmp_path / "checkout", "config", "user.name", "A")
    run_git(tmp_path / "checkout", "config", "user.email", "a@gis.test")
    return tmp_path / "checkout"


def release(checkout, *arguments, **variables):
    command = ["bash", str(checkout / "scripts" / "release.sh"), *arguments]
    environment = {**os.environ, "PYTHON": sys.executable, "QGIS_TOKEN": "", **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def set_addresses(checkout):
    metadata = checkout / "metadata.txt"
    metadata.write_text(metadata.read_text().replace("example.org", "gis.test"))
    run_git(checkout, "commit", "-qam", "Set addresses")


def test_dry_run_makes_all_files_and_no_tag(checkout):
    done = release(checkout, "--dry-run", VERSION)
    assert done.returncode == 0, done.stderr
    assert "repository=https://example.org" in done.stdout
    package = checkout / "dist" / "otfm_pansharpen.zip"
    assert hashlib.sha256(package.read_bytes()).hexdigest() in package.with_suffix(".zip.sha256").read_text()
    assert (checkout / "dist" / "notes.md").read_text().lstrip().startswith("### ")
    assert run_git(checkout, "tag", "--list", f"v{VERSION}", "--points-at", "HEAD") == ""


def spoil_nothing(checkout):
    pass


def spoil_tree(checkout):
    (checkout / "metadata.txt").write_text("")


def spoil_changelog(checkout):
    file = checkout / "CHANGELOG.md"
    file.write_text(file.read_text().replace(f"## {VERSION} - ", "## Unreleased "))
    run_git(checkout, "commit", "-qam", "Change")


def spoil_tag(checkout):
    run_git(checkout, "tag", "-f", f"v{VERSION}")
    run_git(checkout, "commit", "-q", "--allow-empty", "-m", "Change")


@pytest.mark.parametrize(
    ("spoil", "version", "words"),
    [
        (spoil_nothing, "9.9.9", "metadata.txt has version="),
        (spoil_nothing, VERSION, "metadata.txt has placeholders"),
        (spoil_tree, VERSION, "not committed"),
        (spoil_changelog, VERSION, "CHANGELOG.md has no heading"),
        (spoil_tag, VERSION, "is on another commit"),
    ],
)
def test_what_is_not_ready_is_refused(checkout, spoil, version, words):
    spoil(checkout)
    done = release(checkout, version)
    assert done.returncode == 1
    assert words in done.stderr
    assert not (checkout / "dist").exists()


def test_release_is_tagged_and_uploaded_with_the_token(checkout):
    set_addresses(checkout)
    subprocess.run(["git", "-C", str(checkout), "tag", "-d", f"v{VERSION}"], capture_output=True, check=False)
    received = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((self.path, self.headers["Authorization"], body))
            self.send_response(201)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    done = release(checkout, VERSION, QGIS_TOKEN="s3", QGIS_REPOSITORY=f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    assert done.returncode == 0, done.stderr
    assert run_git(checkout, "tag", "--points-at", "HEAD").strip() == f"v{VERSION}"
    ((path, token, body),) = received
    assert path == "/plugins/api/otfm_pansharpen/version/add/"
    assert token == "Bearer s3"
    assert (checkout / "dist" / "otfm_pansharpen.zip").read_bytes() in body


def test_pages_of_the_zip_link_to_files_in_it(checkout):
    set_addresses(checkout)
    release(checkout, "--dry-run", VERSION)
    with zipfile.ZipFile(checkout / "dist" / "otfm_pansharpen.zip") as archive:
        names = set(archive.namelist())
        pages = {name: archive.read(name).decode() for name in names if name.endswith(".md")}
    links = [(os.path.dirname(page), link) for page, text in pages.items() for link in LINK.findall(text)]
    lost = [link for folder, link in links if "://" not in link and os.path.normpath(f"{folder}/{link}") not in names]
    assert lost == []
    assert any(link == "https://gis.test/otfm-pansharpen/blob/main/SECURITY.md" for _, link in links)


def test_the_python_package_has_author_and_addresses(tmp_path):
    """They are in metadata.txt alone."""
    command = [sys.executable, "setup.py", "-q", "egg_info", "--egg-base", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (information,) = tmp_path.glob("*.egg-info/PKG-INFO")
    text = information.read_text(encoding="utf-8")
    for words in (
        f"Version: {VERSION}",
        "OTFM Pansharpen developers",
        "Source, https://example.org/",
        "GPL",
        "Classifier: ",
    ):
        assert words in text
    assert "otfm-fleet" in next(tmp_path.glob("*.egg-info/entry_points.txt")).read_text()
