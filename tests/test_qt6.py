"""The rules of Qt 6: enumerations by their full names, and no name that only Qt 5 has.

Names are looked up in the QGIS that is installed. What the plugin shows is constructed with PyQt6.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import os
import subprocess
import sys
from enum import Enum
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHIPPED_PATHS = ("plugin.py", "__init__.py", "algorithms", "desktop", "engine", "model")
QT5_ONLY = {
    "exec_",
    "print_",
    "QRegExp",
    "QRegExpValidator",
    "QDesktopWidget",
    "qApp",
    "QMatrix",
    "QSound",
    "QTextCodec",
}


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else list(path.rglob("*.py"))


SHIPPED = sorted(p for path in SHIPPED_PATHS for p in _files(ROOT / path))


def is_member(value: object) -> bool:
    """Check that a value belongs to an enumeration of sip or Python."""
    return isinstance(value, Enum) or type(type(value)).__name__ == "enumtype"


class Reader(ast.NodeVisitor):
    """Collects what Qt 6 would not take, as `line: words`."""

    def __init__(self) -> None:
        self.names: dict[str, object] = {}
        self.faults: list[str] = []

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        if module.split(".")[0] in ("PyQt5", "PyQt6", "sip"):
            self.faults.append(f"{node.lineno}: {module}")
        if module.split(".")[0] == "qgis":
            for name in node.names:
                self.names[name.asname or name.name] = getattr(importlib.import_module(module), name.name)

    def visit_Import(self, node: ast.Import) -> None:
        self.faults += [
            f"{node.lineno}: {n.name}" for n in node.names if n.name.split(".")[0] in ("PyQt5", "PyQt6", "sip")
        ]

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        bases = [self.value(base) for base in node.bases]
        before = self.names.get("self")
        self.names["self"] = next((base for base in bases if base is not None), None)
        self.generic_visit(node)
        self.names["self"] = before

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in QT5_ONLY:
            self.faults.append(f"{node.lineno}: {node.id}")

    def visit_Attribute(self, node: ast.Attribute) -> None:
        value = self.value(node)
        if node.attr in QT5_ONLY or (is_member(value) and self.value(node.value) is not type(value)):
            self.faults.append(f"{node.lineno}: {ast.unparse(node)}")
        self.generic_visit(node)

    def value(self, node: ast.expr) -> object:
        """Return the value of a dotted name, or None where it is known only at run time."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id)
        return getattr(self.value(node.value), node.attr, None) if isinstance(node, ast.Attribute) else None


def faults(code: str) -> list[str]:
    reader = Reader()
    reader.visit(ast.parse(code))
    return reader.faults


def test_shipped_code_uses_scoped_enums_and_no_qt5_only_names():
    lines_by_file = {str(p.relative_to(ROOT)): faults(p.read_text(encoding="utf-8")) for p in SHIPPED}
    assert {name: lines for name, lines in lines_by_file.items() if lines} == {}
    assert any("qgis" in p.read_text(encoding="utf-8") for p in SHIPPED)


@pytest.mark.parametrize(
    "code",
    [
        "from PyQt5.QtCore import Qt",
        "from qgis.PyQt.QtCore import Qt\nx = Qt.AlignLeft",
        "from qgis.core import Qgis\nx = Qgis.Warning",
        "from qgis.core import QgsProcessing as P\nx = [P.TypeRaster]",
        "from qgis.core import QgsProcessingAlgorithm\nclass A(QgsProcessingAlgorithm):\n    def flags(self):\n"
        "        return self.FlagNoThreading",
        "dialog.exec_()",
    ],
)
def test_what_qt6_refuses_is_found(code):
    assert len(faults(code)) == 1


def test_full_names_are_taken():
    code = (
        "from qgis.core import Qgis, QgsProcessing\nx = Qgis.MessageLevel.Warning, QgsProcessing.SourceType.TypeRaster"
    )
    assert faults(code) == []


def test_the_plugin_shows_itself_on_qt6(tmp_path):
    """Widgets, menu, options page and translation are constructed with PyQt6, in a process of its own."""
    stubs = Path(str(importlib.import_module("qgis").__file__)).parent
    if importlib.util.find_spec("PyQt6") is None or not (stubs / "_core.pyi").exists():
        pytest.skip("PyQt6, or QGIS's .pyi files, are not installed")
    translations = [sys.executable, str(ROOT / "scripts" / "translations.py"), "--build", str(tmp_path)]
    subprocess.run(translations, check=True, capture_output=True)
    script = [sys.executable, str(ROOT / "tests" / "helpers" / "qt6_desktop.py"), str(stubs), str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'tests'}{os.pathsep}{os.environ['PYTHONPATH']}"}
    done = subprocess.run(script, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    state = json.loads(done.stdout.splitlines()[-1])
    assert state["qt"].startswith("6.")
    assert [name.removeprefix("otfm:") for name in state["opened"]] == [
        "pansharpen", "preview", "product", "assess", "finetune", "setup",
    ]  # fmt: skip
    assert (state["chosen"], state["device"], state["translated"], state["left"]) == ("tuned", "auto", True, [0, 0])
