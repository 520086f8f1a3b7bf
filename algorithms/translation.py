"""Texts of the plugin in the language of QGIS."""

from __future__ import annotations

from pathlib import Path

from qgis.core import QgsApplication
from qgis.PyQt.QtCore import QCoreApplication, QTranslator

FOLDER = Path(__file__).resolve().parent.parent / "resources" / "i18n"
CONTEXT = "otfm"


def tr(text: str) -> str:
    """Translate a text. `scripts/translations.py` collects literals, and all texts of help.py."""
    return str(QCoreApplication.translate(CONTEXT, text))


def install(folder: Path = FOLDER) -> QTranslator | None:
    """Load the translation into QGIS's language; None where there is none."""
    translator = QTranslator()
    if not translator.load(str(folder / f"otfm_{QgsApplication.locale()[:2]}.qm")):
        return None
    QCoreApplication.installTranslator(translator)
    return translator
