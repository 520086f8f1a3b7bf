"""Zip a folder that holds what ships: zip_plugin.py [--draft] FOLDER CHANGELOG TIME ZIP; called by package.sh.

Gives metadata.txt the changes that CHANGELOG lists, refuses placeholders, and writes the same bytes for the same files.
TIME is that of the commit, in seconds since 1970.
"""

from __future__ import annotations

import configparser
import hashlib
import re
import sys
import time
import zipfile
from pathlib import Path

PLACEHOLDER = "example.org"


def changes(text: str) -> str:
    """A changelog in Markdown as the value of `changelog` in metadata.txt: a line a change, versions apart."""
    lines: list[str] = []
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith("## "):
            lines.append(line[3:])
        elif line.startswith("### "):
            lines.append(f"{line[4:]}:")
        elif line.startswith("* "):
            lines.append(line)
        elif line and lines:
            lines[-1] += f" {line}"
    plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", "\n    ".join(lines)).replace("`", "").replace("**", "")
    return re.sub(r" ?%", " percent", plain)  # a percent sign breaks the upload


def placeholders(metadata: str) -> list[str]:
    """Fields of metadata.txt that nobody has set."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(metadata)
    return [name for name, value in parser["general"].items() if PLACEHOLDER in value and name != "changelog"]


def write(folder: Path, seconds: int, target: Path) -> None:
    """Write the zip: files in the order of their names, with one time and one mode."""
    when = time.gmtime(seconds)[:6]
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            entry = zipfile.ZipInfo(file.relative_to(folder.parent).as_posix(), when)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, whose modes follow
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, file.read_bytes())


def main() -> None:
    given = [a for a in sys.argv[1:] if a != "--draft"]
    folder, changelog, seconds, target = Path(given[0]), Path(given[1]), int(given[2]), Path(given[3])
    metadata = folder / "metadata.txt"
    text = metadata.read_text(encoding="utf-8")
    unset = placeholders(text)
    if unset and len(given) == len(sys.argv) - 1:
        raise SystemExit(
            f"metadata.txt says {PLACEHOLDER} in {', '.join(unset)}: set addresses that answer before the upload. "
            "For a zip that is tried and not uploaded: bash scripts/package.sh --draft"
        )
    text = f"{text.rstrip()}\nchangelog={changes(changelog.read_text(encoding='utf-8'))}\n"
    metadata.write_text(text, encoding="utf-8")
    write(folder, seconds, target)
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    print(f"{target}: {target.stat().st_size} bytes, sha256 {digest}")


if __name__ == "__main__":
    main()
