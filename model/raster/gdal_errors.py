"""GDAL's errors as Python exceptions, for as long as they are wanted, and as parts of sentences."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from osgeo import gdal


class _ExceptionSwitch:
    """GDAL's switch for exceptions is one for the whole process: the first run turns it on, the last restores it."""

    lock = threading.Lock()
    users = 0
    before = False


@contextmanager
def gdal_exceptions() -> Iterator[None]:
    """GDAL errors as Python exceptions inside the block, whatever other threads do; afterwards all is as before."""
    with _ExceptionSwitch.lock:
        if _ExceptionSwitch.users == 0:
            _ExceptionSwitch.before = bool(gdal.GetUseExceptions())
            gdal.UseExceptions()
        _ExceptionSwitch.users += 1
    gdal.PushErrorHandler("CPLQuietErrorHandler")
    try:
        yield
    finally:
        gdal.PopErrorHandler()
        with _ExceptionSwitch.lock:
            _ExceptionSwitch.users -= 1
            if _ExceptionSwitch.users == 0 and not _ExceptionSwitch.before:
                gdal.DontUseExceptions()


def said(error: Exception) -> str:
    """GDAL's words as part of a sentence."""
    return str(error).strip().rstrip(".")
