"""Writes docs/promises.md from the marks on the tests and from benchmarks/mutations.py.

    python scripts/promises.py [--check]

--check writes nothing and fails where the page is not what it would write.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from pathlib import Path

from otfm_pansharpen.benchmarks.mutations import MUTATIONS
from otfm_pansharpen.tests.helpers.promises import PROMISES

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "promises.md"

HEAD = """# Promises

What holds for any pair of rasters. This page is written by `python scripts/promises.py` from the tests and from
`benchmarks/mutations.py`; change those, not this page.

## What is promised, and the tests that keep it

| | promise | tests |
|---|---|---|
"""
MIDDLE = """
## What was taken out to see a test fail

`python benchmarks/mutations.py` takes out the code that keeps a promise, on a copy of the project, and runs the tests.
One of them has to fail.

| | in | taken out or turned | tests, one of which fails |
|---|---|---|---|
"""
END = """
## What is left alone

* After SIGKILL a hidden folder `.NAME-*.part` stays next to the output until the next run of the same user on the same
  machine into that folder removes it. Runs of others leave it alone; then the user removes it.
* Killed while the files of a raster of several files are exchanged, the output is absent or complete. The next run puts
  the previous files back. Where others have taken their names meanwhile, it names the folder that holds them.
* Bytes that are damaged inside a compressed block without breaking the compression cannot be noticed.
"""


def marked() -> dict[int, list[str]]:
    """Tests by the promise they keep, as file and name."""
    found: dict[int, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            for mark in getattr(node, "decorator_list", []):
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.promise":
                    name = getattr(node, "name", "")
                    found[ast.literal_eval(mark.args[0])].append(f"{path.relative_to(ROOT / 'tests')}: {name}")
    return found


def page() -> str:
    tests = marked()
    promised = [f"| {n} | {text} | {'<br>'.join(tests[n])} |\n" for n, text in PROMISES.items()]
    taken = []
    for m in sorted(MUTATIONS, key=lambda m: m.promise):
        what = m.old.strip().splitlines()[-1].strip().replace("|", "\\|")
        taken.append(f"| {m.promise} | `{m.file}` | `{what}` | `{m.tests}` |\n")
    return HEAD + "".join(promised) + MIDDLE + "".join(taken) + END


def main() -> None:
    text = page()
    if "--check" in sys.argv[1:]:
        if PAGE.read_text(encoding="utf-8") != text:
            raise SystemExit("docs/promises.md is out of date: run python scripts/promises.py")
        return
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
