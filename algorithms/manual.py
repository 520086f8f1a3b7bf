"""The page of the documentation for each algorithm, which the Help button opens without network."""

from __future__ import annotations

from pathlib import Path

PAGES = {
    "pansharpen": "pansharpening",
    "preview": "previewing",
    "product": "products",
    "assess": "assessing",
    "finetune": "finetuning",
    "setup": "installing",
    "exampledata": "example",
}
_ROOT = Path(__file__).resolve().parent.parent


def page_url(algorithm: str) -> str:
    """Address of an algorithm's page: HTML as packages hold it, else the text that it is made from."""
    built = _ROOT / "resources" / "help" / f"{PAGES[algorithm]}.html"
    return (built if built.is_file() else _ROOT / "docs" / f"{PAGES[algorithm]}.md").as_uri()
