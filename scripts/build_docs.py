"""Write the pages of docs/ as HTML, which the Help button of each dialog opens without network.

    python scripts/build_docs.py [FOLDER]

FOLDER is resources/help where none is given.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
body{{font:16px/1.5 sans-serif;max-width:54em;margin:2em auto;padding:0 1em;color:#222}}
table{{border-collapse:collapse;margin:1em 0}}th,td{{border:1px solid #ccc;padding:.3em .6em;text-align:left;
vertical-align:top}}code,pre{{background:#f3f3f0;font-size:90%}}pre{{padding:.7em;overflow-x:auto}}
img{{max-width:100%}}h1,h2,h3{{color:#12313f}}
</style>
</head>
<body>
{body}</body>
</html>
"""


def anchor(title: str) -> str:
    """Return the anchor of a heading: small letters, hyphens for spaces."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def page(text: str) -> str:
    """Convert Markdown to a whole page of HTML."""
    parser = MarkdownIt("commonmark", {"html": False, "xhtmlOut": False}).enable("table")
    tokens = parser.parse(text)
    for opening, content in zip(tokens, tokens[1:]):
        if opening.type == "heading_open":
            opening.attrSet("id", anchor(content.content))
    body = parser.renderer.render(tokens, parser.options, {}).replace("&lt;br&gt;", "<br>")
    body = re.sub(r'<a href="\.\./[^"]*">(.*?)</a>', r"\1", body, flags=re.DOTALL)  # only docs/ becomes pages
    body = re.sub(r'(<a href="[^":#]*)\.md(?=["#])', r"\1.html", body)
    return PAGE.format(title=escapeHtml(text.splitlines()[0].lstrip("# ")), body=body)


def main(folder: Path) -> None:
    """Write all pages and their pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    for source in sorted(DOCS.glob("*.md")):
        text = page(source.read_text(encoding="utf-8"))
        (folder / f"{source.stem}.html").write_text(text, encoding="utf-8")
        for picture in re.findall(r'<img src="([^"]+)"', text):
            shutil.copyfile(DOCS / picture, folder / picture)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "resources" / "help")
