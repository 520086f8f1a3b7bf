"""Write docs/promises.md from the marks on the tests: python scripts/promises.py."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

from otfm_pansharpen.tests.helpers.promises import PROMISES

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "promises.md"

HEAD = """# Promises

What holds for any pair of rasters. This page is written by `python scripts/promises.py` from the tests; change those,
not this page.

## What is promised, and the tests that keep it

| | promise | tests |
|---|---|---|
"""
END = """
## How the tests are tested

`bash benchmarks/mutations.sh FOLDER` changes one operator, number or word after the other in five modules that keep
promises 1, 2, 5, 6, 10, 12, 13 and 15: grids, pixel types, delivery, weights and reader. After each change mutmut runs
the tests that reach it, and lists the changes that no test notices. For the other promises nothing shows it. The
changes that were chosen by hand up to version 0.2.0 are in the history: `git log -p -- benchmarks/mutations.py`.

## What is left alone

* After SIGKILL a hidden folder `.NAME-*.part` stays next to the output until the next run of the same user on the same
  machine into that folder removes it. Runs of others leave it alone; then the user removes it.
* Killed while the files of a raster of several files are exchanged, the output is absent or complete. The next run puts
  the previous files back. Where others have taken their names meanwhile, it names the folder that holds them.
* Bytes that are damaged inside a compressed block without breaking the compression cannot be noticed.
"""


def marked() -> dict[int, list[str]]:
    """Collect tests by the promise they keep, as file and name."""
    tests: dict[int, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            for mark in getattr(node, "decorator_list", []):
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.promise":
                    name = getattr(node, "name", "")
                    tests[ast.literal_eval(mark.args[0])].append(f"{path.relative_to(ROOT / 'tests')}: {name}")
    return tests


def page() -> str:
    """Return the page in Markdown."""
    tests = marked()
    return HEAD + "".join(f"| {n} | {text} | {'<br>'.join(tests[n])} |\n" for n, text in PROMISES.items()) + END


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
