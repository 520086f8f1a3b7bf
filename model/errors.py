"""The project's own exceptions: every one carries a whole sentence that a user can act on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

# Words, in lower case, with which systems and libraries refuse memory or threads.
OUT_OF_MEMORY = (
    *("allocate memory", "not enough memory", "out of memory", "bad_alloc", "bad alloc", "memoryerror"),
    *("start new thread", "thread creation failed", "paging file", "winerror 1455"),
)


class PansharpenError(Exception):
    """An error of the input, the weights or the machine; the message names the cure."""


class InputError(PansharpenError):
    """A raster that cannot be read or does not fit the other one."""


class WeightsError(PansharpenError):
    """A weights file that is damaged, hostile, or made for another network."""


class OutputError(PansharpenError):
    """A result that cannot be written to its target."""


class TrainingError(PansharpenError):
    """Training that cannot start or has diverged."""


class CancelledError(PansharpenError):
    """A cancel by the user; `written` names the files that were written, where they are known."""

    def __init__(self, written: str = "") -> None:
        super().__init__(f"Cancelled by the user. {written}".rstrip())


class EngineError(PansharpenError):
    """An engine process that cannot be started, or has ended by itself."""


def is_out_of_memory(text: str) -> bool:
    """Return whether the text of an error says that memory or threads were refused."""
    return any(words in text.lower() for words in OUT_OF_MEMORY)


@contextmanager
def translate_memory_errors() -> Iterator[None]:
    """Turn memory or threads that the system refuses into a PansharpenError with the cure."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and not is_out_of_memory(str(error)):
            raise
        raise PansharpenError(
            f"There is too little memory for this run ({str(error).strip()[:200] or 'refused'}). "
            "Lower MEMORY or TILE, close other programs, or raise the limit that is set on this process."
        ) from error
