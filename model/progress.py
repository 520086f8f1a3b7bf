"""How the pipeline speaks to whoever started it: how far it is, what it decided, whether to go on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from .errors import CancelledError
from .notices import Notice


@dataclass(frozen=True)
class Progress:
    """Callables that the pipeline calls, from any thread.

    report      hears the share done, in [0, 1]
    cancelled   whether the user wants no more
    log         hears the few sentences that everybody wants: what goes in, what was found, how good it is
    notice      hears warnings; without it, `log` does
    detail      hears all else that was decided; without it, `log` does
    """

    report: Callable[[float], None] = lambda share: None
    cancelled: Callable[[], bool] = lambda: False
    log: Callable[[str], None] = lambda sentence: None
    notice: Callable[[Notice], None] | None = None
    detail: Callable[[str], None] | None = None

    def after(self, done: float) -> Progress:
        """The progress of what is left once the share `done` of the work is done."""
        return replace(self, report=lambda share: self.report(done + (1.0 - done) * share))

    def check(self) -> None:
        """Raises CancelledError where the user wants no more."""
        if self.cancelled():
            raise CancelledError

    def conclude(self, *sentences: str) -> None:
        """Report the end, and log the last sentences: the result is in place, so no error here ends the run."""
        with suppress(Exception):
            self.report(1.0)
            for sentence in sentences:
                self.log(sentence)

    def explain(self, *sentences: str) -> None:
        """Pass details on."""
        for sentence in sentences:
            (self.detail or self.log)(sentence)

    def warn(self, notice: Notice) -> None:
        """Pass a warning on."""
        if self.notice is not None:
            self.notice(notice)
        else:
            self.log(f"Warning: {notice.sentence}")


def spoken(seconds: float) -> str:
    """A time as people say it: 4.2 s, 45 s, 3 min 12 s, 2 h 5 min."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{rest} s"
    hours, left = divmod(minutes, 60)
    return f"{hours} h {left} min" if hours else f"{minutes} min {rest} s"


def format_bytes(count: float) -> str:
    """A size in the largest unit of which there is at least one: 12 bytes, 3.4 kB, 812 MB, 1.5 GB."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}" if count < 999.5 * size else f"{count / size:,.0f} {unit}"
    return f"{count:.0f} bytes"


def format_bytes_apart(one: int, other: int) -> tuple[str, str]:
    """Two sizes, in single bytes where larger units would show them as the same."""
    texts = format_bytes(one), format_bytes(other)
    return texts if texts[0] != texts[1] else (f"{one:,} bytes", f"{other:,} bytes")
