"""Writes the pages of docs/ as HTML, which the Help button of each dialog opens without network.

    python scripts/build_docs.py [FOLDER]

FOLDER is resources/help where none is given. It knows the Markdown that docs/ uses: headings, paragraphs, lists of one
level, tables, indented and fenced code, links, pictures, bold, italics and code within lines.
"""

from __future__ import annotations

import html
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:54em;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;margin:1em 0}th,td{border:1px solid #ccc;padding:.3em .6em;text-align:left;"
    "vertical-align:top}code,pre{background:#f3f3f0;font-size:90%}pre{padding:.7em;overflow-x:auto}"
    "img{max-width:100%}h1,h2,h3{color:#12313f}"
)
ITEM = re.compile(r"(\*|\d+\.) +")
HEADING = re.compile(r"(#+) +(.*)")


def anchor(title: str) -> str:
    """What links after # call a heading: small letters, hyphens for spaces."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def inline(text: str) -> str:
    """One paragraph, cell or item: code first, as nothing in it means anything else."""
    parts = re.split(r"(`[^`]+`)", text)
    return "".join(f"<code>{html.escape(p[1:-1])}</code>" if p[:1] == "`" else _words(p) for p in parts)


def _words(text: str) -> str:
    text = html.escape(text, quote=False).replace("&lt;br&gt;", "<br>")
    text = re.sub(r"!\[([^]]*)\]\(([^)]+)\)", r'<img src="\2" alt="\1">', text)
    text = re.sub(r"\[([^]]*)\]\(([^)]+)\)", lambda m: _link(m[1], m[2]), text)
    text = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", text)
    return re.sub(r"(?<![\w*])\*(?! )(.+?)(?<! )\*(?![\w*])", r"<i>\1</i>", text)


def _link(words: str, target: str) -> str:
    """A link to another page; only its words where it leads out of docs/, to what the pages do not hold."""
    if target.startswith("../"):
        return words
    return f'<a href="{re.sub(r"[.]md(?=#|$)", ".html", target)}">{words}</a>'


def _table(lines: list[str]) -> str:
    rows = [[inline(c.strip()) for c in re.split(r"(?<!\\)\|", line.strip()[1:-1])] for line in lines]
    head = "".join(f"<th>{c}</th>" for c in rows[0])
    body = "".join(f"<tr>{''.join(f'<td>{c}</td>' for c in row)}</tr>\n" for row in rows[2:])
    return f"<table>\n<tr>{head}</tr>\n{body}</table>"


def _list(lines: list[str]) -> str:
    items: list[str] = []
    for line in lines:
        if ITEM.match(line):
            items.append(ITEM.sub("", line, count=1))
        else:
            items[-1] += f" {line.strip()}"
    kind = "ul" if lines[0].startswith("*") else "ol"
    return f"<{kind}>\n{''.join(f'<li>{inline(i)}</li>{chr(10)}' for i in items)}</{kind}>"


def _code(lines: list[str]) -> str:
    return f"<pre>{html.escape(chr(10).join(lines).strip(chr(10)))}</pre>"


def _take(lines: list[str], wanted: Callable[[str], bool]) -> list[str]:
    """The lines at the front that are wanted, taken out."""
    count = next((i for i, line in enumerate(lines) if not wanted(line)), len(lines))
    taken = lines[:count]
    del lines[:count]
    return taken


def _block(lines: list[str]) -> str:
    """The HTML of the block at the front, whose lines are taken out."""
    first = lines[0]
    if heading := HEADING.match(first):
        del lines[0]
        level = len(heading[1])
        return f'<h{level} id="{anchor(heading[2])}">{inline(heading[2])}</h{level}>'
    if first.startswith("```"):
        del lines[0]
        code = _take(lines, lambda line: not line.startswith("```"))
        del lines[:1]
        return _code(code)
    if first.startswith("    "):
        return _code([line[4:] for line in _take(lines, lambda line: line.startswith("    ") or not line)])
    if first.startswith("|"):
        return _table(_take(lines, lambda line: line.startswith("|")))
    if ITEM.match(first):
        return _list(_take(lines, lambda line: bool(ITEM.match(line)) or line.startswith("  ")))
    text = _take(lines, lambda line: bool(line) and not line.startswith(("|", "#", "```")) and not ITEM.match(line))
    return f"<p>{inline(' '.join(text))}</p>"


def page(text: str) -> str:
    """A whole page of HTML from Markdown."""
    lines, blocks = text.splitlines(), []
    while lines:
        if lines[0].strip():
            blocks.append(_block(lines))
        else:
            del lines[0]
    title = html.escape(text.splitlines()[0].lstrip("# "))
    head = f'<head>\n<meta charset="utf-8">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>'
    return f'<!DOCTYPE html>\n<html lang="en">\n{head}\n<body>\n' + "\n".join(blocks) + "\n</body>\n</html>\n"


def main(folder: Path) -> None:
    """Write all pages and the pictures that they show."""
    folder.mkdir(parents=True, exist_ok=True)
    for source in sorted(DOCS.glob("*.md")):
        text = page(source.read_text(encoding="utf-8"))
        (folder / f"{source.stem}.html").write_text(text, encoding="utf-8")
        for picture in re.findall(r'<img src="([^"]+)"', text):
            shutil.copyfile(DOCS / picture, folder / picture)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "resources" / "help")
