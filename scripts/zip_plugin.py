"""Zip a folder that holds what ships: zip_plugin.py [--draft] FOLDER CHANGELOG TIME ZIP; called by package.sh.

Gives metadata.txt the changes that CHANGELOG lists, refuses placeholders, and writes the same bytes for the same files.
TIME is that of the commit, in seconds since 1970.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import time
import zipfile
from pathlib import Path

PLACEHOLDER = "example.org"


def changes(text: str) -> str:
    """Turn a changelog in Markdown into the value of `changelog` in metadata.txt: a line per change or version."""
    joined = re.sub(r"\n +", " ", text.partition("## ")[2])
    lines = re.sub(r"^### (.*)$", r"\1:", joined, flags=re.MULTILINE).replace("## ", "").split("\n")
    plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", "\n    ".join(filter(None, lines)))
    plain = plain.replace("`", "").replace("**", "")
    return re.sub(r" ?%", " percent", plain)  # a percent sign breaks the upload


def write(folder: Path, seconds: int, target: Path) -> None:
    """Write the zip: files sorted by name, with one time and one mode."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            entry = zipfile.ZipInfo(file.relative_to(folder.parent).as_posix(), time.gmtime(seconds)[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, whose modes follow
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, file.read_bytes())


def redirect_links(folder: Path, repository: str) -> None:
    """Let links of the pages in a folder lead to the repository where the folder has not their files."""
    for page in folder.rglob("*.md"):

        def redirect(link: re.Match[str], page: Path = page) -> str:
            path = Path(os.path.relpath(page.parent / link[1], folder)).as_posix()
            return link[0] if (folder / path).exists() else f"]({repository}/blob/main/{path}{link[2]})"

        text = page.read_text(encoding="utf-8")
        page.write_text(re.sub(r"\]\((?!\w+:)([^)#]+)(#[^)]*|)\)", redirect, text), encoding="utf-8")


def main() -> None:
    """Complete the metadata and write the zip."""
    folder, changelog, seconds, target = (a for a in sys.argv[1:] if a != "--draft")
    metadata = Path(folder) / "metadata.txt"
    text = metadata.read_text(encoding="utf-8").rstrip()
    unset = re.findall(rf"^(\w+)=.*{re.escape(PLACEHOLDER)}", text, re.MULTILINE)
    if unset and "--draft" not in sys.argv:
        raise SystemExit(
            f"metadata.txt has {PLACEHOLDER} in {', '.join(unset)}: set real addresses before the upload. For a "
            "zip that is only tried: bash scripts/package.sh --draft"
        )
    if repository := re.search(r"^repository=(\S+)$", text, re.MULTILINE):
        redirect_links(Path(folder), repository[1])
    listed = changes(Path(changelog).read_text(encoding="utf-8"))
    metadata.write_text(f"{text}\nchangelog={listed}\n", encoding="utf-8")
    write(Path(folder), int(seconds), Path(target))
    content = Path(target).read_bytes()
    print(f"{target}: {len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    main()
