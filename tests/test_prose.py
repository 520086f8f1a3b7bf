"""Prose follows one style: the field's words in texts and code, short sentences in the pages."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAX_WORDS = 25
PER = "band|scene|tile|pixel|step|sensor|thread|GPU|product|raster|part|line|file|worker|core|process|machine|layer"
# What not to write, as a pattern, and what to write. Quoted code and the names in it are left out before the search.
REPLACEMENTS = {
    r"\banew\b": "again",
    r"\bin place of\b": "instead of",
    r"\bwant of\b": "lack of",
    r"(?<![,;.:] )\bbut for\b": "except",
    r"(?<!there )\b(is|are|was|were) no (?!longer\b|more\b|less\b|\w+er than\b)\w+": "is not a, are not",
    r"(?<!the )(?<!no )\bless (the|its|their|what|those)\b": "without, minus",
    r"\b(lie|lies|lay) (on|alike)\b": "is aligned with, share a grid",
    r"\b(told|tells?) apart\b": "distinguished",
    r"\b(said|told|heard)\b": "logged, reported, received",
    r"\bnobody (has )?(declared|declares)\b": "undeclared",
    r"\blook(s|ed|ing)? through\b": "scanned, searched",
    r"\bjudg(e|es|ed|ing|ement|ments?)\b": "evaluate, estimate",
    r"\bformer(ly)?\b": "previous",
    rf"\b(one|two|three|four|five) (?!(times?|of|in|on|at|to|for|where|when)\b)\w+ an? ({PER})\b": "one per",
    r"\bmend(s|ed|ing)?\b": "fixed",
    r"\bat hand\b": "available",
    r"\bas (it is|it was|they are|they were)(?=[.,;:)]|$| and\b| or\b)": "unchanged",
    r"\bbeside\b": "next to, besides",
    r"(?:^|[.;,:] )of (which|whom)\b": "a sentence with subject, verb, object",
}
FORBIDDEN = re.compile("|".join(REPLACEMENTS), re.IGNORECASE)
CONSTANT = re.compile(r"_?(LEAST|MOST|FEWEST|LARGEST|SMALLEST)_")  # MIN_, MAX_
SKIPPED = {".git", ".venv", ".demo", "__pycache__", Path(__file__).name}


def files(suffix: str) -> list[str]:
    """Return the paths of checked files, relative to the root."""
    matches = [p.relative_to(ROOT) for p in ROOT.rglob(f"*{suffix}") if not SKIPPED & set(p.relative_to(ROOT).parts)]
    return sorted(p.as_posix() for p in matches)


def blocks(text: str) -> Iterator[str]:
    """Yield the paragraphs, items, headings and table cells of a page, without code, addresses and pictures."""
    text = re.sub(r"(?ms)^```.*?^```$", "", text)
    text = re.sub(r"(?m)^ {4}(?! *(\*|\d+\.) ).*$", "", text)  # indented code
    text = re.sub(r"!?\[([^]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"`[^`]*`", "CODE", text).replace("**", "")
    text = re.sub(r"(?m)^(#+ .*)$", r"\1\n", text)
    for block in re.split(r"\n\s*\n|\n(?= *(?:\*|\d+\.) |#|\||>)", text):
        cells = block.split("|") if block.startswith("|") else [block]
        for cell in cells:
            words = re.sub(r"^\s*(\*|\d+\.|#+|>) +", "", " ".join(cell.split()))
            if re.search(r"[a-z]", words):
                yield words


def texts(code: str) -> Iterator[str]:
    """Yield the docstrings, and the strings of three words or more, of a module."""
    for node in ast.walk(ast.parse(code)):
        parts = node.values if isinstance(node, ast.JoinedStr) else [node]
        if all(isinstance(p, (ast.Constant, ast.FormattedValue)) for p in parts):
            words = "".join(str(p.value) if isinstance(p, ast.Constant) else "VALUE" for p in parts)
            if re.search(r"[a-z,] [a-z]+ [a-z]", words):
                yield " ".join(re.sub(r"`[^`]*`", "CODE", words).split())


def findings(text: str) -> list[str]:
    """Return the forbidden words of a text with what surrounds them."""
    return [f"...{text[max(0, m.start() - 20) : m.end() + 20]}..." for m in FORBIDDEN.finditer(text)]


def sentences(block: str) -> list[str]:
    """Split a paragraph where a sentence ends. Figures such as 0.5 and names such as al. stay together."""
    return re.split(r"(?<=[.!?])[)\"]? +(?=[A-Z0-9\"(])", re.sub(r"\bet al\.", "et al", block))


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("It is computed anew, in place of the old one.", 2),
        ("What the log said was told apart.", 2),
        ("A mask is no image, but for large scenes one part a worker is read.", 2),
        ("Of which bands? Those that lie on one grid, as it is.", 3),
        ("There is no GPU, and it is no longer slower than one pixel a second.", 0),
        ("The transformer recommended less than half, as it is small.", 0),
    ],
)
def test_forbidden_words_are_found(text, count):
    assert len(findings(text)) == count


def test_code_is_not_prose():
    page = "One `former` word.\n\n    judge(former)\n\n* an item\n  of two lines\n\n| a [link](judge.md) | b |\n"
    assert list(blocks(page)) == ["One CODE word.", "an item of two lines", "a link", "b"]


def test_sentences_end_at_full_stops():
    assert len(sentences("It has 0.5 pixels (Lipman et al., 2023). The next one is longer. So is this.")) == 3


@pytest.mark.parametrize("name", files(".md"))
def test_page_uses_the_words_of_the_field(name):
    page = (ROOT / name).read_text(encoding="utf-8")
    assert [f for block in blocks(page) for f in findings(block)] == []


@pytest.mark.parametrize("name", files(".md"))
def test_page_has_short_sentences(name):
    page = (ROOT / name).read_text(encoding="utf-8")
    assert [s for block in blocks(page) for s in sentences(block) if len(s.split()) > MAX_WORDS] == []


def test_code_uses_the_words_of_the_field():
    matches = [
        f"{name}: {f}"
        for name in files(".py")
        for text in texts((ROOT / name).read_text(encoding="utf-8"))
        for f in findings(text)
    ]
    assert matches == []


def test_constants_say_min_and_max():
    matches = [
        f"{name}: {node.id}"
        for name in files(".py")
        for node in ast.walk(ast.parse((ROOT / name).read_text(encoding="utf-8")))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and CONSTANT.match(node.id)
    ]
    assert matches == []
