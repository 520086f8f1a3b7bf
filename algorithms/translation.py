"""The language of the user: texts of the plugin in it, where they have been translated."""

from __future__ import annotations

from pathlib import Path

from qgis.core import QgsApplication
from qgis.PyQt.QtCore import QCoreApplication, QTranslator

FOLDER = Path(__file__).resolve().parent.parent / "resources" / "i18n"
CONTEXT = "otfm"


def tr(text: str) -> str:
    """A text in the language of QGIS. `scripts/translations.py` finds literals, and whatever help.py holds."""
    return str(QCoreApplication.translate(CONTEXT, text))


def install(folder: Path = FOLDER) -> QTranslator | None:
    """Have `tr` speak the language that QGIS speaks; None where there is no translation into it."""
    translator = QTranslator()
    if not translator.load(str(folder / f"otfm_{QgsApplication.locale()[:2]}.qm")):
        return None
    QCoreApplication.installTranslator(translator)
    return translator
