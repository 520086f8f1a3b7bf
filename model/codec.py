"""Frozen dataclasses as plain JSON and back, checked as they arrive: the one codec of messages, plans and records."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_origin

KIND = "is"  # names the type of what JSON has no word for
MAX_DEPTH = 32  # of nested JSON; a plan has 5
MAX_SHOWN = 60  # characters of what was received, in a sentence about it
MAX_DIGITS = 40  # of a whole number in JSON, as an inode on Windows; int() takes seconds for a million
JSON_MARKS = re.compile(r'\\.|["\[\]{}]', re.DOTALL)  # what opens and closes, and characters that are escaped
STEPS = {"[": 1, "{": 1, "]": -1, "}": -1}
PLAIN = {"str": str, "bool": bool, "int": int, "float": (int, float), "Path": Path, "Mapping": dict, "dict": dict}


class Codec:
    """A codec of instances of `classes`, and of tuples and mappings of them."""

    def __init__(self, *classes: type) -> None:
        self.classes = {each.__name__: each for each in classes}

    def to_json(self, value: Any, indent: int | None = None) -> str:
        """Write a value as ASCII, on one line without `indent`. Raises TypeError for an instance of another class."""
        return json.dumps(self._to_plain(value), indent=indent)

    def from_json(self, text: str) -> Any:
        """Read what `to_json` wrote, lists as tuples. Raises ValueError that states what was read instead."""
        try:
            plain = parse_json(text, MAX_DEPTH)
        except ValueError as error:
            raise ValueError(f"what is not JSON ({error}): {text[:MAX_SHOWN]!r}") from error
        return self._restore(plain)

    def _to_plain(self, value: Any) -> Any:
        if is_dataclass(value) and not isinstance(value, type):
            if self.classes.get(type(value).__name__) is not type(value):
                raise TypeError(f"{type(value).__name__} is not among the classes of this codec")
            parts = {f.name: self._to_plain(getattr(value, f.name)) for f in fields(value)}
            return {KIND: type(value).__name__, **parts}
        if isinstance(value, Path):
            return {KIND: "Path", "path": str(value)}
        if isinstance(value, Mapping):
            return {str(key): self._to_plain(each) for key, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._to_plain(each) for each in value]
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        return self._to_plain(value.item())  # a scalar of numpy

    def _restore(self, value: Any) -> Any:
        if isinstance(value, list):
            return tuple(self._restore(each) for each in value)
        if not isinstance(value, dict):
            return value
        parts = {key: self._restore(each) for key, each in value.items()}
        if KIND not in parts:
            return parts
        name = parts.pop(KIND)
        if name == "Path" and [*map(type, parts.values())] == [str]:
            return Path(*parts.values())
        if not isinstance(name, str) or name not in self.classes:
            raise ValueError(f"an object of the unknown class {str(name)[:MAX_SHOWN]}")
        target = self.classes[name]
        for field in fields(target):
            if not has_type(parts.get(field.name), str(field.type), target.__module__):
                raise ValueError(f"{name} whose {field.name} is {str(parts.get(field.name, 'absent'))[:MAX_SHOWN]}")
        try:
            return target(**parts)
        except TypeError as error:
            raise ValueError(f"{name} with other fields: {str(error)[:MAX_SHOWN]}") from error


def has_type(value: Any, annotation: str, module: str) -> bool:
    """Return whether a value has the type that the annotation of a field of a dataclass in `module` names."""
    if annotation.endswith(" | None"):
        return value is None or has_type(value, annotation[: -len(" | None")], module)
    outer, _, inner = annotation.partition("[")
    if outer != "tuple":
        expected: Any = PLAIN.get(outer) or getattr(sys.modules[module], outer)
        return isinstance(value, expected) if get_origin(expected) is None else has_type(value, str(expected), module)
    if not isinstance(value, tuple):
        return False
    inner = inner[:-1]
    if inner.endswith(", ..."):
        return all(has_type(each, inner[: -len(", ...")], module) for each in value)
    types = inner.split(", ")
    return len(types) == len(value) and all(has_type(each, each_type, module) for each, each_type in zip(value, types))


def parse_json(text: str, max_depth: int) -> Any:
    """Parse JSON that anybody may have written.

    Raises:
        ValueError: also for deeper nesting than `max_depth`, and for very long whole numbers.
    """
    depth, quoted = 0, False
    for mark in JSON_MARKS.finditer(text):
        if mark[0] == '"':
            quoted = not quoted
        elif not quoted:
            depth += STEPS.get(mark[0], 0)
        if depth > max_depth:
            raise ValueError(f"it is nested more than {max_depth} deep")
    return json.loads(text, parse_int=_parse_int)


def _parse_int(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"it holds a number of {len(text):,} digits")
    return int(text)
