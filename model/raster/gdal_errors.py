"""Errors and messages of GDAL: as Python exceptions inside a block, and as parts of sentences."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from osgeo import gdal

ADDRESS = re.compile(r'(https?://)(?:[^\s/?#"<>`]*@)?([^\s?#"<>`]*)(?:[?#][^\s"<>`]*)?', re.IGNORECASE)


class ProcessSetting:
    """A setting of the whole process: the first of several threads applies it, the last one restores it."""

    def __init__(self, setting: Callable[[], AbstractContextManager[None]]) -> None:
        self.setting, self.lock, self.users = setting, threading.Lock(), 0

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Apply the setting inside the block; afterwards the state is the previous one."""
        with self.lock:
            if self.users == 0:
                self.active = self.setting()
                self.active.__enter__()
            self.users += 1
        try:
            yield
        finally:
            with self.lock:
                self.users -= 1
                if self.users == 0:
                    self.active.__exit__(None, None, None)


@ProcessSetting
@contextmanager
def _raise_errors() -> Iterator[None]:
    before = gdal.GetUseExceptions()
    gdal.UseExceptions()
    yield
    if not before:
        gdal.DontUseExceptions()


@contextmanager
def gdal_exceptions() -> Iterator[None]:
    """Raise GDAL errors as Python exceptions inside the block, whatever other threads do; then restore the state."""
    with _raise_errors():
        gdal.PushErrorHandler("CPLQuietErrorHandler")
        try:
            yield
        finally:
            gdal.PopErrorHandler()


@contextmanager
def gdal_messages() -> Iterator[list[tuple[int, str]]]:
    """Collect what GDAL reports inside the block and in this thread: (severity, text)."""
    messages: list[tuple[int, str]] = []
    gdal.PushErrorHandler(lambda severity, number, text: messages.append((severity, text)))
    try:
        yield messages
    finally:
        gdal.PopErrorHandler()


def quote_messages(error: BaseException | str) -> str:
    """Return GDAL's words as part of a sentence."""
    return hide_signatures(str(error)).strip().rstrip(".")


def hide_signatures(text: str) -> str:
    """Take from each address in a text what may be secret: user, password, and the query, which may be a signature."""
    return ADDRESS.sub(r"\1\2", text)
