"""How the pipeline speaks to whoever started it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .errors import CancelledError


@dataclass(frozen=True)
class Caller:
    """Progress (a share in [0, 1]), the user's wish to cancel, and sentences for the log."""

    progress: Callable[[float], None] = lambda share: None
    cancelled: Callable[[], bool] = lambda: False
    log: Callable[[str], None] = lambda sentence: None

    def check(self) -> None:
        """Raises CancelledError where the user wants no more."""
        if self.cancelled():
            raise CancelledError
