"""Files that appear under their name complete, or not at all, and small files that are read without trust."""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .staging import staging

MAX_NAME_BYTES = 255  # of a file's name on the disks of all systems
MAX_STEM_BYTES = 120  # of a name made of a title; endings and drafts need the rest
ODD_CHARACTERS = re.compile(r'[\\/:*?"<>|\s\x00-\x1f\x7f]+')


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a path to write to, renamed to `path` once the block ends well; else nothing is left of it.

    Its folder is private to the process, so that no name or link that somebody planted there is written through.
    """
    with staging(path) as made:
        yield made.folder / path.name
        os.replace(made.folder / path.name, path)


def find_name_fault(path: str) -> str:
    """Return why no file can have this name, as part of a sentence; empty where nothing speaks against it."""
    for character in path:
        if unicodedata.category(character) in ("Cc", "Cs"):
            return f"holds the character {character!a}, which no file name can have"
    longest = max((len(os.fsencode(part)) for part in re.split(r"[/\\]", path)), default=0)
    if longest > MAX_NAME_BYTES:
        return f"has a part of {longest} bytes, but {MAX_NAME_BYTES} are the most that a file name can have"
    return ""


def make_file_name(title: str, default: str) -> str:
    """Make a title the name of a file on any system, without its ending."""
    name = ODD_CHARACTERS.sub("_", title).encode()[:MAX_STEM_BYTES].decode(errors="ignore")
    return name.strip("._") or default


def make_names_distinct(names: Sequence[str]) -> list[str]:
    """Append a number to each name that occurred before, ignoring case."""
    taken: set[str] = set()
    distinct = []
    for name in names:
        new = next(n for k in range(1, len(names) + 1) if (n := name if k == 1 else f"{name}_{k}").lower() not in taken)
        taken.add(new.lower())
        distinct.append(new)
    return distinct


def read_small_file(path: Path, max_bytes: int, own: bool = False) -> bytes:
    """Read a small file that anybody may have put there.

    Args:
        path: the file, or a link to it.
        max_bytes: no more is read, whatever the file's size.
        own: whether the file must belong to this user.

    Raises:
        OSError: with a sentence, for what is not a regular file, is longer, or belongs to somebody else.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # a pipe would block for ever
    with open(os.open(path, flags), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(f"{path} is not a regular file")
        if own and hasattr(os, "getuid") and status.st_uid != os.getuid():
            raise OSError(f"{path} belongs to another user")
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise OSError(f"{path} has more than {max_bytes:,} bytes")
    return content
