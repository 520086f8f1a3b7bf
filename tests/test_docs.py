"""The pages that the Help buttons open: made without network, from docs/, with links that lead somewhere."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import build_docs
import families
import pytest

DOCS = Path(__file__).resolve().parents[1] / "docs"


class PageContent(HTMLParser):
    """Links, pictures, anchors and words of a page. Tags that are not closed fail."""

    def __init__(self, text):
        super().__init__()
        self.links: list[str] = []
        self.pictures: list[str] = []
        self.anchors: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.tags.append(tag)
        self.links += [values["href"]] if tag == "a" else []
        self.pictures += [values["src"]] if tag == "img" else []
        self.anchors += [values["id"]] if "id" in values else []
        if tag not in ("img", "meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("help")
    build_docs.main(folder)
    return folder, {file.name: PageContent(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.html"))}


def test_every_link_leads_to_a_page_and_a_heading_of_it(pages):
    folder, read = pages
    assert len(read) == len(list(DOCS.glob("*.md")))
    broken = []
    for name, page in read.items():
        for link in page.links:
            target, _, heading = link.partition("#")
            if not link.startswith("https://") and heading not in ("", *read[target or name].anchors):
                broken.append((name, link))
        broken += [(name, picture) for picture in page.pictures if not (folder / picture).is_file()]
    assert broken == []


def test_a_page_has_what_its_text_has():
    text = (
        "# A *title*\n\n"
        "Some **bold** `x < 1` and [a link](other.md#part) to\nread, 2 * 3 * 4.\n* one\n  more\n* two\n\n"
        "| a | b |\n|---|---|\n| 1 | `c` |\n\n    code <b>\n\n    more\n\n```\nfence *a*\n```\n\n1. first\n2. second\n"
    )
    outputs = build_docs.page(text)
    for words in (
        '<h1 id="a-title">A <em>title</em></h1>',
        "<p>Some <strong>bold</strong> <code>x &lt; 1</code> and "
        '<a href="other.html#part">a link</a> to\nread, 2 * 3 * 4.</p>',
        "<ul>\n<li>one\nmore</li>\n<li>two</li>\n</ul>",
        "<td>1</td>\n<td><code>c</code></td>",
        "<pre><code>code &lt;b&gt;\n\nmore\n</code></pre>",
        "<pre><code>fence *a*\n</code></pre>",
        "<ol>\n<li>first</li>\n<li>second</li>\n</ol>",
    ):
        assert words in outputs


def test_products_page_lists_every_family():
    text = (DOCS / "products.md").read_text(encoding="utf-8")
    assert families.page(text) == text


@pytest.mark.parametrize(
    "page", [p for p in DOCS.glob("*.md") if "    qgis_process run" in p.read_text(encoding="utf-8")]
)
def test_pages_name_the_program_of_debian_12(page):
    """Its wrapper qgis_process passes an option that the program does not know."""
    assert "`qgis_process.bin`" in page.read_text(encoding="utf-8")
