"""The project's own exceptions: every one carries a whole sentence that a user can act on."""

from __future__ import annotations


class PansharpenError(Exception):
    """Something is wrong with the input, the weights or the machine; the message names the cure."""


class InputError(PansharpenError):
    """A raster cannot be read or does not fit the other one."""


class WeightsError(PansharpenError):
    """A weights file is damaged, hostile, or made for another network."""


class OutputError(PansharpenError):
    """The result cannot be written where it was asked for."""


class TrainingError(PansharpenError):
    """Training cannot start or has diverged."""


class CancelledError(PansharpenError):
    """The user cancelled. Who knows it may say what was `written`."""

    def __init__(self, written: str = "") -> None:
        super().__init__(f"Cancelled by the user. {written}".rstrip())


class EngineError(PansharpenError):
    """The process that does the work cannot be started, or has ended by itself."""
