"""Write the table of known products in docs/products.md from model/product/families.py.

python scripts/families.py
"""

from __future__ import annotations

from pathlib import Path

from otfm_pansharpen.model.product.families import FAMILIES

PAGE = Path(__file__).resolve().parents[1] / "docs" / "products.md"
HEAD = "| product | recognised by | bands |\n|---|---|---|\n"
LAST = "| any other | "


def page(text: str) -> str:
    """Return the page with the table of the present families."""
    before, table = text.split(HEAD)
    rows = "".join(f"| {f.title} | {f.recognised} | {f.bands} |\n" for f in FAMILIES)
    return before + HEAD + rows + table[table.index(LAST) :]


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
