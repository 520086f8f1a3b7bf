"""Write the table in docs/promises.md from the marks on the tests: python scripts/promises.py."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

from families import fill_table
from otfm_pansharpen.tests.helpers.promises import PROMISES

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "promises.md"


def marked() -> dict[int, list[str]]:
    """Collect the files of tests by the promise they keep."""
    tests: dict[int, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            for mark in getattr(node, "decorator_list", []):
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.promise":
                    tests[ast.literal_eval(mark.args[0])].append(path.relative_to(ROOT / "tests").as_posix())
    return tests


def page(text: str) -> str:
    """Return the page with the table of the present promises."""
    tests = marked()
    rows = (f"{n} | {promise} | {'<br>'.join(dict.fromkeys(tests[n]))}" for n, promise in PROMISES.items())
    return fill_table(text, "number | promise | tests", rows)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
