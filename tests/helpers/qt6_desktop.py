"""A QGIS on Qt 6, as far as the plugin shows itself in it: PyQt6, and classes with the names in QGIS's own .pyi files.

    python qt6_desktop.py FOLDER_OF_PYI FOLDER_OF_TRANSLATIONS

Enumerations are scoped, as in PyQt6. Constructs everything that the plugin shows, and prints what a user would find.
"""

from __future__ import annotations

import ast
import enum
import json
import sys
import types
from pathlib import Path
from unittest.mock import MagicMock

import PyQt6.sip
from PyQt6 import QtCore, QtGui, QtNetwork, QtWidgets

PYI, TRANSLATIONS = map(Path, sys.argv[1:])
QT = {"QtCore": QtCore, "QtGui": QtGui, "QtNetwork": QtNetwork, "QtWidgets": QtWidgets}


def module(name: str, **content: object) -> types.ModuleType:
    made = sys.modules[name] = types.ModuleType(name)
    made.__dict__.update(content, __path__=[])
    return made


def make_class(node: ast.ClassDef, known: dict[str, object]) -> object:
    """Make a class of a .pyi: a flag where it has numbers, else a class whose methods return mocks."""
    if [ast.unparse(base) for base in node.bases] == ["int"]:
        names = [target.id for item in node.body if isinstance(item, ast.Assign) for target in item.targets]  # type: ignore[attr-defined]
        return enum.Flag(node.name, {name: 1 << index for index, name in enumerate(names)})
    bases = []
    for base in map(ast.unparse, node.bases):
        first, _, last = base.rpartition(".")
        found = getattr(QT.get(first), last, None) if first else known.get(last)
        bases += [found] if isinstance(found, type) else []
    content: dict[str, object] = {}
    for item in node.body:
        if isinstance(item, ast.ClassDef):
            content[item.name] = make_class(item, known)
        elif isinstance(item, ast.FunctionDef) and not item.name.startswith("__"):
            content[item.name] = MagicMock()
    has_qt = any(issubclass(base, QtCore.QObject) for base in bases)
    content["__init__"] = lambda self, *given, **named: bases[0].__init__(self) if has_qt else None
    return type(node.name, tuple(bases[:1]), content)


def load(name: str, known: dict[str, object]) -> types.ModuleType:
    text = (PYI / f"_{name}.pyi").read_text(encoding="utf-8")
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef):
            known[node.name] = make_class(node, known)
    return module(f"qgis.{name}", **known)


class Registry:
    """QGIS's registry of algorithms."""

    def __init__(self) -> None:
        self.algorithms: dict[str, object] = {}
        self.providerAdded = MagicMock()

    def addProvider(self, provider: object) -> None:  # noqa: N802 - QGIS's name
        provider.addAlgorithm = lambda a: self.algorithms.update({f"otfm:{a.name()}": a})  # type: ignore[attr-defined]
        provider.loadAlgorithms()  # type: ignore[attr-defined]

    def providerById(self, name: str) -> None:  # noqa: N802 - QGIS's name
        """Return none: without their steps, models are left out."""

    def removeProvider(self, provider: object) -> None:  # noqa: N802 - QGIS's name
        self.algorithms.clear()

    def algorithmById(self, name: str) -> object:  # noqa: N802 - QGIS's name
        return self.algorithms[name]


application = QtWidgets.QApplication([])
registry = Registry()
opened: list[str] = []
module("qgis")
pyqt = module("qgis.PyQt", sip=PyQt6.sip, **QT)
sys.modules.update({f"qgis.PyQt.{name}": part for name, part in QT.items()})
core = load("core", {})
core.QgsCsException = core.QgsProcessingException = RuntimeError
core.QgsApplication.processingRegistry = staticmethod(lambda: registry)
core.Qgis.versionInt = staticmethod(lambda: 40000)
core.QgsApplication.locale = staticmethod(lambda: "de_DE")
core.QgsApplication.instance = staticmethod(lambda: MagicMock(translation=lambda: ""))
core.QgsApplication.qgisSettingsDirPath = staticmethod(lambda: str(TRANSLATIONS / "profile"))
core.QgsApplication.removeTranslator = QtCore.QCoreApplication.removeTranslator
core.QgsProcessingParameterDefinition.name = lambda self: ""
core.QgsSettings.value = lambda self, key, *default: None
gui = load("gui", dict(core.__dict__))
gui.QgsFileWidget.filePath = lambda self: ""
wrappers = module(
    "processing.gui.wrappers",
    DIALOG_STANDARD="standard",
    WidgetWrapper=type("WidgetWrapper", (), {"widgetValueHasChanged": MagicMock()}),
)
module("processing.gui", wrappers=wrappers)


def create_dialog(name: str) -> QtWidgets.QDialog:
    opened.append(name)
    return QtWidgets.QDialog()


module("processing", createAlgorithmDialog=create_dialog)

import otfm_pansharpen  # noqa: E402
from helpers.qgis import Desktop  # noqa: E402
from otfm_pansharpen.algorithms import translation, widgets  # noqa: E402
from otfm_pansharpen.algorithms.help import CHOOSE  # noqa: E402
from otfm_pansharpen.engine import packages  # noqa: E402

packages.has_torch = lambda folder: True

desktop = Desktop()
plugin = otfm_pansharpen.classFactory(desktop)
plugin.translator = translation.install(TRANSLATIONS)
plugin.initGui()
for algorithm in registry.algorithms.values():
    algorithm.initAlgorithm({})
    algorithm.icon()
    algorithm.flags()
    assert algorithm.shortHelpString()
(menu,) = (action.menu() for action in desktop.menu.actions())
for action in menu.actions():
    if action.text().endswith("…") and action.objectName() != "otfm:all":  # which is a dialog of QGIS
        action.trigger()
page = desktop.pages[0].createWidget(None)
page.memory.setValue(300)
page.apply()
quality = widgets.QualityWidget(None, None)
combo = quality.createWidget(("fast", "best", "tuned"))
quality.setValue("tuned")
chosen, texts = quality.value(), [combo.itemText(index) for index in range(combo.count())]
plugin.unload()
print(
    json.dumps(
        {
            "qt": QtCore.QT_VERSION_STR, "opened": opened, "chosen": chosen, "device": page.device.currentText(),
            "translated": CHOOSE not in texts, "left": [len(desktop.menu.actions()), len(desktop.pages)],
        }
    )
)  # fmt: skip
