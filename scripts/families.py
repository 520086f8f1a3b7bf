"""Write the table of known products in docs/products.md from model/product/families.py.

python scripts/families.py
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from otfm_pansharpen.model.product.families import FAMILIES

PAGE = Path(__file__).resolve().parents[1] / "docs" / "products.md"
LAST = re.compile(r"^\| any other \|.*$", re.MULTILINE)


def fill_table(text: str, head: str, rows: Iterable[str]) -> str:
    """Return a page with other rows, each "cell | cell", in the table whose columns are `head`."""
    top = f"| {head} |\n|{'---|' * head.count('|')}---|\n"
    before, after = text.split(top)
    return before + top + "".join(f"| {row} |\n" for row in rows) + re.sub(r"\A(\|.*\n)*", "", after)


def page(text: str) -> str:
    """Return the page with the table of the present families."""
    rows = [f"{f.title} | {f.recognised} | {f.bands}" for f in FAMILIES]
    return fill_table(text, "product | recognised by | bands", [*rows, LAST.findall(text)[0].strip("| ")])


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
