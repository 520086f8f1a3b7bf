"""Write docs/promises.md from the marks on the tests: python scripts/promises.py."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

from otfm_pansharpen.tests.helpers.promises import PROMISES

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "promises.md"

HEAD = """# Promises

These promises hold for any pair of rasters. `python scripts/promises.py` writes this page from the marks on the tests.
Change the tests, not this page.

## Promises and their tests

| number | promise | tests |
|---|---|---|
"""
END = """
## How the tests are tested

`bash benchmarks/mutations.sh FOLDER` changes one operator, number or word at a time in five modules: grids, pixel
types, delivery, weights and reader. They keep promises 1, 2, 5, 6, 10, 12, 13 and 15. After each change mutmut runs the
tests that reach it, and lists the changes that no test notices. The other promises are not tested so. Changes by hand,
used up to version 0.2.0, are in the history: `git log -p -- benchmarks/mutations.py`.

## Limits

* After SIGKILL a hidden folder `.NAME-*.part` stays next to the output. The next run of the same user, on the same
  machine and into that folder, removes it. Runs of other users do not touch it; the user then removes it.
* After a kill during the delivery of several files, the output is absent or complete. The next run restores the
  previous files. If their names are in use by then, it names the folder that holds them.
* Damaged bytes inside a compressed block cannot be noticed if the block still decompresses.
"""


def marked() -> dict[int, list[str]]:
    """Collect the files of tests by the promise they keep."""
    tests: dict[int, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            for mark in getattr(node, "decorator_list", []):
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.promise":
                    tests[ast.literal_eval(mark.args[0])].append(path.relative_to(ROOT / "tests").as_posix())
    return tests


def page() -> str:
    """Return the page in Markdown."""
    tests = marked()
    return (
        HEAD
        + "".join(f"| {n} | {text} | {'<br>'.join(dict.fromkeys(tests[n]))} |\n" for n, text in PROMISES.items())
        + END
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
