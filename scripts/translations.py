"""Bring resources/i18n/otfm_*.ts up to date by Qt's lupdate: add new texts untranslated, remove unused ones.

    python scripts/translations.py [LANGUAGE]        writes the files, and that of another language
    python scripts/translations.py --build FOLDER    writes what QGIS reads of them: otfm_LANGUAGE.qm

Texts are the literals given to tr(), and all that algorithms/help.py holds. QGIS's packages bring Qt's tools along.
Sentences of the log and of errors, in model/ and engine/, are in messages_LANGUAGE.json; "" marks a new one.
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
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "resources" / "i18n"
CONTEXT = "otfm"
SENTENCE = re.compile(r"(?s)(?=.*[a-z]{3} )(?=.{13}).*[.:?!)]\s*$")  # words, and an end

# Parts that sentences are filled with or composed of, and sentences that are too short to be recognised as such.
PHRASES = (
    "MS is aligned with PAN {0}{1}",
    "MS is shifted by {0} against PAN, {1}{2}",
    "to within {0} PAN pixels",
    "as a whole",
    "which is corrected",
    "which is not corrected, as asked for",
    "single windows differ from it by up to {0}",
    "{0} and was sharpened by its maker, {1}",
    "up to {0} times at medium detail",
    "bands were shifted by up to {0} PAN pixels",
    "across the scene the shift varies by {0} PAN pixels",
    "both corrected",
    "residual {0}",
    "corrected",
    "not asked for",
    "measured on this scene",
    "measured",
    "as given",
    "as large as",
    "as small as",
    "more than",
    "not comparable with",
    "not measurable",
    "score {0}, the best so far",
    "score {0}",
    "PAN pixels are {0}, MS pixels {1} map units wide",
    "PAN has {0} x {1} pixels, MS {2} x {3}, neither has a georeference",
    "an MS pixel is {0} PAN pixels wide, and",
    "at row {0}, column {1}",
    "ground control points",
    "{0} was made by this plugin, but its figures one scale down are left out, because {1}",
    "Weights: {0}, {1}, SHA-256 {2}.",
    "Device: {0}, {1} ({2}), {3}.",
    "Device: {0}, {1} ({2}).",
    "Engine: {0}, {1}.",
    "Build: {0}, {1}.",
    "Removed {0}.",
    "Ready: {0}.",
    "Bands: {0}.",
    "for all sensors",
    "for {0}, as asked",
    "for {0}, because of the name {1}",
    "the file that was chosen",
    "the layers {0}",
    "since an NVIDIA driver is there",
    "since no NVIDIA driver is there",
    "run Set up the engine (otfm:setup) in the Processing Toolbox",
    "run Set up the engine (otfm:setup) in the Processing Toolbox with ACTION repair",
    "The Microsoft Visual C++ Redistributable (x64) is missing: install the current one from Microsoft, and start QGIS "
    "again. If that does not help",
    "is cut short",
    "has {0} for {1}, but a number from {2} to {3} is needed",
    "has {0} for {1}, but a whole number from {2} to {3} is needed",
    "is not a complete RPC file: {0} has {1} of {2} numbers, or one is wrong",
    "holds a NUL, so it is damaged",
    "lists no image of a granule",
    "lists {0} bands, but 1 to {1} are expected",
    "names the spacecraft '{0}', but only {1} are known",
    "it does not keep the georeference",
    "it does not keep the reference system",
    "it does not keep the nodata value {0}",
    "its compression is lossy",
    "it would change them by {0} % of their mean",
    "GDAL does not say why",
    "Choose DATA_TYPE={0}, or use .tif",
    "Leave NBITS out of CREATE_OPTIONS",
    "Leave DATA_TYPE as MS",
    "other pixels than PAN",
    "another reference system",
    "only {0} pixels are valid in both rasters, at least {1} are needed",
    "Use a QGIS with Python {0}",
    "It is made for {0}. Use such a machine",
    "{0} failed:",
    "the folder of this plugin",
    "the Python of QGIS",
    "the folder {0}",
    "The folder {0} is {1} characters too long: torch's files would have paths of {2} characters, and this Windows "
    "opens {3}.",
    "Run these two commands in a command prompt, and run again:",
    "the package index that pip uses",
    "cannot tell",
    "{0} % less than",
    "{0} % more than",
)


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
    """Collect the sentences, and their parts, that model/ and engine/ may log or raise, each once."""
    return list(dict.fromkeys([*(t for t in templates() if SENTENCE.search(t)), *PHRASES]))


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


def read(file: Path) -> dict[str, str]:
    """Read translations by their text, empty where there is none yet."""
    messages = ElementTree.parse(file).getroot().iter("message")
    return {m.findtext("source", ""): m.findtext("translation", "") for m in messages}


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
