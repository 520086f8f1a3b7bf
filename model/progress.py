"""Callbacks of the pipeline to its caller: progress, log, warnings, cancellation."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from .errors import CancelledError
from .notices import Notice


@dataclass(frozen=True)
class Progress:
    """Callbacks that the pipeline calls, from any thread.

    report      receives the share done, in [0, 1]
    cancelled   returns whether the user has cancelled
    log         receives the main sentences: inputs, measurements, quality
    notice      receives warnings; without it, `log` does
    detail      receives all other sentences; without it, `log` does
    """

    report: Callable[[float], None] = lambda share: None
    cancelled: Callable[[], bool] = lambda: False
    log: Callable[[str], None] = lambda sentence: None
    notice: Callable[[Notice], None] | None = None
    detail: Callable[[str], None] | None = None

    def part(self, start: float, end: float) -> Progress:
        """Return the progress of the work between two shares."""
        return replace(self, report=lambda share: self.report(start + (end - start) * share))

    def after(self, done: float) -> Progress:
        """Return the progress of the rest once the share `done` of the work is done."""
        return self.part(done, 1.0)

    def check(self) -> None:
        """Raise CancelledError where the user has cancelled."""
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


def format_duration(seconds: float) -> str:
    """Format a duration: 4.2 s, 45 s, 3 min 12 s, 2 h 5 min."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{rest} s"
    hours, left = divmod(minutes, 60)
    return f"{hours} h {left} min" if hours else f"{minutes} min {rest} s"


def format_bytes(count: float) -> str:
    """Format a size in the largest unit that it reaches: 12 bytes, 3.4 kB, 812 MB, 1.5 GB."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}" if count < 999.5 * size else f"{count / size:,.0f} {unit}"
    return f"{count:.0f} bytes"


def format_bytes_apart(one: int, other: int) -> tuple[str, str]:
    """Format two sizes, in bytes where larger units would show them as equal."""
    texts = format_bytes(one), format_bytes(other)
    return texts if texts[0] != texts[1] else (f"{one:,} bytes", f"{other:,} bytes")
