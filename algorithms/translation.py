"""Texts of the plugin in the language of QGIS."""

from __future__ import annotations

from pathlib import Path

from qgis.core import QgsApplication
from qgis.PyQt.QtCore import QCoreApplication, QTranslator

from .messages import Catalogue

FOLDER = Path(__file__).resolve().parent.parent / "resources" / "i18n"
CONTEXT = "otfm"
_current = [Catalogue({})]  # sentences in the language of QGIS


def tr(text: str) -> str:
    """Translate a text. `scripts/translations.py` collects literals, and all texts of help.py."""
    return str(QCoreApplication.translate(CONTEXT, text))


def translate_message(text: str) -> str:
    """Translate sentences of the log or of an error, which the engine writes in English."""
    return _current[0].translate(text)


def install(folder: Path = FOLDER) -> QTranslator | None:
    """Load the translation into QGIS's language, also that of `qgis --lang`; None where there is none."""
    language = (QgsApplication.instance().translation() or QgsApplication.locale())[:2]
    _current[0] = Catalogue.read(FOLDER, language)
    translator = QTranslator()
    if not translator.load(str(folder / f"otfm_{language}.qm")):
        return None
    QCoreApplication.installTranslator(translator)
    return translator
