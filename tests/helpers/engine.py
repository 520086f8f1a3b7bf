"""Engines of a test's own, and packages' folders with a torch that fails."""

from __future__ import annotations

import json
from contextlib import contextmanager

from otfm_pansharpen.engine.client import Engines
from otfm_pansharpen.engine.packages import MANIFEST


@contextmanager
def engines():
    """Engines that nobody else uses; none is left behind."""
    fresh = Engines()
    try:
        yield fresh
    finally:
        for _, engine in fresh.warm:
            engine.end()


def broken_torch(folder, code):
    """Make a complete packages' folder whose torch runs `code` as it is imported."""
    (folder / "torch").mkdir(parents=True)
    (folder / "torch" / "__init__.py").write_text(code)
    (folder / MANIFEST).write_text(json.dumps({"torch": "0.0"}))
    return folder
