"""OTFM Pansharpen, a QGIS plugin: satellite colour imagery as sharp as its panchromatic band."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .model.fusion.python_api import sharpen, sharpen_arrays

__all__ = ["classFactory", "sharpen", "sharpen_arrays"]


def classFactory(iface: Any) -> Any:  # noqa: N802 - the name QGIS looks for
    """Entry point of QGIS; `iface` is None in qgis_process."""
    from .plugin import OtfmPansharpenPlugin

    return OtfmPansharpenPlugin(iface)


def __getattr__(name: str) -> Any:
    """Import the functions for Python programs when they are first used: QGIS's own process never loads torch."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .model.fusion import python_api

    return getattr(python_api, name)
