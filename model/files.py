"""Files that appear under their name complete, or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .staging import staging


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path to write to, which takes the name `path` once the block ends well; else nothing is left of it.

    Its folder is private to the process, so that no name or link that somebody planted there is written through.
    """
    with staging(path) as made:
        yield made.folder / path.name
        os.replace(made.folder / path.name, path)
