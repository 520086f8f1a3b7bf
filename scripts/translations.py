"""Bring resources/i18n/otfm_*.ts up to date by Qt's lupdate: add new texts untranslated, remove unused ones.

    python scripts/translations.py [LANGUAGE]        writes the files, and that of another language
    python scripts/translations.py --build FOLDER    writes what QGIS reads of them: otfm_LANGUAGE.qm

Texts are the literals given to tr(), and all that algorithms/help.py holds. QGIS's packages bring Qt's tools along.
Sentences of the log and of errors, in model/ and engine/, are in messages_LANGUAGE.json; "" marks a new one. Parts that
sentences are filled with, and sentences of a few words, are added to messages_de.json by hand.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "resources" / "i18n"
CONTEXT = "otfm"
SENTENCE = re.compile(r"(?s)(?=.*[a-z]{3} )(?=.{13}).*[.:?!)]\s*$")  # words, and an end
LISTED = FOLDER / "messages_de.json"  # holds parts of sentences too, which all languages take over from it
NUMBER = re.compile(r"\d+(?=})")  # of a field


def texts() -> list[str]:
    """Collect all texts in English, each once."""
    sources = [
        ROOT / "plugin.py",
        *sorted((ROOT / "algorithms").glob("*.py")),
        *sorted((ROOT / "desktop").glob("*.py")),
    ]
    trees = [ast.parse(source.read_text(encoding="utf-8")) for source in sources]
    help_texts = vars(import_module("otfm_pansharpen.algorithms.help"))
    shown = [value for name, value in help_texts.items() if name.isupper()]
    return list(dict.fromkeys([*_flatten(shown), *(text for tree in trees for text in _find_literals(tree))]))


def _find_literals(tree: ast.Module) -> Iterator[str]:
    """Yield the literals given to tr()."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "tr":
            yield from (a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str))


def _flatten(value: object) -> Iterator[str]:
    """Yield a text, or the texts within tuples, lists and values of dictionaries."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (tuple, list, dict)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _flatten(part)


def messages() -> list[str]:
    """Collect the sentences that model/ and engine/ may log or raise, and the listed parts of sentences, each once."""
    found = templates()
    code = NUMBER.sub("", "\0".join(found))
    parts = [text for text in json.loads(LISTED.read_text(encoding="utf-8")) if NUMBER.sub("", text) in code]
    return list(dict.fromkeys([*filter(SENTENCE.search, found), *parts]))


def templates() -> list[str]:
    """Collect the strings of model/ and engine/."""
    sources = [*sorted((ROOT / "model").rglob("*.py")), *sorted((ROOT / "engine").glob("*.py"))]
    trees = (ast.parse(source.read_text(encoding="utf-8")) for source in sources)
    return [text for tree in trees for text in find_templates(tree)]


def find_templates(tree: ast.Module) -> Iterator[str]:
    """Yield the strings in code, with {0}, {1} ... for what they are filled with, without what follows sentences."""
    skipped = {id(part) for node in ast.walk(tree) for part in _list_parts(node)}
    for node in ast.walk(tree):
        if isinstance(node, (ast.JoinedStr, ast.Constant)) and id(node) not in skipped:
            yield re.sub(r"(?<=[.:])(\s*\{\d+\})+$", "", _make_template(node))


def _list_parts(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what is not a sentence of its own: a docstring, and the parts of an f-string."""
    if isinstance(node, ast.JoinedStr):
        yield from node.values
        yield from (v.format_spec for v in node.values if isinstance(v, ast.FormattedValue) and v.format_spec)
    if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
        yield from (statement.value for statement in node.body[:1] if isinstance(statement, ast.Expr))


def _make_template(node: ast.JoinedStr | ast.Constant) -> str:
    """Make the sentence of an f-string, or of a text for str.format, with numbers for its fields."""
    if isinstance(node, ast.JoinedStr):
        parts = enumerate(node.values)
        text = "".join(str(v.value) if isinstance(v, ast.Constant) else f"{{_{number}}}" for number, v in parts)
    else:
        text = node.value if isinstance(node.value, str) else ""
    numbers: dict[str, str] = {}
    return re.sub(r"\{([\w.]+)[^{}]*\}", lambda f: f"{{{numbers.setdefault(f[1], str(len(numbers)))}}}", text)


def update_messages(file: Path) -> None:
    """Add new sentences to a file, which is made where it is missing, and remove unused ones."""
    kept = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    values = {text: kept.get(text, "") for text in messages()}
    file.write_text(json.dumps(values, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def update(file: Path) -> None:
    """Add new texts to a file, which is made where it is missing, and remove unused ones."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "texts.js"  # a language that lupdate reads
        lines = (f"QT_TRANSLATE_NOOP({json.dumps(CONTEXT)}, {json.dumps(text)});\n" for text in texts())
        source.write_text("".join(lines), encoding="utf-8")
        options = ["-silent", "-no-obsolete", "-locations", "none", "-source-language", "en"]
        language = ["-target-language", file.stem.partition("_")[2]]
        subprocess.run(["lupdate", *options, *language, str(source), "-ts", str(file)], check=True)


def build(folder: Path) -> None:
    """Write otfm_LANGUAGE.qm of every language into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in sorted(FOLDER.glob("otfm_*.ts")):
        subprocess.run(["lrelease", "-silent", str(file), "-qm", str(folder / f"{file.stem}.qm")], check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--build"]:
        build(Path(sys.argv[2]))
    else:
        for file in {*FOLDER.glob("otfm_*.ts"), *(FOLDER / f"otfm_{language}.ts" for language in sys.argv[1:])}:
            update(file)
            update_messages(file.with_name(file.name.replace("otfm_", "messages_")).with_suffix(".json"))
