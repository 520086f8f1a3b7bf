"""Brings resources/i18n/otfm_*.ts up to date: new texts come in untranslated, those that are gone go.

    python scripts/translations.py                   writes the files
    python scripts/translations.py --check           writes nothing; fails where a text is missing, untranslated or gone
    python scripts/translations.py --build FOLDER    writes what QGIS reads of them: otfm_LANGUAGE.qm

Texts are the literals given to tr(), and all that algorithms/help.py holds.
"""

from __future__ import annotations

import ast
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "resources" / "i18n"
CONTEXT = "otfm"
# Qt's .qm: 16 bytes that begin it, blocks of a file (hashes, messages), parts of a message.
MAGIC = bytes.fromhex("3cb86418caef9c95cd211cbf60a1bddd")
HASHES, MESSAGES = 0x42, 0x69
END, TRANSLATION, SOURCE, CONTEXT_NAME = 1, 3, 6, 7
SOURCES = (ROOT / "plugin.py", *sorted((ROOT / "algorithms").glob("*.py")), *sorted((ROOT / "desktop").glob("*.py")))


def texts() -> list[str]:
    """All texts in English, each once, in the order of the files."""
    found: dict[str, None] = {}
    for source in SOURCES:
        tree = ast.parse(source.read_text(encoding="utf-8"))
        found |= dict.fromkeys(_values(tree) if source.name == "help.py" else _arguments(tree))
    return list(found)


def _arguments(tree: ast.Module) -> Iterator[str]:
    """Literals given to tr()."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "tr":
            yield from (a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str))


def _values(tree: ast.Module) -> Iterator[str]:
    """Texts that names or dictionaries at the top of a module hold; keys and docstrings are none."""
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            keys: set[ast.AST | None] = {
                key for node in ast.walk(statement) if isinstance(node, ast.Dict) for key in node.keys
            }
            keys |= {node.slice for node in ast.walk(statement) if isinstance(node, ast.Subscript)}
            names = (node.iter for node in ast.walk(statement) if isinstance(node, ast.comprehension))
            keys |= {node for name in names for node in ast.walk(name)}
            for node in ast.walk(statement.value):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in keys:
                    yield node.value


def read(file: Path) -> dict[str, str]:
    """Translations by their text, empty where there is none yet."""
    if not file.exists():
        return {}
    messages = ElementTree.parse(file).getroot().iter("message")
    return {m.findtext("source", ""): m.findtext("translation", "") for m in messages}


def write(file: Path, translations: dict[str, str]) -> None:
    """In the form of Qt Linguist, which translators use."""
    root = ElementTree.Element("TS", version="2.1", language=file.stem.partition("_")[2], sourcelanguage="en")
    context = ElementTree.SubElement(root, "context")
    ElementTree.SubElement(context, "name").text = CONTEXT
    for text, translation in translations.items():
        message = ElementTree.SubElement(context, "message")
        ElementTree.SubElement(message, "source").text = text
        written = ElementTree.SubElement(message, "translation", {} if translation else {"type": "unfinished"})
        written.text = translation
    ElementTree.indent(root, "  ")
    body = ElementTree.tostring(root, encoding="unicode")
    file.write_text(f'<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE TS>\n{body}\n', encoding="utf-8")


def faults(file: Path) -> list[str]:
    """What is wrong with a file, a line each."""
    known, wanted = read(file), texts()
    return [
        *(f"{file.name}: not translated: {text!r}" for text in wanted if not known.get(text)),
        *(f"{file.name}: no text of the plugin: {text!r}" for text in known if text not in wanted),
    ]


def compiled(translations: dict[str, str]) -> bytes:
    """What Qt reads of them: each text's hash and place in a sorted table, then the messages."""
    table, messages = [], b""
    for text, translation in translations.items():
        if translation:
            table.append((_hash(text.encode()), len(messages)))
            messages += _part(TRANSLATION, translation.encode("utf-16-be")) + _part(SOURCE, text.encode())
            messages += _part(CONTEXT_NAME, CONTEXT.encode()) + bytes([END])
    hashes = b"".join(struct.pack(">II", *entry) for entry in sorted(table))
    return MAGIC + _part(HASHES, hashes) + _part(MESSAGES, messages)


def _part(tag: int, content: bytes) -> bytes:
    return struct.pack(">BI", tag, len(content)) + content


def _hash(text: bytes) -> int:
    """The hash of symbols in ELF files, as Qt looks texts up; never 0."""
    value = 0
    for byte in text:
        value = (value << 4) + byte
        high = value & 0xF0000000
        value = (value ^ high >> 24) & ~high & 0xFFFFFFFF
    return value or 1


def build(folder: Path) -> None:
    """Write otfm_LANGUAGE.qm of every language into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in sorted(FOLDER.glob("otfm_*.ts")):
        (folder / f"{file.stem}.qm").write_bytes(compiled(read(file)))


def main() -> None:
    """Write, check or build."""
    files = sorted(FOLDER.glob("otfm_*.ts"))
    if sys.argv[1:2] == ["--build"]:
        build(Path(sys.argv[2]))
        return
    if "--check" in sys.argv[1:]:
        found = [line for file in files for line in faults(file)]
        if found:
            raise SystemExit("\n".join(found))
        return
    for file in files:
        known = read(file)
        write(file, {text: known.get(text, "") for text in texts()})


if __name__ == "__main__":
    main()
