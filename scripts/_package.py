"""Make the repository root importable as the package that QGIS knows it by."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

PACKAGE = "otfm_pansharpen"
ROOT = Path(__file__).resolve().parent.parent


def load() -> None:
    """Import the repository root as `otfm_pansharpen`, whatever its folder is called."""
    if PACKAGE in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(PACKAGE, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    if spec is None or spec.loader is None:
        raise ImportError(f"{ROOT} is not the plugin's folder")
    module = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = module
    spec.loader.exec_module(module)
