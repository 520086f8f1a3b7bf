"""OTFM Pansharpen, a QGIS plugin: satellite colour imagery as sharp as its panchromatic band."""

from __future__ import annotations

from typing import Any


def classFactory(iface: Any) -> Any:  # noqa: N802 - the name QGIS looks for
    """Entry point of QGIS; `iface` is None in qgis_process."""
    from .plugin import OtfmPansharpenPlugin

    return OtfmPansharpenPlugin(iface)
