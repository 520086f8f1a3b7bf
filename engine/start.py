"""Script of the child interpreter: it loads the plugin's package by its file and hands over to `worker`.

Nothing is imported by name here, since the package may lie in a folder of any name.
"""

import importlib.util
import sys
from pathlib import Path

PACKAGE = "otfm_pansharpen"
ROOT = Path(__file__).resolve().parent.parent


def load() -> None:
    """Import the plugin's folder as `otfm_pansharpen`."""
    spec = importlib.util.spec_from_file_location(PACKAGE, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    if spec is None or spec.loader is None:
        raise ImportError(f"{ROOT} is not the plugin's folder")
    module = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = module
    spec.loader.exec_module(module)


if __name__ == "__main__":
    load()
    from otfm_pansharpen.engine.worker import main

    main()
