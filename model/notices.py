"""Warnings as data: what was found, with its numbers, and the sentence that says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Union

Number = Union[float, int, str]


@dataclass(frozen=True)
class Notice:
    """Something about a run that its user should know.

    code      the same word whenever the same thing is found, for programs
    sentence  for people: what is so, why it matters, what to do
    numbers   what the sentence speaks of
    """

    code: str
    sentence: str
    numbers: Mapping[str, Number] = field(default_factory=dict)
