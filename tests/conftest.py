"""Makes the repository root importable under the plugin's name, whatever its folder is called."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

from _package import load  # noqa: E402

load()

import torch  # noqa: E402

torch.set_num_threads(min(2, torch.get_num_threads()))
